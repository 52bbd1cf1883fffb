"""What the command line says of a request before the resident decides: the law, its text, and the free choice."""

from tests.protocol import builders
from tests.protocol.test_service_law import free_consent
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from wallet.errand_request import read_request
from wallet.opened import OpenWallet
from wallet.show_request import request_data, request_text


def told(wallet: OpenWallet, link: str) -> str:
    return request_text(request_data(read_request(wallet, link), wallet.copies(), wallet.now()))


def test_law_its_text_and_the_test_of_free_consent_are_said(
    wallet: OpenWallet, holder: Resident, neighbours: Neighbours
) -> None:
    law, link = "Artikel 225 Gemeentewet", "https://wetten.overheid.nl/225"
    test = free_consent(no_imbalance=False)
    service = builders.service(version=2, law=law, law_url=link, free_consent=test, bsn_law="Wabb artikel 10")
    holder.write_trust(version=2, agencies=[builders.agency(services=[service])])
    text = told(wallet, neighbours.agency.ask())
    for words in (
        f"({law}). Read it: {link}",
        "citizen service number (BSN) by Wabb artikel 10",
        "In your interest: yes. Because you ask for it.",
        "Nobody puts you under pressure: NO.",
    ):
        assert words in text


def test_service_that_says_nothing_of_these_is_shown_as_before(wallet: OpenWallet, neighbours: Neighbours) -> None:
    text = told(wallet, neighbours.agency.ask())
    assert "The ground is your consent: you are free to say no.\n" in text
    for words in ("Read it", "BSN", "In your interest"):
        assert words not in text
