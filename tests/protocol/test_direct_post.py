"""Plain answers (`direct_post`), never mixed up with encrypted ones: neither passes where the other was asked."""

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from protocol.direct_post import ResponseObject, WalletError, check_state, parse_response_form, plain_form
from protocol.errors import Rejected
from protocol.request_object import dns_client_id, request_payload
from tests.protocol import builders

STATE = "state of the request"


def form(**members: str) -> bytes:
    return urlencode(members).encode()


def test_plain_answer_comes_back_as_it_was_sent() -> None:
    body = plain_form(state=STATE, vp_token={"adres": ["a~b", "c~d"]})
    assert dict(parse_qsl(body.decode())) == {"vp_token": '{"adres":["a~b","c~d"]}', "state": STATE}
    answer = parse_response_form(body, plain=True)
    assert answer == ResponseObject({"adres": ["a~b", "c~d"]}, STATE)
    assert isinstance(answer, ResponseObject)
    check_state(answer, STATE)


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        (form(response="a.b.c.d.e"), True),
        (form(response="a.b.c.d.e", vp_token='{"a":["b"]}', state=STATE), True),
        (form(vp_token='{"a":["b"]}', state=STATE), False),
        (form(response="a.b.c.d.e", vp_token='{"a":["b"]}'), False),
        (form(state=STATE), True),
    ],
)
def test_answer_in_another_response_mode_is_refused(body: bytes, plain: bool) -> None:
    with pytest.raises(Rejected, match="invalid_request"):
        parse_response_form(body, plain=plain)


@pytest.mark.parametrize(
    "vp_token",
    ["", "x", "[]", "5", "{}", '{"a":"b"}', '{"a":[]}', '{"a":[5]}', '{"a":["b"],"a":["c"]}', "[" * 5000],
)
def test_plain_answer_of_bad_form_is_refused(vp_token: str) -> None:
    with pytest.raises(Rejected):
        parse_response_form(form(vp_token=vp_token, state=STATE), plain=True)


def test_plain_error_is_read_like_an_encrypted_one() -> None:
    body = form(error="access_denied", state=STATE)
    assert (
        parse_response_form(body, plain=True) == parse_response_form(body) == WalletError("access_denied", STATE)
    )


@pytest.mark.parametrize("state", [None, "", "another", STATE + " "])
def test_answer_without_the_state_of_the_request_is_refused(state: str | None) -> None:
    answer = parse_response_form(plain_form(state=state, vp_token={"a": ["b"]}), plain=True)
    assert isinstance(answer, ResponseObject)
    with pytest.raises(Rejected, match="state"):
        check_state(answer, STATE)


def test_request_for_a_plain_answer_offers_no_key() -> None:
    members = {
        "client_id": dns_client_id("agency.voorbeeld.example"),
        "response_uri": "https://agency.voorbeeld.example/r",
        "nonce": "n" * 22,
        "state": STATE,
        "query": None,
        "iat": 1,
        "exp": 2,
    }
    plain = request_payload(**members, encryption_key=None)
    assert plain["response_mode"] == "direct_post"
    assert plain["client_id"] == "x509_san_dns:agency.voorbeeld.example"
    assert set(plain["client_metadata"]) == {"vp_formats_supported"}
    assert "verifier_info" not in plain
    sealed = request_payload(**members, encryption_key=builders.HOLDER.public, registrations=["a.b.c"])
    assert sealed["response_mode"] == "direct_post.jwt"
    assert sealed["client_metadata"]["encrypted_response_enc_values_supported"] == ["A256GCM", "A128GCM"]
    (key,) = sealed["client_metadata"]["jwks"]["keys"]
    assert (key["use"], key["alg"], key["kid"]) == ("enc", "ECDH-ES", builders.HOLDER.public.thumbprint())
    assert json.loads(json.dumps(sealed["verifier_info"])) == [{"format": "registration_cert", "data": "a.b.c"}]
