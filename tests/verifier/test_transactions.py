"""Transactions of others with a copy (OpenID4VP 1.0 section 8.4): by leave only, signed exactly, else refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_object, sha256
from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest, verify_request_object
from protocol.request_object import sign_request_object
from protocol.terms import CONSENT_TYPE
from tests.verifier.agency import Agency, Wallet, copy_form, error_of
from verifier.reader import take_copy
from verifier.transaction import MAX_ITEM_BYTES, MAX_ITEMS, check_transactions, make_items, parse_item

PAYMENT = "urn:example:payment:1"
SIGNING = "urn:example:signing:1"
PAY = {"type": PAYMENT, "credential_ids": ["adres"], "amount": "12.50", "currency": "EUR", "payee": "Gemeente"}


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """An agency that may ask for two types."""
    return Agency(tmp_path, transaction_types=(PAYMENT, SIGNING))


def opened(agency: Agency, wallet: Wallet, *items: dict[str, Any]) -> tuple[str, VerifiedRequest, list[str]]:
    """The request as a wallet sees it that knows these types, and the elements as they were sent.

    Ours knows none and refuses; so it is shown a request of the same nonce and identifier without them.
    """
    rid, _ = agency.ask(once=True, transactions=items)
    token = agency.web.get(f"/requests/{rid}").text
    payload = parse_object(b64u_decode(token.split(".")[1]))
    sent = payload.pop("transaction_data")
    signer = agency.desk.signer(agency.clock.time)
    known = sign_request_object(payload, signer.key, signer.chain)
    return rid, verify_request_object(known, payload["client_id"], wallet.trust, agency.clock.time), sent


def hashes(*sent: str) -> list[bytes]:
    return [sha256(item.encode()) for item in sent]


def answer(agency: Agency, wallet: Wallet, rid: str, request: VerifiedRequest, **by_name: Any) -> str | None:
    """Our code, or None; `by_name`: what each card signs besides. A refusal changes nothing."""
    token = {
        name: wallet.show(request, **({"transaction_data_hashes": by_name[name]} if name in by_name else {}))[name]
        for name in wallet.show(request)
    }
    before = agency.stored()
    posted = agency.post(rid, copy_form(request, token))
    if posted.status_code == 200:
        assert take_copy(agency.desk, rid)["postcode"] == "1234AB"
        return None
    assert agency.stored() == before
    return error_of(posted)


def test_signed_transaction_is_accepted(agency: Agency, wallet: Wallet) -> None:
    rid, request, sent = opened(agency, wallet, PAY)
    assert parse_object(b64u_decode(sent[0])) == {**PAY, "transaction_data_hashes_alg": ["sha-256"]}
    assert answer(agency, wallet, rid, request, adres=hashes(*sent)) is None


def test_several_transactions_are_each_signed_by_a_card_that_may(agency: Agency, wallet: Wallet) -> None:
    sign = {"type": SIGNING, "credential_ids": ["persoon", "adres"], "document": "besluit"}
    rid, request, sent = opened(agency, wallet, PAY, sign)
    assert answer(agency, wallet, rid, request, adres=hashes(sent[0]), persoon=hashes(sent[1])) is None


@pytest.mark.parametrize(
    "signed",
    [
        {},
        {"persoon": 1},
        {"adres": 1, "persoon": 1},
        {"adres": 0},
        {"adres": 2},
    ],
)
def test_transaction_that_is_not_signed_as_asked_is_refused(
    agency: Agency, wallet: Wallet, signed: dict[str, int]
) -> None:
    """By nobody, by another card, by two, another transaction, and one more than asked."""
    rid, request, sent = opened(agency, wallet, PAY)
    other = b64u_encode(canonical_bytes({**PAY, "amount": "9999.00"}))
    choices = [hashes(other), hashes(*sent), hashes(*sent, other)]
    by_name = {name: choices[which] for name, which in signed.items()}
    assert answer(agency, wallet, rid, request, **by_name) == "bad_transaction"
    assert answer(agency, wallet, rid, request, adres=hashes(*sent)) is None


def test_transaction_may_not_be_signed_by_two_of_the_cards_that_could(agency: Agency, wallet: Wallet) -> None:
    rid, request, sent = opened(agency, wallet, {**PAY, "credential_ids": ["persoon", "adres"]})
    twice = {"adres": hashes(*sent), "persoon": hashes(*sent)}
    assert answer(agency, wallet, rid, request, **twice) == "bad_transaction"
    assert answer(agency, wallet, rid, request, persoon=hashes(*sent)) is None


def test_transaction_signed_twice_does_not_stand_for_one_that_nobody_signed(
    agency: Agency, wallet: Wallet
) -> None:
    """As many signatures as transactions, but both under the harmless one."""
    harmless = {"type": SIGNING, "credential_ids": ["persoon", "adres"], "document": "folder"}
    rid, request, sent = opened(agency, wallet, harmless, PAY)
    twice = {"adres": hashes(sent[0]), "persoon": hashes(sent[0])}
    assert answer(agency, wallet, rid, request, **twice) == "bad_transaction"
    assert answer(agency, wallet, rid, request, adres=hashes(sent[1]), persoon=hashes(sent[0])) is None


def test_transaction_that_nobody_asked_is_refused(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    request = wallet.open(agency, link)
    uncalled = hashes(b64u_encode(canonical_bytes(PAY)))
    assert answer(agency, wallet, rid, request, adres=uncalled) == "bad_transaction"
    assert answer(agency, wallet, rid, request) is None


def test_our_own_wallet_refuses_a_transaction_that_it_does_not_know(agency: Agency, wallet: Wallet) -> None:
    _, link = agency.ask(once=True, transactions=[PAY])
    with pytest.raises(Rejected, match="invalid_transaction_data"):
        wallet.open(agency, link)


@pytest.mark.parametrize(
    "item",
    [
        {**PAY, "type": "urn:example:unknown:1"},
        {**PAY, "type": CONSENT_TYPE},
        {**PAY, "type": None},
        {"credential_ids": ["adres"]},
        {"type": PAYMENT},
        {**PAY, "credential_ids": []},
        {**PAY, "credential_ids": "adres"},
        {**PAY, "credential_ids": ["gezin"]},
        {**PAY, "credential_ids": [["adres"]]},
        {**PAY, "note": "x" * MAX_ITEM_BYTES},
    ],
)
def test_transaction_that_may_not_be_asked_is_refused_at_the_desk(agency: Agency, item: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="bad_wish"):
        agency.ask(once=True, transactions=[item])
    assert not agency.stored()["requests"]


def test_home_that_names_no_types_asks_for_no_transaction(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="bad_wish"):
        Agency(tmp_path).ask(once=True, transactions=[PAY])


def test_consent_type_is_never_one_of_them(agency: Agency) -> None:
    query = agency.desk.store.requests.get(agency.ask(once=True)[0]).request.query
    with pytest.raises(Rejected, match="bad_wish"):
        make_items([{**PAY, "type": CONSENT_TYPE}], query, [CONSENT_TYPE])


def test_number_of_transactions_is_bounded(agency: Agency) -> None:
    items = [{**PAY, "amount": str(number)} for number in range(MAX_ITEMS + 1)]
    assert agency.ask(once=True, transactions=items[:-1])
    with pytest.raises(Rejected, match="bad_wish"):
        agency.ask(once=True, transactions=items)


def test_size_of_a_transaction_is_bounded(agency: Agency) -> None:
    query = agency.desk.store.requests.get(agency.ask(once=True)[0]).request.query
    room = MAX_ITEM_BYTES - len(canonical_bytes({**PAY, "note": "", "transaction_data_hashes_alg": ["sha-256"]}))
    assert make_items([{**PAY, "note": "x" * room}], query, [PAYMENT])
    with pytest.raises(Rejected, match="bad_wish"):
        make_items([{**PAY, "note": "x" * (room + 1)}], query, [PAYMENT])
    parse_item(json.dumps(PAY).encode().ljust(MAX_ITEM_BYTES))
    with pytest.raises(Rejected, match="too_large"):
        parse_item(json.dumps(PAY).encode().ljust(MAX_ITEM_BYTES + 1))


def test_nothing_asked_and_nothing_signed_is_in_order() -> None:
    check_transactions([], {"adres": []})
