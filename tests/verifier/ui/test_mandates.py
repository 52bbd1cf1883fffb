"""An officer sees that an agreement was given on behalf of the resident, and why it may not be read any more."""

from tests.protocol import mandates as m
from tests.service.ui.staff import get
from tests.verifier.agency import Wallet
from tests.verifier.test_mandates import BOTH, OPEN, act_for, grant
from tests.verifier.ui.conftest import DeskAgency, words_of


def test_page_says_that_somebody_else_agreed(agency: DeskAgency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    act_for(wallet, OPEN)
    assert agency.post(rid, grant(wallet, request, OPEN).form()).status_code == 200
    told = words_of(get(agency.open("clerk"), f"/agreements/{rid}"))
    assert "Gegeven namens de inwoner" in told
    assert "Eén persoon die namens de inwoner mag handelen, gaf toestemming." in told


def test_page_counts_who_agreed(agency: DeskAgency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    act_for(wallet, BOTH)
    made = grant(wallet, request, BOTH)
    text = m.cosigned(BOTH, made.sealed.terms, party=2, audience=request.client_id)
    assert agency.post(rid, made.form(cosigned=[text])).status_code == 200
    assert "2 personen die namens" in words_of(get(agency.open("clerk"), f"/agreements/{rid}"))


def test_page_of_the_residents_own_agreement_says_nothing_of_it(agency: DeskAgency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    assert "namens" not in words_of(get(agency.open("clerk"), f"/agreements/{rid}"))
