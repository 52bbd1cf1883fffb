"""A console over a home that follows a real log, in one process: see `tests.consentlog.small_town`."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from auditor.config import Config
from auditor.follow import Step
from auditor.ui.app import make_console
from auditor.ui.desk import DESK, Desk
from auditor.watch import TOKEN, look_now
from consentlog.config import AUDITOR_TOKEN
from protocol.canonical import b64u_encode
from protocol.reading import sign_message
from service.home import Home
from tests.consentlog.small_town import Given, SmallTown
from tests.consentlog.test_looking_back import message
from tests.protocol import builders
from tests.protocol.builders import HOLDER, LOG_ORIGIN, LOG_URL
from tests.protocol.granting import HUISNUMMER, POSTCODE
from tests.waiting import wait_until

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Console:
    """Somebody before the console. `kept`: an agreement that runs; `stopped`: one that does not."""

    town: SmallTown
    home: Home
    app: Flask
    client: FlaskClient
    kept: Given
    stopped: Given

    @property
    def desk(self) -> Desk:
        found: Desk = self.app.extensions[DESK]
        return found

    @property
    def asked_of_log(self) -> list[str]:
        """What anybody asked the log; the log itself goes on asking its witnesses every twenty seconds."""
        host = f" {urlsplit(LOG_URL).hostname}/"
        return [call for call in self.town.wires.asked if host in call]

    def look(self) -> Step:
        """As the follower does."""
        self.town.settle()
        return look_now(self.home, self.town.clock.now(), None, self.town.wires)

    def page(self, path: str, *, language: str = "en", status: int = 200) -> str:
        self.client.set_cookie("regie-auditor-view", f"{language}.100.light", domain="localhost")
        response = self.client.get(path)
        assert response.status_code == status, response.get_data(as_text=True)[:2000]
        return response.get_data(as_text=True)

    def post(self, path: str, **fields: Any) -> TestResponse:
        """A form of the console, sent by its own page."""
        self.app.config["WTF_CSRF_ENABLED"] = False
        return self.client.post(path, data=fields, headers=SAME_SITE)

    def done(self, response: TestResponse) -> str:
        """Where the job of this answer shows its result, once it is there."""
        assert response.status_code == 303, response.get_data(as_text=True)[:2000]
        place = str(response.headers["Location"])
        job_id = place.rsplit("/", 1)[-1]
        wait_until(lambda: getattr(self.desk.jobs.find(job_id), "state", "") != "running")
        return place

    def open(self, slot: int, reason: str = "complaint", note: str = "K-2026-7") -> str:
        """The address of an agreement's file."""
        return self.done(self.post("/agreements/open", number=str(slot), entry="", reason=reason, note=note))


def live(town: SmallTown) -> tuple[Given, Given]:
    """An agreement that is read and refused, one that was stopped, one renewed, one with a request to erase."""
    kept, stopped, renewed = town.grant(max_reads=3), town.grant(), town.grant()
    for place in (POSTCODE, HUISNUMMER):
        town.post_read(town.make_read(kept, place))
    town.post_read(town.make_read(kept, channel="api", zone="remote"))
    town.post_read(town.make_read(kept))
    town.post_read(town.make_read(stopped))
    assert town.send("POST", "/v1/grants", town.refresh_request(renewed)[1]).status_code == 201
    town.revoke(stopped)
    town.post_read(town.make_read(stopped))
    asked = sign_message(message(stopped), HOLDER)
    assert town.post_message(asked, headers=stopped.view).status_code == 201
    town.settle()
    return kept, stopped


def make_home(town: SmallTown, path: Path, *, token: bool = True) -> Home:
    """An auditor's home of this town's log."""
    home = Home(path).create()
    home.write_config(Config("auditor", str(town.trust_list), builders.REGISTRAR.public.jwk(), LOG_ORIGIN))
    if token:
        home.write_secret(TOKEN, b64u_encode(town.home.read_secret(AUDITOR_TOKEN)).encode())
    return home


def open_console(town: SmallTown, home: Home, kept: Given, stopped: Given) -> Console:
    """Over a home that has looked, or has not yet."""
    app = make_console(home, clock=town.clock, fetcher=town.wires)
    return Console(town, home, app, app.test_client(), kept, stopped)


@dataclass
class Shared:
    """A town that tests look at, and a home that looked at it once."""

    town: SmallTown
    home: Home
    kept: Given
    stopped: Given


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("town")
    town = SmallTown(folder)
    with town.running():
        kept, stopped = live(town)
        home = make_home(town, folder / "auditor")
        assert look_now(home, town.clock.now(), None, town.wires).state == "ok"
        yield Shared(town, home, kept, stopped)


@pytest.fixture
def console(shared: Shared, tmp_path: Path) -> Iterator[Console]:
    """A home of its own in a shared town, whose wires and clock are put back afterwards."""
    home = Home(tmp_path / "auditor")
    shutil.copytree(shared.home.path, home.path)
    now = shared.town.clock.time
    yield open_console(shared.town, home, shared.kept, shared.stopped)
    shared.town.clock.time = now
    shared.town.wires.cut.clear()


@pytest.fixture
def own_town(tmp_path: Path) -> Iterator[Console]:
    """For a test in which more happens in the town."""
    town = SmallTown(tmp_path)
    with town.running():
        kept, stopped = live(town)
        made = open_console(town, make_home(town, tmp_path / "auditor"), kept, stopped)
        assert made.look().state == "ok"
        yield made
