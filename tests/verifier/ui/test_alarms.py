"""The privacy officer at the desk: alerts, why they rang, and what came of looking."""

import pytest
from msgspec.structs import replace

from protocol.reading import parse_read
from protocol.terms import Context
from tests.service.ui.staff import get
from tests.verifier.agency import Wallet
from tests.verifier.alarm.test_bell import HOME, set_clock
from tests.verifier.ui.conftest import DeskAgency, granted, token_of, words_of
from verifier.config import OfficeConfig
from verifier.look import look
from verifier.reader import read_grant


@pytest.fixture
def rung(agency: DeskAgency, wallet: Wallet) -> DeskAgency:
    """Read on a Sunday from home, once at the desk and once by a command; the bell was rung."""
    rid, _ = granted(agency, wallet)
    set_clock(agency, 7, 15)
    look(agency.desk, rid, ["postcode"], HOME, "application")
    agency.clock.time += 3600
    read_grant(agency.desk, rid, ["postcode"], HOME)
    page = get(agency.open("privacy"), "/alarms/")
    assert "Er is nog niet gekeken" in words_of(page)
    assert page.post("/alarms/").answer.status_code == 303
    return agency


def test_privacy_officer_sees_why_it_rang_and_the_look_in_the_book(rung: DeskAgency) -> None:
    browser = rung.open("privacy")
    listed = words_of(get(browser, "/alarms/"))
    assert "2 keer gelezen van huis, op een zaterdag, zondag of feestdag." in listed
    shown = words_of(get(browser, "/alarms/1"))
    assert "Z-2026-1" in shown
    assert "1 keer lezen van dit signaal staat niet in het boek" in shown
    assert "1234AB" not in shown


def test_what_was_looked_into_leaves_the_list_and_keeps_its_note(rung: DeskAgency) -> None:
    browser = rung.open("privacy")
    page = get(browser, "/alarms/1")
    assert page.post("/alarms/1", outcome="explained", note="standby duty").answer.status_code == 303
    assert "Geen signalen" in words_of(get(browser, "/alarms/"))
    assert "Er was een goede reden" in words_of(get(browser, "/alarms/?all=1"))
    assert "standby duty" in words_of(get(browser, "/alarms/1"))


@pytest.mark.parametrize(
    "fields", [{"outcome": ""}, {"outcome": "ignored"}, {"outcome": "talked", "note": "x" * 501}]
)
def test_wrong_form_writes_nothing_down(rung: DeskAgency, fields: dict[str, str]) -> None:
    page = get(rung.open("privacy"), "/alarms/1").post("/alarms/1", **fields)
    assert page.answer.status_code == 400
    assert rung.desk.bell.store.get(1).looked is None


@pytest.mark.parametrize("role", ["clerk", "manager"])
def test_nobody_but_the_privacy_officer_sees_alerts(rung: DeskAgency, role: str) -> None:
    browser = rung.open(role)
    for method, path in (("GET", "/alarms/"), ("GET", "/alarms/1"), ("POST", "/alarms/"), ("POST", "/alarms/1")):
        answer = browser.open(path, method=method, base_url="http://localhost")
        assert answer.status_code in (400, 403)  # a form without its token is no form
        assert "zondag" not in answer.text
    assert rung.desk.bell.store.get(1).looked is None


def test_alert_that_is_not_there_is_not_found(rung: DeskAgency) -> None:
    assert get(rung.open("privacy"), "/alarms/99").answer.status_code == 404


def test_agreement_says_when_and_from_where_may_be_read(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet, context=Context(days=[1, 2, 3, 4, 5], hours=[8, 18], zone="office"))
    words = words_of(get(agency.open("clerk"), f"/agreements/{rid}"))
    assert "Maandag tot en met vrijdag, van 8.00 tot 18.00 uur, alleen op kantoor" in words


def test_desk_says_in_the_read_that_an_officer_was_at_home(agency: DeskAgency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    for networks, zone in ((("127.0.0.0/8",), "office"), (("10.0.0.0/8",), "remote")):
        agency.home.write_config(replace(agency.desk.config, office=OfficeConfig(networks)))
        agency.desk.config = agency.home.config(type(agency.desk.config))
        page = get(agency.open("clerk"), f"/agreements/{rid}")
        fields = {"token": token_of(page), "case": "Z-2026-1", "reason": "application", "only": ["adres.postcode"]}
        assert page.post(f"/agreements/{rid}/read", **fields).answer.status_code == 200
        assert parse_read(agency.log.requests[-1]).read.zone == zone
