"""The counter: one officer writes down what a court decided, another one confirms."""

import json
import re
from pathlib import Path

import pytest

from tests.issuer.acting import FLOOR, MELATI, record, resident, take_in
from tests.issuer.test_cli import Shell
from tests.issuer.ui.test_counter import Face, follow
from tests.service.ui.staff import Page, get

FORM = {
    "kind": "curator",
    "represented": FLOOR,
    "delegate": MELATI,
    "other": "",
    "until": "2027-12-31",
    "decision": "C/09/1234",
    "services": "",
}


@pytest.fixture
def face(tmp_path: Path) -> Face:
    """A counter; Floor is under curatele."""
    shell = Shell(tmp_path / "issuer")
    shell.answer("init", "--url", "http://localhost:18000", "--name", "Gemeente Lindehaven")
    roles = ("--role", "balie=clerk", "--role", "chef=manager")
    shell.answer("staff", "--provider", "https://login.example", "--client-id", "counter", *roles)
    made = Face(tmp_path / "issuer")
    take_in(made.desk, record(FLOOR, indicatieCurateleRegister=True), record(MELATI))
    return made


def write_down(face: Face, **changes: str) -> Page:
    return get(face.browser(), "/acting/").post("/acting/", **{**FORM, **changes})


def waiting(page: Page) -> str:
    return re.findall(r'href="/(?:counter/)?acting/([A-Za-z0-9_-]{22})"', page.text)[0]


def test_second_officer_confirms_and_the_wallet_finds_it(face: Face) -> None:
    page = follow(write_down(face))
    id_ = waiting(page)
    other = face.browser(name="Cas de Wit")
    shown = get(other, f"/acting/{id_}")
    assert "Floor Josephine van der Spiegel" in shown.text
    assert FLOOR not in shown.text
    melati = resident(face.desk, MELATI)
    assert melati.listed() == []
    assert follow(shown.post(f"/acting/{id_}/confirm")).answer.status_code == 200
    assert melati.one(kind="curator")["state"] == "registered"
    assert [act for _, act, _ in face.acts()] == ["appointed", "found", "found", "confirmed"]


def test_same_officer_is_told_to_ask_a_colleague(face: Face) -> None:
    browser = face.browser()
    id_ = waiting(follow(get(browser, "/acting/").post("/acting/", **FORM)))
    refused = get(browser, f"/acting/{id_}").post(f"/acting/{id_}/confirm")
    assert refused.answer.status_code == 409
    assert follow(get(browser, f"/acting/{id_}").post(f"/acting/{id_}/refuse")).answer.status_code == 200
    assert "acting/" + id_ not in get(browser, "/acting/").text


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "x"},
        {"represented": "1"},
        {"until": "later"},
        {"decision": ""},
        {"services": "parkeren"},
        {"kind": "bewindvoerder"},
        {"represented": MELATI, "delegate": FLOOR},
        {"until": "2020-01-01"},
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_kept(face: Face, changes: dict[str, str]) -> None:
    page = write_down(face, **changes)
    assert page.answer.status_code == 422
    assert face.desk.rows()["mandates"] == 0
    assert FLOOR not in page.text, "no number comes back in a page"
    assert json.dumps(face.acts()) == "[]"


def test_page_of_each_party_shows_who_acts_for_whom(face: Face) -> None:
    id_ = waiting(follow(write_down(face)))
    browser = face.browser(name="Cas de Wit")
    get(browser, "/acting/").post(f"/acting/{id_}/confirm")
    acts, represented = face.find(browser, bsn=MELATI), face.find(browser, bsn=FLOOR)
    assert "Handelt namens Floor Josephine van der Spiegel" in acts.text
    assert "Vertegenwoordigd door Melati Kusuma" in represented.text
    assert "tot 31 december 2027" in acts.text
    resident(face.desk, MELATI)
    (address,) = re.findall(r'href="([^"]+/revoke/[^"]+)"', get(browser, acts.answer.request.path).text)
    assert "Wat deze inwoner heeft om namens anderen te handelen" in get(browser, address).text
