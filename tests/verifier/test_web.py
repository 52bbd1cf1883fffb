"""Hostile input at every endpoint: refused with 4xx, never 5xx, in bounded time, and nothing is stored."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import jwe
from protocol.canonical import b64u_encode
from protocol.direct_post import MAX_FORM_BYTES
from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from protocol.presentation import MAX_SEALED_BYTES
from tests.protocol import builders
from tests.verifier.agency import Agency, Wallet, copy_form, error_of
from verifier.web import create

DEEP = "[" * 50_000 + "]" * 50_000


@pytest.fixture
def opened(agency: Agency, wallet: Wallet) -> tuple[str, VerifiedRequest]:
    rid, link = agency.ask()
    return rid, wallet.open(agency, link)


def sealed(request: VerifiedRequest, payload: Any) -> bytes:
    """A well encrypted answer of any content."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    token = jwe.encrypt(data, request.encryption.jwk, enc="A256GCM", apv=b"")
    return f"response={token}".encode()


HOSTILE: list[Any] = [
    b"", b"null", b"[]", b"5", b'"x"', b"\xff", b"{", DEEP.encode(), b'{"vp_token":' + DEEP.encode() + b"}",
    b'{"vp_token":{"adres":["a"]},"vp_token":{}}', b'{"vp_token":{"adres":["a"]},"state":NaN}',
    {"vp_token": 5}, {"vp_token": {"adres": [{}]}}, {"vp_token": {"adres": ["~" * 5000]}},
    {"vp_token": {"adres": ["~".join(["a.b.c"] + ["W10"] * 9000) + "~"]}},
    {"vp_token": {"adres": ["a"]}, "regie_sealed": []},
    {"vp_token": {"adres": ["a"]}, "regie_sealed": {"terms": {}}},
    {"vp_token": {"a" * 9000: ["a"]}}, {"vp_token": {"\ud800": ["a"]}}, b'{"vp_token":{"\\ud800":["a"]}}',
    {"vp_token": {"adres": ["a"]}, "state": 10**400},
]  # fmt: skip


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_answer_is_refused(agency: Agency, opened: tuple[str, VerifiedRequest], payload: Any) -> None:
    before = agency.stored()
    started = time.thread_time()
    answer = agency.post(opened[0], sealed(opened[1], payload))
    assert answer.status_code == 400, answer.text
    assert error_of(answer)
    assert time.thread_time() - started < 1
    assert agency.stored() == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"response=", 400),
        (b"response=a.b.c.d.e", 400),
        (b"response=" + b"." * 100_000, 400),
        (b"response=" + b"A" * (8 * 1024 * 1024), 413),
        (b"&" * 100_000, 400),
        (b"x=1&" * 90_000, 400),
        (b"\x00\xff" * 1000, 400),
        (b"error=access_denied&error=x", 400),
        (b"error=access_denied&state=%ff", 400),
    ],
)
def test_hostile_form_is_refused(agency: Agency, opened: Any, body: bytes, status: int) -> None:
    before = agency.stored()
    assert agency.post(opened[0], body).status_code == status
    assert agency.stored() == before


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
def test_answer_of_another_media_type_is_refused(agency: Agency, opened: Any, content_type: str) -> None:
    assert agency.post(opened[0], b"{}", content_type=content_type).status_code == 415


def test_form_at_its_limit_is_read_and_one_byte_more_is_not(agency: Agency, opened: Any) -> None:
    assert agency.post(opened[0], b"response=".ljust(MAX_FORM_BYTES, b"x")).status_code == 400
    assert agency.post(opened[0], b"response=".ljust(MAX_FORM_BYTES + 1, b"x")).status_code == 413


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_response_endpoint_takes_post_only(agency: Agency, opened: Any, method: str) -> None:
    assert getattr(agency.web, method)(f"/responses/{opened[0]}").status_code == 405


@pytest.mark.parametrize("rid", ["", "x", "..", "%00", "a" * 5000, "é", "' OR 1=1 --"])
def test_unknown_request_is_not_found(agency: Agency, rid: str) -> None:
    for path in (f"/requests/{rid}", f"/answers/{rid}?response_code=x"):
        assert agency.web.get(path).status_code == 404
    assert agency.post(rid, b"response=a").status_code == 404
    inbox = agency.web.post(f"/v1/inbox/{rid}", json={"message": "a.b.c"})
    assert inbox.status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"[]", 400), (b"null", 400), (b"{}", 400), (DEEP.encode(), 400), (b'{"message":5}', 400),
        (b'{"message":"a.b.c","x":1}', 400), (b'{"vp_token":{}}', 400), (b"{" + b"x" * MAX_SEALED_BYTES, 413),
        (b'{"message":"\\ud800"}', 400),
    ],
)  # fmt: skip
def test_hostile_inbox_is_refused(agency: Agency, wallet: Wallet, body: bytes, status: int) -> None:
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    before = agency.stored()
    answer = agency.web.post(f"/v1/inbox/{rid}", data=body, content_type="application/json")
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert agency.stored() == before


def test_wallet_nonce_that_is_no_nonce_is_refused(agency: Agency, opened: Any) -> None:
    for nonce in ("", "x" * 513, "a\nb", "é"):
        answer = agency.web.post(f"/requests/{opened[0]}", data={"wallet_nonce": nonce})
        assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    big = agency.web.post(f"/requests/{opened[0]}", data={"x": "y" * 70_000})
    assert big.status_code == 413


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_member_of_an_honest_answer_can_be_replaced_by_anything(
    agency: Agency, wallet: Wallet, data: st.DataObject
) -> None:
    """One request, one honest answer whose members are replaced at random: refused, and nothing stored."""
    if not hasattr(agency, "honest"):
        rid, link = agency.ask()
        request = wallet.open(agency, link)
        agency.honest = (rid, request, wallet.grant(request))  # type: ignore[attr-defined]
    rid, request, made = agency.honest  # type: ignore[attr-defined]
    form = made.form().decode().removeprefix("response=")
    key = agency.desk.store.requests.get(rid).request.answer_key
    answer = json.loads(jwe.decrypt(form, key))
    parent: Any = None
    place: Any = None
    target: Any = answer
    for _ in range(data.draw(st.integers(0, 5))):
        if isinstance(target, dict | list) and target:
            places = sorted(target) if isinstance(target, dict) else list(range(len(target)))
            parent, place = target, data.draw(st.sampled_from(places))
            target = parent[place]
    junk = data.draw(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=50) | st.just([]) | st.just({})
    )
    if junk == target:
        return
    if parent is None:
        answer = junk
    else:
        parent[place] = junk
    before = agency.stored()
    posted = agency.post(rid, sealed(request, answer))
    assert posted.status_code == 400, posted.text
    assert agency.stored() == before


def test_page_after_the_answer_holds_nothing_and_loads_nothing(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    answer = agency.post(rid, copy_form(request, wallet.show(request)))
    path = json.loads(answer.text)["redirect_uri"].removeprefix("https://agency.voorbeeld.example")
    page = agency.web.get(path)
    assert page.content_type == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "1234AB" not in page.text
    assert "<h1>Gelukt</h1>" in page.text


def test_health_says_that_the_room_is_up(agency: Agency) -> None:
    assert agency.web.get("/healthz").get_json() == {"status": "ok", "room": "verifier"}


def test_no_endpoint_says_more_than_its_code(
    agency: Agency, opened: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    canary = b64u_encode(b"CANARY in everything")
    agency.post(opened[0], f"response={canary}".encode())
    agency.web.get(f"/requests/{canary}")
    agency.web.get(f"/answers/{opened[0]}?response_code={canary}")
    logged = "".join(capfd.readouterr())
    assert canary not in logged
    assert opened[0] not in logged
    assert builders.AGENCY_ID not in logged


def test_app_is_made_from_its_home_alone(agency: Agency) -> None:
    rid, _ = agency.ask()
    app = create(agency.home.path, agency.desk.parts)
    assert app.test_client().get(f"/requests/{rid}").status_code == 200
    with pytest.raises(Rejected, match="no_home"):
        create(agency.path / "elsewhere")
