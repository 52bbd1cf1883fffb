"""Wallets of others: asked by x509_san_dns or for a plain answer where a home says so, never by accident."""

import json
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode

import pytest

from protocol.canonical import b64u_decode, b64u_encode
from protocol.direct_post import EncryptionKey, encrypt_response
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.openid4vp import VerifiedRequest
from protocol.registration_certificate import REGISTRATION_TYP, intended_use_id
from tests.protocol import builders
from tests.verifier.agency import URL, Agency, Wallet, copy_form, error_of
from verifier.reader import take_copy
from verifier.signing import REGISTRATION


def payload_of(agency: Agency, rid: str) -> dict[str, Any]:
    """The request object as it is served."""
    found: dict[str, Any] = json.loads(b64u_decode(agency.web.get(f"/requests/{rid}").text.split(".")[1]))
    return found


def opened(agency: Agency, **wish: Any) -> tuple[str, Wallet, VerifiedRequest]:
    wallet = Wallet(agency.clock, agency.log)
    rid, link = agency.ask(**{"once": True, **wish})
    return rid, wallet, wallet.open(agency, link)


# --- client identifiers ----------------------------------------------------------------------------------------


def test_client_is_named_by_its_host_where_the_home_says_so(tmp_path: Path) -> None:
    agency = Agency(tmp_path, client_id_prefix="x509_san_dns")
    rid, wallet, request = opened(agency)
    assert request.client_id == f"x509_san_dns:{builders.AGENCY_HOST}"
    assert request.asker.id == builders.AGENCY_ID
    assert agency.post(rid, copy_form(request, wallet.show(request))).status_code == 200
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


def test_holder_who_signed_for_the_other_name_of_the_agency_is_refused(tmp_path: Path) -> None:
    """The audience is the identifier of this very request, with its prefix."""
    agency = Agency(tmp_path, client_id_prefix="x509_san_dns")
    rid, wallet, request = opened(agency)
    before = agency.stored()
    for audience in (builders.AGENCY.client_id, builders.AGENCY_HOST, f"x509_hash:{builders.AGENCY_HOST}"):
        answer = agency.post(rid, copy_form(request, wallet.show(request, audience=audience)))
        assert (answer.status_code, error_of(answer)) == (400, "wrong_audience")
    assert agency.stored() == before


def test_standing_access_is_asked_as_haip_has_it_whatever_the_home_says(tmp_path: Path) -> None:
    agency = Agency(tmp_path, client_id_prefix="x509_san_dns", response_mode="direct_post")
    rid, wallet, request = opened(agency, once=False)
    assert request.client_id == builders.AGENCY.client_id
    assert payload_of(agency, rid)["response_mode"] == "direct_post.jwt"
    assert agency.post(rid, wallet.grant(request).form()).status_code == 200


def test_certificate_without_the_host_of_the_url_cannot_ask_by_host(tmp_path: Path) -> None:
    agency = Agency(tmp_path, client_id_prefix="x509_san_dns", url="https://elsewhere.voorbeeld.example")
    with pytest.raises(Rejected, match="bad_config"):
        agency.ask(once=True)
    assert not agency.stored()["requests"]


def test_request_of_a_leaf_that_was_replaced_has_ended(agency: Agency) -> None:
    rid, _ = agency.ask(once=True)
    other = builders.party("agency", san_dns="other.voorbeeld.example")
    assert agency.desk.signer(builders.NOW).is_client(agency.desk.store.requests.get(rid).request.client_id)
    agency.home.write_public("signing.der", other.leaf)
    answer = agency.web.get(f"/requests/{rid}")
    assert (answer.status_code, error_of(answer)) == (410, "request_ended")


# --- response modes --------------------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Agency:
    """An agency that asks for plain answers."""
    return Agency(tmp_path, response_mode="direct_post")


def test_plain_answer_is_taken_where_it_was_asked(plain: Agency) -> None:
    rid, wallet, request = opened(plain)
    assert "jwks" not in payload_of(plain, rid)["client_metadata"]
    assert request.encryption is None
    body = copy_form(request, wallet.show(request))
    assert body.startswith(b"vp_token=")
    assert plain.post(rid, body).status_code == 200
    assert take_copy(plain.desk, rid)["postcode"] == "1234AB"


def test_plain_answer_where_encryption_was_asked_is_refused(agency: Agency) -> None:
    rid, wallet, request = opened(agency)
    before = agency.stored()
    body = urlencode({"vp_token": json.dumps(wallet.show(request)), "state": request.state}).encode()
    answer = agency.post(rid, body)
    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    assert agency.stored() == before


def test_encrypted_answer_where_a_plain_one_was_asked_is_refused(plain: Agency) -> None:
    """To a key of ours that no request offers: somebody else made it up."""
    rid, wallet, request = opened(plain)
    before = plain.stored()
    key = plain.desk.store.requests.get(rid).request.answer_key
    found = EncryptionKey({**key.public.jwk(), "alg": "ECDH-ES", "use": "enc"}, "A256GCM")
    body = encrypt_response(found, nonce=request.nonce, state=request.state, vp_token=wallet.show(request))
    answer = plain.post(rid, body)
    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    assert plain.stored() == before


def test_plain_answer_without_the_state_of_the_request_is_refused(plain: Agency) -> None:
    rid, wallet, request = opened(plain)
    before = plain.stored()
    for state in ("another", "", None):
        answer = plain.post(rid, copy_form(request, wallet.show(request), state=state))
        assert (answer.status_code, error_of(answer)) == (400, "invalid_request")
    assert plain.stored() == before


@pytest.mark.parametrize(
    "vp_token",
    ["", "null", "[]", '{"adres":"x"}', '{"adres":[]}', '{"adres":[1]}', "[" * 50_000, '{"adres":["a~"]}'],
)
def test_hostile_plain_answer_is_refused(plain: Agency, vp_token: str) -> None:
    rid, _, request = opened(plain)
    before = plain.stored()
    answer = plain.post(rid, urlencode({"vp_token": vp_token, "state": request.state}).encode())
    assert answer.status_code == 400
    assert error_of(answer)
    assert plain.stored() == before


def test_answers_of_two_modes_do_not_mix_after_the_configuration_changed(plain: Agency, tmp_path: Path) -> None:
    """A request is answered as it was asked, also after the home was configured anew."""
    rid, wallet, request = opened(plain)
    plain.home.write_config(type(plain.desk.config)(**{**_members(plain), "response_mode": "direct_post.jwt"}))
    plain.start()
    assert plain.post(rid, copy_form(request, wallet.show(request))).status_code == 200


def _members(agency: Agency) -> dict[str, Any]:
    return {name: getattr(agency.desk.config, name) for name in agency.desk.config.__struct_fields__}


# --- replay ----------------------------------------------------------------------------------------------------


def test_replayed_nonce_in_a_race_is_accepted_once(agency: Agency) -> None:
    """Eight answers to one request at the same moment: one is stored, the others find it answered."""
    rid, wallet, request = opened(agency)
    bodies = [copy_form(request, wallet.show(request)) for _ in range(8)]
    ready, outcomes = Barrier(len(bodies)), []

    def send(body: bytes) -> None:
        ready.wait()
        answer = agency.app.test_client().post(
            f"/responses/{rid}", data=body, content_type="application/x-www-form-urlencoded"
        )
        outcomes.append((answer.status_code, "" if answer.status_code == 200 else error_of(answer)))

    threads = [Thread(target=send, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [(200, "")] + [(400, "already_answered")] * 7
    assert len(agency.stored()["copies"]) == 1
    assert [one.verdict.accepted for one in agency.desk.store.verdicts.of(rid)] == [True]
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


# --- registration certificates ---------------------------------------------------------------------------------


def registration(use: str | None) -> str:
    """Form is all that the agency looks at: whoever is asked verifies it."""
    members = {"sub": builders.AGENCY_ID, "iat": builders.NOW} | ({"intended_use_id": use} if use else {})
    return sign_jws(members, builders.REGISTRAR, typ=REGISTRATION_TYP, header={"x5c": builders.AGENCY.x5c})


def test_registration_certificate_of_the_service_goes_with_its_requests(agency: Agency) -> None:
    ours = intended_use_id(builders.AGENCY_ID, builders.SERVICE_ID, 1)
    other = intended_use_id(builders.AGENCY_ID, "another", 1)
    tokens = [registration(ours), registration(other), registration(None)]
    agency.home.write_public(REGISTRATION, "\n".join(tokens).encode())
    for once in (True, False):
        rid, _ = agency.ask(once=once)
        assert payload_of(agency, rid)["verifier_info"] == [
            {"format": "registration_cert", "data": tokens[0]},
            {"format": "registration_cert", "data": tokens[2]},
        ]


def test_home_without_a_registration_certificate_shows_none(agency: Agency) -> None:
    assert "verifier_info" not in payload_of(agency, agency.ask(once=True)[0])


@pytest.mark.parametrize("text", ["x", "a.b.c", b64u_encode(b"{}") + ".e30.AA"])
def test_file_that_is_no_registration_certificate_stops_asking(agency: Agency, text: str) -> None:
    agency.home.write_public(REGISTRATION, text.encode())
    with pytest.raises(Rejected):
        agency.ask(once=True)
    assert not agency.stored()["requests"]


def test_addresses_of_a_request_lie_under_the_url_of_the_home(agency: Agency) -> None:
    rid, _ = agency.ask(once=True)
    assert payload_of(agency, rid)["response_uri"] == f"{URL}/responses/{rid}"
