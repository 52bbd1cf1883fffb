"""The counter for residents without a wallet: `create(home)`, run by `regie wallet counter serve`."""

import secrets
from pathlib import Path

from flask import Flask, request

from protocol.errors import Rejected
from service.clock import Clock
from service.edge import REQUEST_BYTES
from service.fetch import Fetcher
from service.home import Home
from service.serve import on_stop
from service.ui.app import NavItem, make_ui
from service.ui.staff import StaffDoor, open_staff_door
from service.ui.words import lazy as _l
from wallet.counter_config import CounterConfig
from wallet.paper_scan import MAX_PICTURE_BYTES
from wallet.ui import counter_stop, counter_visits
from wallet.ui.counter_room import Counter
from wallet.ui.counter_words import PROBLEMS
from wallet.visits import Visits

ROOM = "visits"
OFFICERS = frozenset({"clerk", "manager"})
MAX_UPLOAD_BYTES = 2 * MAX_PICTURE_BYTES
"""All sheets of a form together."""
_FORM_BYTES = 64 * 1024


def _allow_upload() -> None:
    """Scans are larger than any other form; said before the form is read to find its token."""
    if request.endpoint == "visits.scanned":
        request.max_content_length = MAX_UPLOAD_BYTES + _FORM_BYTES


def make_counter(
    home: Home, *, clock: Clock | None = None, fetcher: Fetcher | None = None
) -> tuple[Flask, StaffDoor]:
    """The app and its door. Raises `Rejected`: `no_home`, `no_staff` where nobody can sign in."""
    config = home.config(CounterConfig)
    if config.staff is None:
        raise Rejected("no_staff", "staff cannot sign in here: regie wallet counter staff")
    nav = (
        NavItem("visits.index", _l("Visits"), "person", "v", OFFICERS),
        NavItem("stopping.page", _l("Stop"), "stopped", "s", OFFICERS),
    )
    app = make_ui(ROOM, __name__, name=config.name, nav=nav, problems=PROBLEMS, traces=False)
    visits = Visits(home, fetcher=fetcher, clock=clock)
    with app.app_context():
        Counter(visits, config).install()
    app.extensions[REQUEST_BYTES] = MAX_UPLOAD_BYTES + _FORM_BYTES
    app.before_request_funcs.setdefault(None, []).insert(0, _allow_upload)
    for pages in (counter_visits.pages, counter_stop.pages):
        app.register_blueprint(pages)
    door = open_staff_door(
        home,
        ROOM,
        config.staff,
        url=config.url,
        random=secrets.token_bytes,
        clock=clock,
        fetcher=fetcher,
        home_endpoint="visits.index",
    )
    door.install(app)
    on_stop(visits.close)
    return app, door


def create(home: Path) -> Flask:
    """Raises `Rejected`: those of `make_counter`."""
    return make_counter(Home(home))[0]
