"""Our wallet at our own issuer, over HTTP: login, level of assurance, refill, cards that a clerk holds back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from examples.identity_provider import LEVELS
from issuer.brp import Bsn
from protocol.errors import Rejected
from protocol.openid4vci import offer_reference_link
from tests.issuer.desk import jwt_parts
from tests.wallet.our_town import PERSONS, OurTown, our_town
from wallet.card import claims_of
from wallet.errand_receive import Received, get, receive
from wallet.errand_refill import refill
from wallet.errand_renew import renew_cards
from wallet.loopback import LoopbackBrowser
from wallet.opened import OpenWallet
from wallet.records import Access


@pytest.fixture
def town(tmp_path: Path) -> Iterator[OurTown]:
    with our_town(tmp_path) as made:
        yield made


@pytest.fixture
def wallet(town: OurTown) -> Iterator[OpenWallet]:
    with town.open() as opened:
        yield opened


def log_in(town: OurTown, wallet: OpenWallet, *names: str) -> list[Received]:
    browser = LoopbackBrowser(town.browse, wallet.random, seconds=10)
    try:
        return get(wallet, town.issuer_url, names, browser)
    finally:
        browser.close()


def test_resident_logs_in_and_gets_cards_of_that_level(town: OurTown, wallet: OpenWallet) -> None:
    received = log_in(town, wallet, "persoon", "adres")
    assert [(item.configuration, item.copies) for item in received] == [("persoon", 20), ("adres", 20)]
    claims = [jwt_parts(copy.credential.split("~")[0])[1] for copy in wallet.copies().values()]
    assert {told["loa"] for told in claims} == {"high"}
    assert len({copy.set_id for copy in wallet.copies().values()}) == 20


def test_level_of_the_login_is_the_level_of_the_card(town: OurTown, wallet: OpenWallet) -> None:
    town.level = LEVELS[0]
    log_in(town, wallet, "adres")
    claims = [jwt_parts(copy.credential.split("~")[0])[1] for copy in wallet.copies().values()]
    assert {told["loa"] for told in claims} == {"low"}


def test_resident_who_does_not_log_in_gets_nothing(town: OurTown, wallet: OpenWallet) -> None:
    town.bsn = ""
    with pytest.raises(Rejected, match="access_denied"):
        log_in(town, wallet, "adres")
    assert wallet.copies() == {}
    assert wallet.vault.all("accesses", Access) == {}


def test_wallet_refills_at_our_issuer(town: OurTown, wallet: OpenWallet) -> None:
    """New copies go on where the sets of before ended, for each type alike."""
    log_in(town, wallet, "persoon", "adres")
    sets = {copy.set_id for copy in wallet.copies().values()}
    town.clock.time += 1000
    for _ in range(2):
        report = refill(wallet, everything=True)
        assert report.problems == []
        assert [item.copies for item in report.received] == [20, 20]
    assert len(wallet.copies()) == 120
    assert len({copy.set_id for copy in wallet.copies().values()} - sets) == 40


def test_code_of_the_desk_gives_a_right_to_come_back(town: OurTown, wallet: OpenWallet) -> None:
    """The pre-authorized flow with DPoP: the wallet proves a key, and the refresh token is bound to it."""
    offer, tx_code = town.office.offer(Bsn(town.bsn), ("adres",))
    link = offer_reference_link(f"{town.issuer_url}/offers/{offer.id}")
    assert [item.copies for item in receive(wallet, link, tx_code)] == [20]
    assert [item.copies for item in refill(wallet, everything=True).received] == [20]


def test_card_that_a_clerk_looks_at_comes_later(town: OurTown, wallet: OpenWallet) -> None:
    """OpenID4VCI 9 on both sides, after the access token has ended."""
    town.office.hold(Bsn(town.bsn), "looks odd")
    (promised,) = log_in(town, wallet, "adres")
    assert promised.awaited
    assert wallet.copies() == {}
    town.clock.time = promised.exp
    assert refill(wallet).waiting == ["adres"]
    (waiting,) = town.office.waiting()
    town.office.approve(waiting.offer_id)
    town.clock.time += 400
    report = refill(wallet)
    assert (report.problems, [item.copies for item in report.received]) == ([], [20])
    assert refill(wallet).received == []


def test_card_that_a_clerk_refuses_does_not_come(town: OurTown, wallet: OpenWallet) -> None:
    town.office.hold(Bsn(town.bsn), "looks odd")
    (promised,) = log_in(town, wallet, "adres")
    (waiting,) = town.office.waiting()
    town.office.deny(waiting.offer_id, "is odd")
    town.clock.time = promised.exp
    assert refill(wallet).ended == ["adres"]
    assert wallet.copies() == {}
    assert refill(wallet).received == []


def move(town: OurTown) -> None:
    """The register has another street for the resident."""
    line = next(line for line in PERSONS.read_bytes().splitlines() if town.bsn.encode() in line)
    town.clock.time += 1000
    assert town.office.take_persons([line.replace(b"Kersenlaan", b"Pruimenlaan")]).changed.superseded == 20


def test_card_that_the_register_changed_comes_again_in_its_sets(town: OurTown, wallet: OpenWallet) -> None:
    """By the code of the desk: the wallet asked for identifiers, so it can name the batch."""
    offer, tx_code = town.office.offer(Bsn(town.bsn), ("persoon", "adres"))
    receive(wallet, offer_reference_link(f"{town.issuer_url}/offers/{offer.id}"), tx_code)
    assert renew_cards(wallet).received == []
    before = {copy.set_id for copy in wallet.copies().values()}
    move(town)
    report = renew_cards(wallet)
    assert (report.problems, report.stuck) == ([], [])
    assert [(item.configuration, item.copies) for item in report.received] == [("adres", 20)]
    held = [copy for copy in wallet.copies().values() if copy.configuration == "adres"]
    assert {claims_of(copy)["straat"] for copy in held} == {"Pruimenlaan"}  # unspent old ones are gone
    assert {copy.set_id for copy in held} == before
    assert renew_cards(wallet).received == []


def test_card_without_a_name_at_its_issuer_is_said_to_be_stuck(town: OurTown, wallet: OpenWallet) -> None:
    log_in(town, wallet, "adres")
    with wallet.vault.transaction():  # as a wallet of before kept it
        for name, copy in wallet.copies().items():
            wallet.vault.put("copies", name, replace(copy, identifier=""))
    move(town)
    report = renew_cards(wallet)
    assert (report.received, report.stuck, report.problems) == ([], ["adres"], [])
