"""The web edge: strict readers, one form of error, quiet logs."""

import json
from collections.abc import Mapping

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from protocol.canonical import b64u_encode
from protocol.errors import Unavailable
from service.app import MAX_BODY_BYTES, MAX_FORM_FIELDS, json_response, make_app
from tests.service import sample_app

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def client() -> FlaskClient:
    return sample_app.make().test_client()


def check_problem(answer: TestResponse, status: int, code: str) -> Mapping[str, object]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    body = json.loads(answer.data)
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"]
    return body


def test_answer_has_the_headers_of_every_answer(client: FlaskClient) -> None:
    for path, status in (("/healthz", 200), ("/nowhere", 404), ("/refused", 410), ("/bug", 500)):
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["API-Version"] == "1.0.0"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_cacheable_answer_says_so(client: FlaskClient) -> None:
    answer = client.get("/secret", headers={"Authorization": f"Bearer {b64u_encode(sample_app.TOKEN)}"})
    assert answer.headers["Cache-Control"] == "public, max-age=60"


def test_healthz_tells_the_room(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok", "room": "service"}


def test_healthz_of_a_role_that_is_not_ready_is_unavailable() -> None:
    def health() -> Mapping[str, object]:
        raise Unavailable("busy", "fetching pending revocations")

    check_problem(make_app("service", health=health).test_client().get("/healthz"), 503, "busy")


def test_version_of_a_role_is_in_the_header() -> None:
    assert make_app("service", "2.1.0").test_client().get("/healthz").headers["API-Version"] == "2.1.0"


def test_json_is_read(client: FlaskClient) -> None:
    answer = client.post("/v1/things/7", data=b'{"a":1}', content_type="application/json; charset=utf-8")
    assert (answer.status_code, answer.json) == (201, {"a": 1, "number": 7})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[]", "bad_form"),
        (b'{"a":"1"}', "bad_form"),
        (b'{"a":1,"b":2}', "bad_form"),
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a":NaN}', "bad_json"),
        (b'{"a":1.5}', "bad_json"),
        (b'\xff{"a":1}', "bad_json"),
        (b'{"a":' + b"[" * 17 + b"]" * 17 + b"}", "too_deep"),
    ],
)
def test_json_of_another_form_is_refused(client: FlaskClient, body: bytes, code: str) -> None:
    check_problem(client.post("/v1/things/7", data=body, content_type=JSON), 400, code)


@pytest.mark.parametrize("content_type", ["", "text/plain", FORM, "application/json+x", "application/jwt"])
def test_json_under_another_media_type_is_refused(client: FlaskClient, content_type: str) -> None:
    answer = client.post("/v1/things/7", data=b'{"a":1}', content_type=content_type)
    check_problem(answer, 415, "bad_media_type")


def body_of(size: int) -> bytes:
    empty = len(b'{"a":1,"note":""}')
    return b'{"a":1,"note":"' + b"x" * (size - empty) + b'"}'


def test_body_at_the_limit_is_taken_and_one_byte_more_refused(client: FlaskClient) -> None:
    assert client.post("/v1/things/7", data=body_of(MAX_BODY_BYTES), content_type=JSON).status_code == 201
    answer = client.post("/v1/things/7", data=body_of(MAX_BODY_BYTES + 1), content_type=JSON)
    check_problem(answer, 413, "too_large")


def test_endpoint_may_take_more(client: FlaskClient) -> None:
    assert client.post("/large", data=bytes(100_000)).json == {"bytes": 100_000}
    check_problem(client.post("/large", data=bytes(100_001)), 413, "too_large")


def test_form_is_read(client: FlaskClient) -> None:
    answer = client.post("/form", data="a=1&b=%C3%A9+x&c=", content_type=FORM)
    assert answer.json == {"a": "1", "b": "é x", "c": ""}
    assert client.post("/form", data="", content_type=FORM).json == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"a=1&a=2", "duplicate_key"),
        (b"a", "bad_form"),
        (b"a=%ff", "bad_form"),
        (b"\xff=1", "bad_form"),
        (b"&".join(b"f%d=1" % n for n in range(MAX_FORM_FIELDS + 1)), "too_many_fields"),
    ],
)
def test_form_of_another_form_is_refused(client: FlaskClient, body: bytes, code: str) -> None:
    check_problem(client.post("/form", data=body, content_type=FORM), 400, code)


def test_form_at_the_limits_is_taken(client: FlaskClient) -> None:
    fields = "&".join(f"f{n}=1" for n in range(MAX_FORM_FIELDS))
    assert len(client.post("/form", data=fields, content_type=FORM).json or {}) == MAX_FORM_FIELDS
    assert client.post("/form", data=b"a=" + b"x" * (MAX_BODY_BYTES - 2), content_type=FORM).status_code == 200
    answer = client.post("/form", data=b"a=" + b"x" * (MAX_BODY_BYTES - 1), content_type=FORM)
    check_problem(answer, 413, "too_large")
    check_problem(client.post("/form", data=b"{}", content_type=JSON), 415, "bad_media_type")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic AAAA", "Bearer A=", "Bearer é", "Bearer " + "A" * 1400]
)
def test_request_without_a_good_token_is_refused(client: FlaskClient, header: str | None) -> None:
    answer = client.get("/token", headers={} if header is None else {"Authorization": header})
    check_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_token_of_another_is_refused(client: FlaskClient) -> None:
    for token in (bytes(32), sample_app.TOKEN[:-1], sample_app.TOKEN + b"x"):
        answer = client.get("/secret", headers={"Authorization": f"Bearer {b64u_encode(token)}"})
        check_problem(answer, 401, "unauthorized")
    answer = client.get("/secret", headers={"Authorization": f"bearer {b64u_encode(sample_app.TOKEN)}"})
    assert answer.status_code == 200


def test_token_in_the_query_is_not_looked_at(client: FlaskClient) -> None:
    check_problem(client.get(f"/secret?access_token={b64u_encode(sample_app.TOKEN)}"), 401, "unauthorized")


def test_our_errors_become_problems(client: FlaskClient) -> None:
    body = check_problem(client.get("/refused"), 410, "revoked")
    assert (body["title"], body["detail"]) == ("Gone", "grant was revoked")
    answer = client.get("/busy")
    check_problem(answer, 503, "no_quorum")
    assert answer.headers["Retry-After"] == "7"


def test_errors_of_the_framework_become_problems(client: FlaskClient) -> None:
    check_problem(client.get("/nowhere"), 404, "not_found")
    check_problem(client.post("/v1/things/x"), 404, "not_found")
    answer = client.put("/v1/things/7")
    check_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_unforeseen_error_tells_the_peer_nothing(client: FlaskClient) -> None:
    answer = client.get("/bug")
    check_problem(answer, 500, "internal")
    assert b"999990019" not in answer.data
    assert b"KeyError" not in answer.data


def test_access_log_names_the_route_and_nothing_that_was_sent(
    client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    client.post("/v1/things/31415?bsn=27182", data=b'{"a":16180,"note":"canary"}', content_type=JSON)
    client.get("/secret", headers={"Authorization": "Bearer Y2FuYXJ5"})
    client.get("/nowhere/31415?bsn=27182")
    client.get("/bug?bsn=27182")
    client.open("/secret", method="BSN-27182")
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [(line["method"], line["route"], line["status"]) for line in lines if line["event"] == "request"]
    assert requests == [
        ("POST", "/v1/things/<int:number>", 201),
        ("GET", "/secret", 401),
        ("GET", "-", 404),
        ("GET", "/bug", 500),
        ("-", "-", 405),
    ]
    assert all(line["room"] == "service" and line["time"] > 0 for line in lines)
    errors = [line for line in lines if line["event"] == "error"]
    assert [error["type"] for error in errors] == ["KeyError"]
    assert "sample_app.py" in errors[0]["place"]
    for canary in ("31415", "27182", "16180", "canary", "Y2FuYXJ5", "999990019"):
        assert canary not in text


def test_no_static_files_are_served_unless_asked_for(client: FlaskClient) -> None:
    check_problem(client.get("/static/app.py"), 404, "not_found")
    assert client.application.static_folder is None


def test_struct_is_answered_without_its_defaults(client: FlaskClient) -> None:
    app: Flask = client.application
    with app.test_request_context():
        assert json_response(sample_app.Thing(1)).json == {"a": 1, "note": ""}


# Errors in the form of a standard.


@pytest.fixture
def own_errors() -> FlaskClient:
    app = make_app("service")

    @app.get("/oauth")
    def oauth() -> Response:
        body = {"error": "invalid_request", "error_description": "a field is missing"}
        return json_response(body, status=400, headers={"WWW-Authenticate": "Bearer"})

    @app.get("/size")
    def size() -> Response:
        return Response("7\n", status=409, content_type="text/x.tlog.size")

    @app.get("/fine")
    def fine() -> Response:
        return json_response({"a": 1})

    return app.test_client()


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, application/problem+json"])
def test_error_of_a_standard_keeps_its_form(own_errors: FlaskClient, accept: str | None) -> None:
    answer = own_errors.get("/oauth", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.mimetype) == (400, JSON)
    assert answer.json["error"] == "invalid_request"


@pytest.mark.parametrize(
    "accept", ["application/problem+json", "application/problem+json, application/json;q=0.5"]
)
def test_error_of_a_standard_is_a_problem_for_who_asks_for_one(own_errors: FlaskClient, accept: str) -> None:
    answer = own_errors.get("/oauth", headers={"Accept": accept})
    assert check_problem(answer, 400, "invalid_request")["detail"] == "a field is missing"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    check_problem(own_errors.get("/size", headers={"Accept": accept}), 409, "conflict")
    assert own_errors.get("/fine", headers={"Accept": accept}).json == {"a": 1}
