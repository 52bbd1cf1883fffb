"""Credentials that come later (OpenID4VCI 1.0 section 9): a clerk looks at the record first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from issuer.brp import Bsn
from issuer.defer import DEFERRED_SECONDS, MAX_WAITING
from issuer.offer import TOKEN_SECONDS
from protocol.credential import verify_credential
from protocol.errors import Rejected
from service.database import sqlite_url
from tests.issuer.desk import KARIM, NOOR, PERSONS, Desk, HolderKey, jwt_parts
from tests.issuer.login import LoginDesk, Wallet, login_desk
from tests.issuer.test_login import at_once, kept


@pytest.fixture
def held(tmp_path: Path) -> Iterator[LoginDesk]:
    """A desk that holds Noor's record."""
    with login_desk(tmp_path / "issuer") as made:
        made.office.hold(NOOR, "adres in onderzoek")
        yield made


@pytest.fixture
def wallet(held: LoginDesk) -> Wallet:
    return held.wallet()


def ask(wallet: Wallet, token: str, count: int = 1, name: str = "persoon") -> TestResponse:
    body = {"credential_configuration_id": name, "proofs": {"jwt": wallet.proofs(count)}}
    return wallet.post_credential(token, body)


def poll(wallet: Wallet, token: str, transaction: Any) -> TestResponse:
    headers = wallet.resource("/deferred-credential", token)
    return wallet.desk.client.post("/deferred-credential", json={"transaction_id": transaction}, headers=headers)


def test_wallet_waits_for_the_clerk_and_gets_its_cards(held: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    keys, nonce = [HolderKey() for _ in range(3)], held.nonce()
    proofs = [key.proof(held.url, nonce, held.clock.now()) for key in keys]
    answer = wallet.post_credential(token, {"credential_configuration_id": "persoon", "proofs": {"jwt": proofs}})
    assert (answer.status_code, answer.mimetype) == (202, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) == {"transaction_id", "interval"}
    assert answer.json["interval"] > 0
    waiting = poll(wallet, token, answer.json["transaction_id"])
    assert (waiting.status_code, waiting.json) == (202, answer.json)
    assert held.rows()["copies"] == 0

    (one,) = held.office.waiting()
    assert one.configurations == ("persoon",)
    held.office.approve(one.offer_id)
    assert held.office.waiting() == []
    done = poll(wallet, token, answer.json["transaction_id"])
    assert (done.status_code, set(done.json)) == (200, {"credentials"})
    texts = [item["credential"] for item in done.json["credentials"]]
    assert [jwt_parts(text.partition("~")[0])[1]["cnf"]["jwk"] for text in texts] == [key.jwk for key in keys]
    assert wallet.fetch(token, "persoon")  # and nobody is held any longer


def test_cards_hold_what_the_register_says_when_they_are_issued(held: LoginDesk, wallet: Wallet) -> None:
    tokens = wallet.tokens(scope="adres")
    transaction = ask(wallet, tokens["access_token"], name="adres").json["transaction_id"]
    line = PERSONS.read_bytes().splitlines()[0].replace(b"Kersenlaan", b"Pruimenlaan")
    held.office.import_persons([line])
    held.office.approve(held.office.waiting()[0].offer_id)
    held.clock.time += TOKEN_SECONDS
    assert poll(wallet, tokens["access_token"], transaction).status_code == 401
    later = wallet.refresh(tokens["refresh_token"]).json["access_token"]  # a day later, with a token of then
    (item,) = poll(wallet, later, transaction).json["credentials"]
    found = verify_credential(item["credential"], held.trust, held.clock.now())
    assert found.claims["straat"] == "Pruimenlaan"


def test_transaction_is_answered_once(held: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    transaction = ask(wallet, token).json["transaction_id"]
    held.office.approve(held.office.waiting()[0].offer_id)
    assert poll(wallet, token, transaction).status_code == 200
    before = kept(held)
    again = poll(wallet, token, transaction)
    assert (again.status_code, again.json["error"]) == (400, "invalid_transaction_id")
    assert kept(held) == before


def test_transaction_polled_by_four_at_once_is_answered_once(tmp_path: Path) -> None:
    with login_desk(tmp_path / "issuer", database=sqlite_url(tmp_path / "issuer.db")) as desk:
        desk.office.hold(NOOR, "adres in onderzoek")
        wallet = desk.wallet()
        token = wallet.tokens()["access_token"]
        transaction = ask(wallet, token).json["transaction_id"]
        desk.office.approve(desk.office.waiting()[0].offer_id)
        statuses = at_once(lambda _: poll(wallet, token, transaction).status_code, [None] * 4)
        assert statuses.count(200) == 1
        assert desk.rows()["copies"] == 1


@pytest.mark.parametrize("made_up", ["x", "A" * 43, "0" * 32, "", "\x00", 5, None])
def test_made_up_transaction_is_refused(held: LoginDesk, wallet: Wallet, made_up: Any) -> None:
    token = wallet.tokens()["access_token"]
    ask(wallet, token)
    before = kept(held)
    answer = poll(wallet, token, made_up)
    assert answer.status_code == 400
    assert answer.json["error"] in ("invalid_transaction_id", "invalid_credential_request")
    assert kept(held) == before


def test_transaction_of_another_wallet_is_unknown(held: LoginDesk, wallet: Wallet) -> None:
    transaction = ask(wallet, wallet.tokens()["access_token"]).json["transaction_id"]
    held.office.approve(held.office.waiting()[0].offer_id)
    other = held.wallet()
    token = other.redeem(other.code(bsn=KARIM)).json["access_token"]
    before = kept(held)
    assert poll(other, token, transaction).json["error"] == "invalid_transaction_id"
    assert kept(held) == before


def test_denied_request_stays_denied_and_its_resident_held(held: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    transaction = ask(wallet, token).json["transaction_id"]
    held.office.deny(held.office.waiting()[0].offer_id, "klopt niet")
    answer = poll(wallet, token, transaction)
    assert (answer.status_code, answer.json["error"]) == (400, "credential_request_denied")
    assert "klopt niet" not in answer.text
    assert ask(wallet, token).status_code == 202
    assert held.rows()["copies"] == 0


def test_clerk_who_comes_too_late_finds_nothing_to_issue(held: LoginDesk, wallet: Wallet) -> None:
    tokens = wallet.tokens()
    transaction = ask(wallet, tokens["access_token"]).json["transaction_id"]
    held.office.approve(held.office.waiting()[0].offer_id)
    held.clock.time += DEFERRED_SECONDS
    token = wallet.refresh(tokens["refresh_token"]).json["access_token"]
    assert poll(wallet, token, transaction).json["error"] == "invalid_transaction_id"


def test_requests_that_wait_are_few(held: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    for _ in range(MAX_WAITING):
        assert ask(wallet, token).status_code == 202
    before = kept(held)
    assert ask(wallet, token).json["error"] == "credential_request_denied"
    assert kept(held) == before


def test_what_was_not_authorized_does_not_wait_either(held: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    before = kept(held)
    assert ask(wallet, token, name="adres").json["error"] == "credential_request_denied"
    assert kept(held) == before


def test_revocation_ends_what_waits(held: LoginDesk, wallet: Wallet) -> None:
    token = wallet.tokens()["access_token"]
    transaction = ask(wallet, token).json["transaction_id"]
    offer_id = held.office.waiting()[0].offer_id
    held.office.revoke(offer_id, "verloren")
    assert held.office.waiting() == []
    assert poll(wallet, token, transaction).status_code == 401
    with pytest.raises(Rejected, match="unknown_id"):
        held.office.approve(offer_id)


def test_bearer_wallet_of_the_desk_waits_too(held: LoginDesk) -> None:
    token = held.token()
    headers = {"Authorization": f"Bearer {token}"}
    answer = held.post_credential(token, "persoon", held.proofs(1))
    assert answer.status_code == 202
    held.office.approve(held.office.waiting()[0].offer_id)
    done = held.client.post(
        "/deferred-credential", json={"transaction_id": answer.json["transaction_id"]}, headers=headers
    )
    assert len(done.json["credentials"]) == 1


def test_hold_is_for_one_resident_and_outlives_an_import(desk: Desk) -> None:
    desk.office.hold(NOOR, "in onderzoek")
    desk.office.import_persons(PERSONS.read_bytes().splitlines())
    assert desk.post_credential(desk.token(), "persoon", desk.proofs(1)).status_code == 202
    assert desk.fetch(desk.token(bsn=KARIM), "persoon")
    assert desk.office.release(NOOR) is True
    assert desk.office.release(NOOR) is False
    assert desk.fetch(desk.token(), "persoon")
    with pytest.raises(Rejected, match="unknown_person"):
        desk.office.hold(Bsn("999993653"), "onbekend")
