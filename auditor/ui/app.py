"""The console: `create(home)`, run by `regie auditor serve` on the auditor's own machine."""

import getpass
import secrets
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from auditor.config import read_config
from auditor.ui import cases, check, findings, integrity, overview, report, services, told
from auditor.ui.desk import DESK, Desk
from auditor.ui.problems import PROBLEMS
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import Home
from service.staff import StaffConfig
from service.ui.app import NavItem, make_ui
from service.ui.door import LocalDoor
from service.ui.staff import PROBLEMS as OF_THE_DOOR
from service.ui.staff import StaffDoor, member, open_staff_door
from service.ui.words import lazy as _l

ROOM = "auditor"
NAV = (
    NavItem("overview.page", _l("Overview"), "chart", "o"),
    NavItem("services.page", _l("What is asked"), "law", "w"),
    NavItem("integrity.page", _l("The log"), "shield", "l"),
    NavItem("findings.page", _l("Findings"), "flag", "f"),
    NavItem("cases.page", _l("Agreements"), "agreement", "a"),
    NavItem("report.page", _l("Report"), "print", "r"),
)
PAGES = (overview.pages, check.pages, services.pages, integrity.pages, findings.pages, cases.pages, report.pages)
_SECRET, _SECRET_BYTES = "ui-secret", 32


def create(home: Path, *, clock: Clock | None = None) -> Flask:
    """The app for `home`, behind its door: the one of its own machine, or the sign-in of its staff.

    Raises `Rejected`: `no_home`, `wrong_role`; `Unavailable`: `io`, `database`.
    """
    place = Home(home)
    config = read_config(place)
    if config.staff is not None and config.console is not None:
        return make_staffed(place, config.staff, config.console, clock=clock)[0]
    app = make_console(place, clock=clock)
    LocalDoor(place.path, ROOM, clock=clock).guard(
        app, closed=_l("Start the console again with regie auditor serve, and open the address that it prints.")
    )
    return app


def make_staffed(
    place: Home, staff: StaffConfig, url: str, *, clock: Clock | None = None, fetcher: Fetcher | None = None
) -> tuple[Flask, StaffDoor]:
    """The console at `url` for all who sign in there; the register names them as their organisation knows them."""
    app = make_console(place, clock=clock, fetcher=fetcher, who=lambda: member().id)
    door = open_staff_door(
        place, ROOM, staff, url=url, random=secrets.token_bytes, clock=clock, home_endpoint="overview.page"
    )
    door.install(app)
    return app, door


def make_console(
    place: Home,
    *,
    clock: Clock | None = None,
    fetcher: Fetcher | None = None,
    who: Callable[[], str] = getpass.getuser,
) -> Flask:
    """The same behind no door: for who puts it behind one."""
    kept = Desk(place, clock or SystemClock(), who, fetcher)
    app = make_ui(
        ROOM,
        __name__,
        name=_l("Auditor's console"),
        nav=NAV,
        problems={**OF_THE_DOOR, **PROBLEMS},
        secret=_secret(place),
        layout="desk",
    )
    app.extensions[DESK] = kept
    for pages in PAGES:
        app.register_blueprint(pages)
    app.jinja_env.filters.update(week_start=told.week_start, finding=told.found, waited=told.waited)
    app.jinja_env.globals.update(told=told, agency=lambda oin: told.agency_or_nobody(kept.agency_name(oin)))
    app.context_processor(lambda: {"now": kept.now()})
    return app


def _secret(home: Home) -> bytes:
    """Signs the session cookie, so that forms which are open outlive the program."""
    home.create_secret(_SECRET, secrets.token_bytes(_SECRET_BYTES))
    return home.read_secret(_SECRET)
