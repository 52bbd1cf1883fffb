"""A manager looks at the figures of a month, beside those of a neighbour; a clerk does not."""

import csv
import io

import pytest

from protocol.figures import sign_figures, verify_figures
from tests.faces.pages.figures import NEIGHBOUR, figures_of
from tests.protocol import builders
from tests.protocol.builders import AGENCY, AGENCY_ID, NOW
from tests.protocol.test_service_law import free_consent
from tests.verifier.agency import Wallet
from tests.verifier.counting import question_service, trust_of
from tests.verifier.ui.conftest import DeskAgency, words_of
from verifier.figures_store import FiguresStore, Released


@pytest.fixture
def told(agency: DeskAgency) -> DeskAgency:
    """Two months of ours, one of a neighbour."""
    store = FiguresStore(agency.home)
    for month, scale in (("2026-09", 2), ("2026-10", 1)):
        made = figures_of(AGENCY_ID, "Gemeente Voorbeeld", month, scale)
        store.keep(Released(month, NOW, 2000, sign_figures(made, AGENCY.key, AGENCY.x5c)))
    theirs = figures_of(NEIGHBOUR, "=Hiernaast", "2026-10", 2)
    store.take(NEIGHBOUR, "2026-10", sign_figures(theirs, AGENCY.key, AGENCY.x5c))
    return agency


def test_manager_sees_the_month_in_pictures_and_beside_a_neighbour(told: DeskAgency) -> None:
    page = words_of(told.open("manager").get("/figures/"))
    for words in (
        "oktober 2026",
        "=Hiernaast",
        "Hoe lang inwoners over hun keuze deden",
        "2 cijfers zijn weggelaten",
    ):
        assert words in page
    assert "hoogstens epsilon 2 en delta 0.000005" in page
    september = words_of(told.open("privacy").get("/figures/?month=2026-09"))
    assert "=Hiernaast" not in september
    assert "Afspraken aan het eind van elke maand" not in september


def test_clerk_sees_no_figures(told: DeskAgency) -> None:
    clerk = told.open("clerk")
    assert "/figures/" not in clerk.get("/").text
    for path in ("", "report", "figures.csv", "figures.jwt"):
        assert clerk.get(f"/figures/{path}").status_code == 403


def test_report_says_what_the_figures_are_worth_and_nothing_of_others(told: DeskAgency) -> None:
    page = words_of(told.open("manager").get("/figures/report?month=2026-10"))
    assert "Verslag over afspraken, oktober 2026" in page
    assert "Een cijfer van minder dan 10 afspraken staat er niet bij." in page
    assert "Hiernaast" not in page


def test_files_hold_all_cells_and_our_own_signed_month(told: DeskAgency) -> None:
    browser = told.open("manager")
    rows = list(csv.DictReader(io.StringIO(browser.get("/figures/figures.csv").text)))
    assert {row["month"] for row in rows} == {"2026-09", "2026-10"}
    assert {row["agency"] for row in rows} == {"Gemeente Voorbeeld", "'=Hiernaast"}
    assert all(row["count"] == "" or int(row["count"]) >= 10 for row in rows)
    answer = browser.get("/figures/figures.jwt?month=2026-10")
    assert "figures-2026-10.jwt" in answer.headers["Content-Disposition"]
    assert verify_figures(answer.text.strip(), builders.TRUST, NOW).month == "2026-10"


def test_agency_without_figures_says_how_to_make_them(agency: DeskAgency) -> None:
    browser = agency.open("manager")
    assert "Nog geen cijfers" in words_of(browser.get("/figures/"))
    assert browser.get("/figures/report").status_code == 404
    assert browser.get("/figures/figures.jwt").status_code == 404
    assert not FiguresStore(agency.home).is_there


def test_agreement_of_a_service_that_answers_a_question_is_not_read_at_the_desk(agency: DeskAgency) -> None:
    agency.enlist(trust_of(question_service("count", free_consent=free_consent())))
    wallet = Wallet(agency.clock, agency.log, trust=agency.trust)
    rid, link = agency.ask(service="vroeghulp")
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    page = agency.open("clerk").get(f"/agreements/{rid}")
    assert "Dit leest hier niemand" in words_of(page)
    assert "Nu lezen" not in page.text
