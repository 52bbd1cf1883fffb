"""Coming back with a refresh token: more copies, earlier ones again, and what thieves get (RFC 9700 section
4.14).
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from issuer.config import IssuerConfig
from issuer.issue import DAY
from issuer.renew import MAX_AGAIN, MAX_REFRESHES_A_DAY, RENEWAL_SECONDS
from issuer.web import make_web
from protocol.credential import verify_credential
from protocol.issuer_metadata import BATCH_SIZE
from service.database import sqlite_url
from tests.issuer.desk import KARIM, NOOR, PERSONS, PRE_AUTHORIZED, HolderKey, jwt_parts
from tests.issuer.login import LoginDesk, Wallet, login_desk
from tests.issuer.test_login import at_once, kept

DETAILS = '[{"type":"openid_credential","credential_configuration_id":"adres"}]'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LoginDesk]:
    with login_desk(tmp_path / "issuer") as made:
        yield made


@pytest.fixture
def wallet(desk: LoginDesk) -> Wallet:
    return desk.wallet()


def sets_of(texts: list[str]) -> list[str]:
    return [jwt_parts(text.partition("~")[0])[1]["set"] for text in texts]


def identifiers(tokens: Any) -> list[str]:
    (detail,) = tokens["authorization_details"]
    return list(detail["credential_identifiers"])


# ---- refilling and renewing


def test_wallet_refills_with_copies_in_new_sets(desk: LoginDesk, wallet: Wallet) -> None:
    first = wallet.tokens()
    old = sets_of(wallet.fetch(first["access_token"], count=BATCH_SIZE))
    assert wallet.post_credential(first["access_token"], body(wallet)).status_code == 400  # a batch is a batch
    second = wallet.refresh(first["refresh_token"]).json
    assert (second["token_type"], second["scope"]) == ("DPoP", "persoon")
    new = sets_of(wallet.fetch(second["access_token"], count=BATCH_SIZE))
    assert len(set(old + new)) == 2 * BATCH_SIZE
    assert {item.copies for item in desk.office.issued(NOOR)} == {BATCH_SIZE}


def body(wallet: Wallet, **changes: Any) -> dict[str, Any]:
    return {"credential_configuration_id": "persoon", "proofs": {"jwt": wallet.proofs(1)}, **changes}


def test_resident_who_moved_renews_his_cards_in_their_sets(desk: LoginDesk, wallet: Wallet) -> None:
    first = wallet.tokens(scope=None, authorization_details=DETAILS)
    (mine,) = identifiers(first)
    old = sets_of(wallet.fetch(first["access_token"], mine, 3))
    desk.office.import_persons([PERSONS.read_bytes().splitlines()[0].replace(b"Kersenlaan", b"Pruimenlaan")])
    second = again(wallet, first["refresh_token"], mine).json
    assert identifiers(second) == [mine]
    renewed = wallet.fetch(second["access_token"], mine, 3)
    assert sets_of(renewed) == old
    for text in renewed:
        assert verify_credential(text, desk.trust, desk.clock.now()).claims["straat"] == "Pruimenlaan"
    asked = {"credential_identifier": mine, "proofs": {"jwt": wallet.proofs(1)}}
    assert wallet.post_credential(second["access_token"], asked).json["error"] == "credential_request_denied"

    third = wallet.refresh(second["refresh_token"]).json
    (fresh,) = identifiers(third)  # nothing is issued again unless it is named
    more = sets_of(wallet.fetch(third["access_token"], fresh, 2))
    assert not set(more) & set(old)
    fourth = again(wallet, third["refresh_token"], fresh, mine).json
    assert identifiers(fourth) == [fresh, mine]
    assert sets_of(wallet.fetch(fourth["access_token"], fresh, 2)) == more
    assert sets_of(wallet.fetch(fourth["access_token"], mine, 3)) == old


def again(wallet: Wallet, refresh_token: str, *names: str) -> TestResponse:
    """A refresh that names what is to be issued again."""
    detail = {"type": "openid_credential", "credential_configuration_id": "adres", "credential_identifiers": names}
    return wallet.post_token(
        grant_type="refresh_token", refresh_token=refresh_token, authorization_details=json.dumps([detail])
    )


def test_refresh_names_only_what_was_given_with_it(desk: LoginDesk, wallet: Wallet) -> None:
    first = wallet.tokens(scope=None, authorization_details=DETAILS)
    (mine,) = identifiers(first)
    other = desk.wallet()
    (theirs,) = identifiers(other.tokens(scope=None, authorization_details=DETAILS))
    before = kept(desk)
    for names in (
        (theirs,),
        (mine, theirs),
        (mine.replace("adres", "gezin"),),
        ("adres",),
        (),
        ("x:y",),
        (mine,) * (MAX_AGAIN + 1),
    ):
        assert again(wallet, first["refresh_token"], *names).json["error"] == "invalid_request"
    assert kept(desk) == before
    most = again(wallet, first["refresh_token"], *(mine,) * MAX_AGAIN)
    assert identifiers(most.json) == [mine]  # and the refusals have used nothing up


def test_sets_of_one_resident_never_come_to_another(desk: LoginDesk, wallet: Wallet) -> None:
    first = wallet.tokens(scope=None, authorization_details=DETAILS)
    (mine,) = identifiers(first)
    wallet.fetch(first["access_token"], mine, 2)
    other = desk.wallet()
    stolen = other.redeem(other.code(bsn=KARIM, scope=None, authorization_details=DETAILS)).json
    twice = desk.wallet()  # the same resident, but another wallet of his
    own = twice.tokens(scope=None, authorization_details=DETAILS)
    before = kept(desk)
    for thief, tokens in ((other, stolen), (twice, own)):
        asked = {"credential_identifier": mine, "proofs": {"jwt": thief.proofs(1)}}
        answer = thief.post_credential(tokens["access_token"], asked)
        assert answer.json["error"] == "unknown_credential_identifier"
    assert kept(desk) == before


def test_renewed_cards_keep_the_level_of_the_login(desk: LoginDesk, wallet: Wallet) -> None:
    tokens = wallet.redeem(wallet.code(level="urn:example:login:low")).json
    (text,) = wallet.fetch(wallet.refresh(tokens["refresh_token"]).json["access_token"])
    assert jwt_parts(text.partition("~")[0])[1]["loa"] == "low"


def test_wallet_of_the_desk_that_shows_a_key_may_come_back(desk: LoginDesk, wallet: Wallet) -> None:
    code, tx_code = desk.offer("persoon")
    form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, "tx_code": tx_code}
    tokens = wallet.post_token({"DPoP": wallet.dpop("/token")}, **form).json
    shown = {"DPoP": wallet.dpop("/token")}
    again = wallet.refresh(tokens["refresh_token"], shown)
    assert (again.status_code, again.json["token_type"]) == (200, "DPoP")
    asked = body(wallet, proofs={"jwt": desk.proofs(2)})
    assert wallet.post_credential(again.json["access_token"], asked).status_code == 200


def test_refill_keeps_the_level_at_which_the_desk_looked(desk: LoginDesk, wallet: Wallet) -> None:
    """A desk that looks closer from now on has not looked closer at whom it saw before."""
    code, tx_code = desk.offer("persoon")
    form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, "tx_code": tx_code}
    desk.office.signer = dataclasses.replace(desk.office.signer, loa="low")
    first = wallet.post_token({"DPoP": wallet.dpop("/token")}, **form).json
    desk.office.signer = dataclasses.replace(desk.office.signer, loa="high")
    second = wallet.post_token(
        {"DPoP": wallet.dpop("/token")}, grant_type="refresh_token", refresh_token=first["refresh_token"]
    ).json
    for tokens in (first, second):
        asked = body(wallet, proofs={"jwt": desk.proofs(1)})
        answer = wallet.post_credential(tokens["access_token"], asked).json["credentials"]
        assert jwt_parts(answer[0]["credential"].partition("~")[0])[1]["loa"] == "low"


def test_bearer_wallet_gets_no_refresh_token(desk: LoginDesk) -> None:
    assert "refresh_token" not in desk.post_token(*desk.offer("persoon")).json


def test_notification_is_taken_with_a_later_token(desk: LoginDesk, wallet: Wallet) -> None:
    first = wallet.tokens()
    answer = wallet.post_credential(first["access_token"], body(wallet))
    second = wallet.refresh(first["refresh_token"]).json["access_token"]
    notice = {"notification_id": answer.json["notification_id"], "event": "credential_deleted"}
    headers = wallet.resource("/notification", second)
    assert desk.client.post("/notification", json=notice, headers=headers).status_code == 204


# ---- ends


def test_refresh_tokens_end_with_the_cards(desk: LoginDesk, wallet: Wallet) -> None:
    tokens = wallet.tokens()
    desk.clock.time += RENEWAL_SECONDS - 1
    tokens = wallet.refresh(tokens["refresh_token"]).json
    desk.clock.time += 1
    assert wallet.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_revocation_ends_the_renewal(desk: LoginDesk, wallet: Wallet) -> None:
    tokens = wallet.tokens()
    wallet.fetch(tokens["access_token"], count=2)
    (issued,) = desk.office.issued(NOOR)
    assert desk.office.revoke(issued.offer_id, "telefoon gestolen") == (2, 2)
    assert wallet.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert wallet.post_credential(tokens["access_token"], body(wallet)).status_code == 401
    assert (desk.rows()["renewals"], desk.rows()["tokens"]) == (0, 0)


def test_no_more_than_so_many_refreshes_a_day(desk: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["refresh_token"]
    for _ in range(MAX_REFRESHES_A_DAY):
        token = wallet.refresh(token).json["refresh_token"]
    before = kept(desk)
    assert wallet.refresh(token).json["error"] == "invalid_request"
    assert kept(desk) == before
    desk.clock.time += DAY
    assert wallet.refresh(token).status_code == 200  # and it has not died of being refused


# ---- thieves


def test_lost_answer_is_repeated_and_gives_the_same_next_token(wallet: Wallet) -> None:
    first = wallet.tokens()["refresh_token"]
    lost = wallet.refresh(first).json
    again = wallet.refresh(first).json
    assert again["refresh_token"] == lost["refresh_token"]
    assert wallet.fetch(again["access_token"])
    assert wallet.refresh(again["refresh_token"]).status_code == 200


def test_replayed_refresh_token_ends_everything(desk: LoginDesk, wallet: Wallet) -> None:
    first = wallet.tokens()["refresh_token"]
    second = wallet.refresh(first).json["refresh_token"]
    third = wallet.refresh(second).json
    assert wallet.refresh(first).json["error"] == "invalid_grant"
    assert (desk.rows()["renewals"], desk.rows()["tokens"]) == (0, 0)
    assert wallet.refresh(third["refresh_token"]).json["error"] == "invalid_grant"
    assert wallet.post_credential(third["access_token"], body(wallet)).status_code == 401


def test_stolen_refresh_token_is_of_no_use_without_the_keys(desk: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["refresh_token"]
    before = kept(desk)
    thief = desk.wallet()
    half = desk.wallet(key=wallet.key)  # who has the attested key, but not the DPoP key
    for one in (thief, half, desk.wallet(dpop_key=wallet.dpop_key)):
        assert one.refresh(token).json["error"] == "invalid_grant"
    assert wallet.refresh(token, {"DPoP": wallet.dpop("/token")}).json["error"] == "invalid_grant"
    assert wallet.refresh(token, {}).json["error"] == "invalid_dpop_proof"
    assert kept(desk) == before
    assert wallet.refresh(token).status_code == 200


@pytest.mark.parametrize("token", ["x", "A" * 48, "", "%00"])
def test_made_up_refresh_token_is_refused(desk: LoginDesk, wallet: Wallet, token: str) -> None:
    wallet.tokens()
    before = kept(desk)
    assert wallet.refresh(token).json["error"] in ("invalid_grant", "invalid_request")
    assert kept(desk) == before


def test_number_in_a_refresh_token_cannot_be_raised(desk: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["refresh_token"]
    before = kept(desk)
    for place in range(0, len(token) - 1, 5):
        changed = token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
        assert wallet.refresh(changed).json["error"] == "invalid_grant"
    assert kept(desk) == before


def test_refreshes_at_once_leave_one_line_of_tokens(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", database=sqlite_url(tmp_path / "issuer.db")) as desk:
        wallet = desk.wallet()
        token = wallet.tokens()["refresh_token"]
        shown = [wallet.headers("/token") for _ in range(4)]
        answers = at_once(lambda headers: wallet.refresh(token, headers).json["refresh_token"], shown)
        assert len(set(answers)) == 1


def test_stolen_database_holds_no_token_that_can_be_used(desk: LoginDesk, wallet: Wallet) -> None:
    pushed = wallet.push().json["request_uri"]
    code = wallet.browse(pushed)["code"]
    tokens = wallet.redeem(code).json
    raw = desk.office.engine.raw_connection()
    dump = "\n".join(str(line) for line in raw.driver_connection.iterdump())  # type: ignore[union-attr]
    secrets = (pushed.rpartition(":")[2], code, tokens["access_token"], tokens["refresh_token"], wallet.verifier)
    for secret in secrets:
        assert secret not in dump


# ---- tokens that are bound


def test_bound_token_is_never_taken_as_bearer(desk: LoginDesk, wallet: Wallet) -> None:
    """DPoP downgrade: whoever steals the token shows it without the key."""
    token = wallet.tokens()["access_token"]
    before = kept(desk)
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {token}", "DPoP": wallet.dpop("/credential", token)},
        {"Authorization": f"DPoP {token}"},
    ):
        answer = wallet.post_credential(token, body(wallet), headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].partition(" ")[0] == headers["Authorization"].partition(" ")[0]
    assert kept(desk) == before


def test_bearer_token_is_never_taken_as_bound(desk: LoginDesk, wallet: Wallet) -> None:
    token = desk.token()
    assert wallet.post_credential(token, body(wallet)).json["error"] == "invalid_token"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"nonce": None}, "use_dpop_nonce"),
        ({"nonce": "made-up"}, "use_dpop_nonce"),
        ({"htm": "GET"}, "invalid_dpop_proof"),
        ({"htu": "https://other.example/credential"}, "invalid_dpop_proof"),
        ({"htu": "https://issuer.voorbeeld.example/token"}, "invalid_dpop_proof"),
        ({"ath": "A" * 43}, "invalid_dpop_proof"),
        ({"ath": None}, "invalid_dpop_proof"),
        ({"jti": None}, "invalid_dpop_proof"),
        ({"iat": 1}, "invalid_dpop_proof"),
        ({"key": HolderKey()}, "invalid_token"),
    ],
)
def test_proof_for_another_request_or_by_another_key_is_refused(
    desk: LoginDesk, wallet: Wallet, changes: dict[str, Any], error: str
) -> None:
    token = wallet.tokens()["access_token"]
    before = kept(desk)
    answer = wallet.post_credential(token, body(wallet), wallet.resource("/credential", token, **changes))
    assert (answer.status_code, answer.json["error"]) == (401, error)
    assert f'error="{error}"' in answer.headers["WWW-Authenticate"]
    assert kept(desk) == before
    if error == "use_dpop_nonce":  # the answer brings what is needed to ask again
        headers = wallet.resource("/credential", token, nonce=answer.headers["DPoP-Nonce"])
        assert wallet.post_credential(token, body(wallet), headers).status_code == 200


def test_replayed_dpop_proof_is_refused(desk: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    headers = wallet.resource("/credential", token)
    assert wallet.post_credential(token, body(wallet), headers).status_code == 200
    before = kept(desk)
    assert wallet.post_credential(token, body(wallet), headers).json["error"] == "invalid_dpop_proof"
    assert kept(desk) == before


def test_nonces_for_one_use_serve_no_other(desk: LoginDesk, wallet: Wallet) -> None:
    assert desk.client.post("/challenge").headers["DPoP-Nonce"]  # both come with one question
    for nonce in (desk.nonce(), wallet.challenge()):
        headers = wallet.headers("/par", DPoP=wallet.dpop("/par", nonce=nonce))
        assert wallet.push(headers).json["error"] == "use_dpop_nonce"
    for challenge in (desk.nonce(), wallet.dpop_nonce(), "made-up"):
        headers = {**wallet.headers("/par"), "OAuth-Client-Attestation-PoP": wallet.pop(challenge=challenge)}
        answer = wallet.push(headers)
        assert (answer.status_code, answer.json["error"]) == (400, "use_attestation_challenge")
    fresh = {**wallet.headers("/par"), "OAuth-Client-Attestation-PoP": None}
    fresh["OAuth-Client-Attestation-PoP"] = wallet.pop(
        challenge=answer.headers["OAuth-Client-Attestation-Challenge"]
    )
    assert wallet.push(fresh).status_code == 201


def test_replayed_attestation_proof_is_refused(desk: LoginDesk, wallet: Wallet) -> None:
    headers = wallet.headers("/par")
    assert wallet.push(headers).status_code == 201
    before = kept(desk)
    again = wallet.push({**headers, "DPoP": wallet.dpop("/par")})
    assert (again.status_code, again.json["error"]) == (401, "invalid_client_attestation")
    assert kept(desk) == before


def test_wallet_that_nobody_attests_is_refused(desk: LoginDesk, wallet: Wallet) -> None:
    before = kept(desk)
    for missing in ("OAuth-Client-Attestation", "OAuth-Client-Attestation-PoP"):
        answer = wallet.push({**wallet.headers("/par", **{missing: ""})})
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    stranger = type(desk.maker)()
    desk.maker, known = stranger, desk.maker
    assert wallet.push().json["error"] == "invalid_client_attestation"
    desk.maker = known
    assert kept(desk) == before


def test_issuer_without_login_takes_no_request(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer") as desk:
        desk.client = make_plain(desk)
        answer = desk.client.post("/par", data={"response_type": "code"})
        assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
        assert desk.client.get("/authorize?client_id=x&request_uri=y").status_code == 400


def make_plain(desk: LoginDesk) -> Any:
    """The same issuer, whose configuration names no provider."""
    config = IssuerConfig(role="issuer", url=desk.url, name="Gemeente Lindehaven")
    return make_web(config, desk.office).test_client()
