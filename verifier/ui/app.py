"""The desk as an app: `create(home)`, which `verifier.front` puts below `/desk`."""

import secrets
from pathlib import Path

from flask import Flask

from protocol.errors import Rejected
from service.home import Home
from service.ui.app import NavItem, make_ui
from service.ui.staff import PROBLEMS as DOOR_PROBLEMS
from service.ui.staff import open_staff_door
from service.ui.words import lazy as _l
from verifier.config import DESK
from verifier.desk import Desk, Parts
from verifier.ui import (
    agreements,
    alarms,
    asking,
    counter,
    finding,
    management,
    officers,
    oversight,
    reading,
    requests,
    rights,
    room,
    start,
    words,
)
from verifier.ui.problems import PROBLEMS

OFFICERS = frozenset({"clerk", "manager"})
"""Who asks, helps and reads."""
OVERSEERS = frozenset({"manager", "privacy"})
"""Who answers what residents ask of their rights, and sees who read what."""
PRIVACY = frozenset({"privacy"})
"""Who looks into alerts: a manager may be who an alert is about."""
PAGES = (
    start,
    asking,
    requests,
    counter,
    agreements,
    reading,
    rights,
    oversight,
    management,
    alarms,
    officers,
    finding,
)
NAVIGATION = (
    NavItem("start.index", _l("Work"), "home", "w"),
    NavItem("asking.index", _l("Ask"), "new", "n", roles=OFFICERS),
    NavItem("requests.index", _l("Requests"), "list", "r"),
    NavItem("agreements.index", _l("Agreements"), "agreement", "a"),
    NavItem("finding.index", _l("Search"), "search", "s"),
    NavItem("rights.index", _l("Rights"), "shield", "e", roles=OVERSEERS),
    NavItem("oversight.index", _l("Who read what"), "read", "o", roles=OVERSEERS),
    NavItem("management.index", _l("Figures"), "chart", "f", roles=OVERSEERS),
    NavItem("alarms.index", _l("Alerts"), "bell", "l", roles=PRIVACY),
)


def create(home: Path, parts: Parts | None = None) -> Flask:
    """The desk of the agency in `home`. Raises `Rejected`: `no_home` and those of a bad home, `no_staff`."""
    opened = Home(home)
    desk = Desk(opened, parts)
    if desk.config.staff is None:
        raise Rejected("no_staff", "say first who signs in: `regie verifier staff`")
    app = make_desk(desk)
    door = open_staff_door(
        opened,
        "desk",
        desk.config.staff,
        url=f"{desk.config.url}{DESK}",
        random=secrets.token_bytes,
        clock=desk.parts.clock,
        fetcher=desk.parts.fetcher,
        home_endpoint="start.index",
    )
    door.install(app)
    return app


def make_desk(desk: Desk) -> Flask:
    """All pages around one desk, still without a door."""
    app = make_ui("desk", __name__, name=desk.config.name, nav=NAVIGATION, problems={**DOOR_PROBLEMS, **PROBLEMS})
    words.install(app)
    room.install(app, desk)
    for page in PAGES:
        app.register_blueprint(page.pages)
    return app
