"""`create(home) -> Flask`: the counter, below `/counter/` of the issuer (see `issuer.front`)."""

import secrets
from pathlib import Path

from flask import Flask

from issuer.config import COUNTER, IssuerConfig
from issuer.counter import Counter
from issuer.ui import acting, find, giving, person, stopping, waiting
from issuer.ui.desk import Desk
from issuer.ui.drawer import Drawer
from issuer.ui.problems import PROBLEMS
from issuer.web import open_office, open_trust
from protocol.errors import Rejected
from service.clock import Clock
from service.fetch import Fetcher
from service.home import Home
from service.ui.app import NavItem, make_ui
from service.ui.staff import StaffDoor, open_staff_door
from service.ui.words import lazy as _l

ROOM = "counter"
NAV = (
    NavItem("find.start", _l("Find somebody"), "search", "z", frozenset({"clerk", "manager"})),
    NavItem("stopping.page", _l("Stop"), "stopped", "s", frozenset({"clerk", "manager"})),
    NavItem("acting.index", _l("Acting for"), "person", "a", frozenset({"clerk", "manager"})),
    NavItem("waiting.index", _l("Waiting"), "wait", "w", frozenset({"manager"})),
)


def create(home: Path) -> Flask:
    """The counter of the issuer in `home`. Raises `Rejected`: `no_staff` where nobody can sign in, `no_home`."""
    return make_counter(Home(home))[0]


def make_counter(
    home: Home, *, clock: Clock | None = None, fetcher: Fetcher | None = None
) -> tuple[Flask, StaffDoor]:
    """The app and its door. `clock` and `fetcher`: of a test."""
    config = home.config(IssuerConfig)
    if config.staff is None:
        raise Rejected("no_staff", "staff cannot sign in here: regie issuer staff")
    random = secrets.token_bytes
    office = open_office(home, config, clock=clock, random=random)
    app = make_ui(ROOM, __name__, name=_l("Counter"), nav=NAV, problems=PROBLEMS)
    with app.app_context():
        around = (fetcher or Fetcher(), open_trust(home, config))
        Desk(Counter(office), Drawer(random), config.url, config.name, *around).install()
    for pages in (find.pages, person.pages, giving.pages, stopping.pages, acting.pages, waiting.pages):
        app.register_blueprint(pages)
    door = open_staff_door(
        home,
        ROOM,
        config.staff,
        url=config.url + COUNTER,
        random=random,
        clock=office.clock,
        fetcher=fetcher,
        home_endpoint="find.start",
    )
    door.install(app)
    return app, door
