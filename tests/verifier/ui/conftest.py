"""An agency with its desk, and browsers of its staff."""

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.staff import StaffConfig
from service.staff_keys import STAFF_KEY
from service.ui.staff import StaffDoor, open_staff_door
from tests.protocol import builders
from tests.service.ui.staff import Page, enter
from tests.verifier.agency import Agency, Granted, Wallet
from verifier.ui.app import make_desk

STAFF = StaffConfig(
    provider="https://login.voorbeeld.example",
    client_id="desk",
    role_claim="roles",
    roles={"balie": "clerk", "chef": "manager", "privacy": "privacy"},
)
Enter = Callable[..., FlaskClient]


class DeskAgency(Agency):
    """The agency with its desk; `open()` gives the browser of somebody with these roles."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, staff=STAFF)
        self.home.write_secret(STAFF_KEY, builders.es256("staff").to_pem())
        self.face: Flask = make_desk(self.desk)
        self.door: StaffDoor = open_staff_door(
            self.home,
            "desk",
            STAFF,
            url="http://localhost/desk",
            random=self.random,
            clock=self.clock,
            home_endpoint="start.index",
        )
        self.door.install(self.face)

    def open(self, *roles: str, name: str = "Bente Bakker") -> FlaskClient:
        """A browser that is signed in."""
        return enter(self.face, self.door, *(roles or ("clerk",)), name=name)


@pytest.fixture
def agency(tmp_path: Path) -> DeskAgency:
    """In place of the one without a desk."""
    return DeskAgency(tmp_path)


@pytest.fixture
def wallet(agency: DeskAgency) -> Wallet:
    """A resident with a full set of cards."""
    return Wallet(agency.clock, agency.log)


def token_of(page: Page) -> str:
    """Of the one form that reads."""
    return page.text.partition('name="token" value="')[2].partition('"')[0]


def granted(agency: DeskAgency, wallet: Wallet, **wish: Any) -> tuple[str, Granted]:
    """An agreement that the agency holds."""
    rid, link = agency.ask(**wish)
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return rid, made


def words_of(page: Page) -> str:
    """What somebody reads of a page's main part."""
    main = page.text.partition("<main")[2].partition("</main>")[0] or page.text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", main)))
