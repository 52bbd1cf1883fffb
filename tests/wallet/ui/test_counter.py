"""The pages of the paper counter: who may do what, and what an officer is told."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace
from werkzeug.test import TestResponse

from protocol.revocation_code import format_code
from service.staff import StaffConfig
from service.staff_keys import STAFF_KEY
from tests.protocol import builders
from tests.service.ui.staff import enter, get
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import TX_CODE, Neighbours
from tests.wallet.pens import png
from tests.wallet.test_visit import PaperCounter
from wallet.counter_config import CounterConfig
from wallet.ui.counter_app import make_counter
from wallet.ui.counter_room import Counter

STAFF = StaffConfig(
    provider="https://login.voorbeeld.example",
    client_id="balie",
    role_claim="roles",
    roles={"balie": "clerk", "chef": "manager"},
)


class Face(PaperCounter):
    """The counter with its pages; `open()` gives the browser of an officer."""

    def __init__(self, folder: Path, neighbours: Neighbours, trust: Path) -> None:
        super().__init__(folder, neighbours, trust)
        self.home.write_config(replace(self.home.config(CounterConfig), staff=STAFF, url="http://localhost"))
        self.home.write_secret(STAFF_KEY, builders.es256("staff").to_pem())
        self.visits.close()
        self.app, self.door = make_counter(self.home, clock=neighbours.clock, fetcher=neighbours)
        found: Counter = self.app.extensions["regie.visits"]
        self.visits = found.visits

    def open(self, name: str = "Bente Bakker", role: str = "clerk") -> FlaskClient:
        return enter(self.app, self.door, role, name=name)


@pytest.fixture
def face(tmp_path: Path, neighbours: Neighbours) -> Face:
    return Face(tmp_path, neighbours, Resident(tmp_path, neighbours).trust_path)


def begun(browser: FlaskClient) -> str:
    """The address of a new visit."""
    answer = send(browser, "/visits", at="/")
    assert answer.status_code == 303
    return str(answer.location)


def send(browser: FlaskClient, path: str, *, at: str | None = None, **fields: Any) -> TestResponse:
    """A form with its token."""
    page = get(browser, at or path.rpartition("/")[0])
    assert page.answer.status_code == 200
    return page.post(path, **fields).answer


def test_two_officers_take_in_a_form_and_stop_it_again(face: Face, neighbours: Neighbours) -> None:
    first, second = face.open(), face.open("Mo Mulder", "manager")
    visit = begun(first)
    scan = (io.BytesIO(png(face.sheet("yes", "-", "no").picture)), "scan.png")
    assert send(first, f"{visit}/scan", at=visit, sheet=[scan]).status_code == 303
    page = first.get(visit).text
    assert page.count('type="radio"') == 2
    assert "checked" not in page.partition('type="radio"')[2].partition("</form>")[0]
    assert (
        first.get(f"{visit}/row/1.png").content_type
        == first.get(f"{visit}/sheet/1.png").content_type
        == "image/png"
    )
    assert send(first, f"{visit}/told", at=visit).status_code == 422
    assert send(second, f"{visit}/told", at=visit, **{"row-1": "yes"}).status_code == 403
    assert send(first, f"{visit}/told", at=visit, **{"row-1": "yes"}).status_code == 303
    link = neighbours.issuer.link("persoon", "adres")
    offer = {"link": link, "code": TX_CODE}
    assert send(first, f"{visit}/cards", at=visit, **offer).status_code == 422  # nothing was looked at
    assert send(first, f"{visit}/cards", at=visit, done=["signed", "compared"], **offer).status_code == 303
    seen = ["document", "understood", "free"]
    assert send(first, f"{visit}/confirm", at=visit, done=seen).status_code == 403  # attack: one officer as both
    assert send(second, f"{visit}/confirm", at=visit, done=seen[:2]).status_code == 422
    assert neighbours.log.grants == []
    assert send(second, f"{visit}/confirm", at=visit, done=seen).status_code == 303
    receipt = second.get(f"{visit}/receipt")
    assert receipt.status_code == 200
    open_visit = face.visits.find(visit.rpartition("/")[2])
    code = format_code(open_visit.wallet.code(open_visit.record))
    assert all(f"<span>{group}</span>" in receipt.text for group in code.split())
    assert send(second, f"{visit}/finish", at=visit).status_code == 303
    assert face.wallets() == []
    assert [grant.revoked for grant in neighbours.log.grants] == [None]
    assert send(first, "/stop/", at="/stop/", text=code[:-1] + "x").status_code == 422
    assert send(first, "/stop/", at="/stop/", text=code).status_code == 200
    assert neighbours.log.grants[0].revoked is not None


def test_what_an_officer_is_told_when_a_scan_is_not_taken(face: Face, neighbours: Neighbours) -> None:
    browser = face.open()
    visit = begun(browser)
    blank = face.sheet()
    answer = send(browser, f"{visit}/scan", at=visit, sheet=[(io.BytesIO(b"no picture"), "a.png")])
    assert answer.status_code == 422
    assert 'id="sheet-error"' in answer.text
    twice = [(io.BytesIO(png(blank.picture)), name) for name in ("a.png", "b.png")]
    assert send(browser, f"{visit}/scan", at=visit, sheet=twice).status_code == 422
    assert send(browser, f"{visit}/scan", at=visit).status_code == 422
    assert send(browser, f"{visit}/finish", at=visit).status_code == 303
    assert browser.get(visit).status_code == 404
    assert neighbours.log.grants == []


def test_nobody_comes_in_without_signing_in(face: Face) -> None:
    browser = face.app.test_client()
    assert browser.get("/").status_code == 303
    assert browser.get("/stop/").status_code == 303
    assert browser.post("/visits").status_code == 403
    assert face.wallets() == []
