"""Receiving cards: offers of strangers, and an issuer that lies."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.openid4vci import offer_link, offer_reference_link
from protocol.status_list import StatusReference
from tests.protocol import builders
from tests.protocol.builders import ADRES, ISSUER_ID, NOW, PERSOON
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import TX_CODE, Neighbours
from wallet.card import claims_of
from wallet.errand_grant import grant
from wallet.errand_receive import receive
from wallet.records import Choice


def refuses(resident: Resident, link: str, code: str | None, tx_code: str | None = TX_CODE) -> Rejected:
    """The refusal; nothing may be in the vault afterwards."""
    with resident.open() as wallet, pytest.raises(Rejected) as refusal:
        receive(wallet, link, tx_code)
    if code is not None:
        assert refusal.value.code == code
    with resident.open() as wallet:
        assert wallet.copies() == {}
    assert "Dorpsstraat" not in str(refusal.value)
    return refusal.value


def test_resident_receives_several_types_in_one_offer(resident: Resident, neighbours: Neighbours) -> None:
    with resident.open() as wallet:
        received = receive(wallet, neighbours.issuer.link("persoon", "adres"), TX_CODE)
        copies = list(wallet.copies().values())
    assert [(item.configuration, item.copies) for item in received] == [("persoon", 4), ("adres", 4)]
    assert len(copies) == 8
    assert len({copy.set_id for copy in copies}) == 4
    assert {copy.agency for copy in copies} == {None}
    assert neighbours.issuer.notified == [("n-persoon", "credential_accepted"), ("n-adres", "credential_accepted")]


def test_resident_receives_an_offer_by_reference(resident: Resident, neighbours: Neighbours) -> None:
    with resident.open() as wallet:
        assert len(receive(wallet, neighbours.issuer.reference(), TX_CODE)) == 3


def test_wallet_fetches_nothing_for_an_offer_of_an_unlisted_issuer(
    resident: Resident, neighbours: Neighbours
) -> None:
    stranger = neighbours.issuer.offer()
    changed = type(stranger)("https://evil.example", stranger.credential_configuration_ids, stranger.grants)
    refuses(resident, offer_link(changed), "unknown_issuer")
    refuses(resident, offer_reference_link("https://evil.example/offers/1"), "unknown_issuer")
    refuses(resident, offer_reference_link("https://issuer.voorbeeld.example.evil.example/1"), "unknown_issuer")
    refuses(resident, offer_reference_link("http://issuer.voorbeeld.example/offers/1"), "unknown_issuer")
    assert neighbours.calls == []


def test_wallet_refuses_offer_at_one_listed_issuer_that_names_another(
    resident: Resident, neighbours: Neighbours
) -> None:
    other = builders.issuer(id="https://other.voorbeeld.example")
    resident.write_trust(issuers=[builders.issuer(), other], version=2)
    offer = neighbours.issuer.offer()
    named = type(offer)(other.id, offer.credential_configuration_ids, offer.grants)
    neighbours.issuer.offer = lambda *names, **options: named  # type: ignore[method-assign]
    refuses(resident, neighbours.issuer.reference(), "bad_offer")


@pytest.mark.parametrize("link", ["", "https://example.org", "openid-credential-offer://?x=1", "x" * 20_000])
def test_wallet_refuses_what_is_no_offer(resident: Resident, neighbours: Neighbours, link: str) -> None:
    refuses(resident, link, "bad_offer")
    assert neighbours.calls == []


def test_wallet_asks_for_the_code_before_it_calls_anybody(resident: Resident, neighbours: Neighbours) -> None:
    refuses(resident, neighbours.issuer.link(), "need_tx_code", tx_code=None)
    assert neighbours.calls == []


def test_wrong_code_is_the_issuers_refusal(resident: Resident, neighbours: Neighbours) -> None:
    refuses(resident, neighbours.issuer.link(), "invalid_grant", tx_code="000000")


def test_wallet_refuses_endpoints_at_somebody_elses_address(resident: Resident, neighbours: Neighbours) -> None:
    for name in ("credential_endpoint", "nonce_endpoint", "notification_endpoint"):
        neighbours.issuer.metadata_changes = {name: "https://evil.example/take"}
        refuses(resident, neighbours.issuer.link(), "bad_metadata")
    assert not any("evil" in url for _, url in neighbours.calls)
    assert not any(url.endswith("/token") for _, url in neighbours.calls)


def test_wallet_refuses_metadata_of_another_issuer(resident: Resident, neighbours: Neighbours) -> None:
    neighbours.issuer.metadata_changes = {"credential_issuer": ISSUER_ID + "/"}
    refuses(resident, neighbours.issuer.link(), "bad_metadata")


def test_wallet_refuses_configuration_that_it_does_not_know(resident: Resident, neighbours: Neighbours) -> None:
    refuses(resident, neighbours.issuer.link("rijbewijs"), "unknown_credential")


def test_wallet_refuses_type_that_the_issuer_may_not_issue(resident: Resident, neighbours: Neighbours) -> None:
    resident.write_trust(issuers=[builders.issuer(vcts=[PERSOON])], version=2)
    refuses(resident, neighbours.issuer.link("persoon", "adres"), "vct_not_allowed")


def with_payload(credential: str, **changes: Any) -> str:
    """The issuer's JWT with another payload and its old signature."""
    jwt, rest = credential.split("~", 1)
    head, payload, signature = jwt.split(".")
    told = {**json.loads(b64u_decode(payload)), **changes}
    return f"{head}.{b64u_encode(json.dumps(told).encode())}.{signature}~{rest}"


Make = Callable[..., str]
Lie = Callable[[list[str], list[Any], Make], list[str]]


def first(change: Callable[[list[str], list[Any], Make], str]) -> Lie:
    """Another first copy; the rest is honest."""
    return lambda made, keys, make: [change(made, keys, make), *made[1:]]


def each(**changes: Any) -> Lie:
    """Every copy made with the same `changes`."""

    def lie(made: list[str], keys: list[Any], make: Make) -> list[str]:
        return [make(ADRES, key, n, **{k: v() for k, v in changes.items()}) for n, key in enumerate(keys)]

    return lie


def one_status() -> StatusReference:
    return StatusReference(idx=5, uri=builders.STATUS_URI)


def other_address() -> dict[str, Any]:
    return builders.attributes_of(ADRES, postcode="9999ZZ")


LIES: dict[str, tuple[str | None, Lie]] = {
    "one copy too few": (None, lambda made, keys, make: made[:-1]),
    "a key of its own": ("wrong_key", first(lambda made, keys, make: make(ADRES, builders.HOLDER.public, 0))),
    "keys exchanged": ("wrong_key", lambda made, keys, make: [made[1], made[0], *made[2:]]),
    "another type": ("wrong_vct", first(lambda made, keys, make: make(PERSOON, keys[0], 0))),
    "a claim withheld": (
        "incomplete_credential",
        first(lambda made, keys, make: "~".join([*made[0].split("~")[:-2], ""])),
    ),
    "a foreign disclosure": (None, first(lambda made, keys, make: made[0] + made[1].split("~")[3] + "~")),
    "a changed _sd": ("bad_signature", first(lambda made, keys, make: with_payload(made[0], _sd=[]))),
    "a changed exp": ("bad_signature", first(lambda made, keys, make: with_payload(made[0], exp=NOW * 2))),
    "a key binding of its own": (None, first(lambda made, keys, make: made[0] + "a.b.c")),
    "an expired copy": (None, first(lambda made, keys, make: make(ADRES, keys[0], 0, iat=NOW - 99, exp=NOW - 9))),
    "dates of one copy only": ("linkable_copies", first(lambda made, keys, make: make(ADRES, keys[0], 0, iat=1))),
    "other data in one copy": (
        "differing_copies",
        first(lambda made, keys, make: make(ADRES, keys[0], 0, attributes=other_address())),
    ),
    "one set twice": ("linkable_copies", first(lambda made, keys, make: make(ADRES, keys[0], 1))),
    "one status index twice": ("linkable_copies", each(status=one_status)),
    "the same salts": ("linkable_copies", each(random=lambda: builders.random_of("the same"))),
    "a stranger's signature": (
        None,
        first(lambda made, keys, make: make(ADRES, keys[0], 0, signer=builders.STRANGER)),
    ),
    "no SD-JWT": (None, first(lambda made, keys, make: "what?")),
}


@pytest.mark.parametrize("lie", LIES)
def test_wallet_accepts_nothing_of_an_issuer_that_sends(
    resident: Resident, neighbours: Neighbours, lie: str
) -> None:
    code, change = LIES[lie]

    def spoil(vct: str, made: list[str], keys: list[Any]) -> list[str]:
        return list(change(made, keys, neighbours.issuer.make)) if vct == ADRES else made

    neighbours.issuer.spoil = spoil
    refuses(resident, neighbours.issuer.link("persoon", "adres"), code)
    assert {event for _, event in neighbours.issuer.notified} <= {"credential_failure"}


def test_wallet_accepts_no_types_of_two_residents(resident: Resident, neighbours: Neighbours) -> None:
    def spoil(vct: str, made: list[str], keys: list[Any]) -> list[str]:
        if vct == PERSOON:
            return made
        return [neighbours.issuer.make(vct, key, 50 + number) for number, key in enumerate(keys)]

    neighbours.issuer.spoil = spoil
    refuses(resident, neighbours.issuer.link("persoon", "adres"), "mixed_sets")
    assert [event for _, event in neighbours.issuer.notified] == ["credential_failure", "credential_failure"]


def test_copies_are_at_most_twenty(resident: Resident, neighbours: Neighbours) -> None:
    neighbours.issuer.batch_size = 21
    resident.receive("adres")
    with resident.open() as wallet:
        assert len(wallet.copies()) == 20


def test_keys_are_new_with_every_offer(resident: Resident, neighbours: Neighbours) -> None:
    resident.receive("adres")
    neighbours.issuer.first_set = 10
    resident.receive("adres")
    with resident.open() as wallet:
        copies = list(wallet.copies().values())
    assert len({(copy.batch, copy.number) for copy in copies}) == 8
    assert len({copy.batch for copy in copies}) == 2


def test_new_data_replace_unspent_copies_of_old_data(resident: Resident, neighbours: Neighbours) -> None:
    resident.receive("adres", "persoon")
    with resident.open() as wallet:
        grant(wallet, neighbours.agency.ask(), Choice())
    neighbours.issuer.first_set = 10
    neighbours.issuer.attribute_changes = {ADRES: {"postcode": "9999ZZ"}}
    resident.receive("adres", "persoon")
    with resident.open() as wallet:
        copies = [copy for copy in wallet.copies().values() if copy.vct == ADRES]
    unspent = [claims_of(copy)["postcode"] for copy in copies if copy.agency is None]
    assert unspent == ["9999ZZ"] * 4
    assert [claims_of(copy)["postcode"] for copy in copies if copy.agency is not None] == ["1234AB"]


def test_unspent_copies_of_the_same_data_stay(resident: Resident, neighbours: Neighbours) -> None:
    resident.receive("adres", "persoon")
    neighbours.issuer.first_set = 10
    resident.receive("adres", "persoon")
    with resident.open() as wallet:
        assert len(wallet.copies()) == 16


def test_copy_of_a_set_that_an_agency_has_seen_is_spent_on_arrival(
    resident: Resident, neighbours: Neighbours
) -> None:
    resident.receive("adres", "persoon")
    with resident.open() as wallet:
        given = grant(wallet, neighbours.agency.ask(), Choice())
        seen = wallet.copies()[given.record.copies["adres"]].set_id
    resident.receive("gezin")
    with resident.open() as wallet:
        agencies = {copy.agency for copy in wallet.copies().values() if copy.set_id == seen}
    assert agencies == {builders.AGENCY_ID}


def test_issuer_that_cannot_be_notified_changes_nothing(resident: Resident, neighbours: Neighbours) -> None:
    def fail(name: str) -> None:
        if name.startswith("before") and name.endswith("/notification"):
            neighbours.down.add("issuer.voorbeeld.example")

    neighbours.on_call = fail
    resident.receive("adres")
    with resident.open() as wallet:
        assert len(wallet.copies()) == 4
