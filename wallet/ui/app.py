"""The wallet's web app: `create(home)`, run by `regie wallet serve` on the resident's own machine."""

import secrets
from pathlib import Path

from flask import Flask, Response, current_app, redirect, request, url_for

from service.clock import Clock
from service.edge import REQUEST_BYTES
from service.fetch import Fetcher
from service.home import Home
from service.serve import on_stop
from service.ui.app import NavItem, make_ui
from service.ui.door import LocalDoor
from service.ui.guard import SAFE
from service.ui.view import own_path
from service.ui.words import lazy as _l
from wallet.ui import (
    activities,
    agreement_words,
    agreements,
    backup,
    begin,
    cards,
    complaints,
    evidence,
    following,
    fresh,
    lan,
    letters,
    lost,
    mandates,
    migrate,
    profile,
    pwa,
    receive,
    result,
    rights,
    scan,
    settings,
    start,
    stop,
    unlock,
)
from wallet.ui import request as asked_of
from wallet.ui.begin import MAX_UPLOAD_BYTES, UPLOAD
from wallet.ui.door_problems import PROBLEMS
from wallet.ui.giving_problems import PROBLEMS as GIVING_PROBLEMS
from wallet.ui.looking_back_problems import PROBLEMS as LOOKING_BACK_PROBLEMS
from wallet.ui.session import KEEPER, Keeper, Locked, keeper

NAV = (
    NavItem("start.page", _l("Start"), "home", "s"),
    NavItem("cards.index", _l("Cards"), "card", "c"),
    NavItem("agreements.index", _l("Agreements"), "agreement", "a"),
    NavItem("activities.index", _l("Activities"), "activity", "h"),
    NavItem("settings.page", _l("Settings"), "settings", "i"),
)
PAGES = (
    begin.pages,
    unlock.pages,
    start.pages,
    settings.pages,
    profile.pages,
    backup.pages,
    migrate.pages,
    lost.pages,
    pwa.pages,
)
GIVING = (scan.pages, receive.pages, cards.pages, asked_of.pages, result.pages)
LOOKING_BACK = (
    agreements.pages,
    following.pages,
    stop.pages,
    activities.pages,
    rights.pages,
    letters.pages,
    complaints.pages,
    fresh.pages,
    evidence.pages,
    mandates.pages,
)
_SECRET, _SECRET_BYTES = "ui-secret", 32
_FORM_BYTES = 64 * 1024
"""Of the other fields beside a backup."""
_QUIET = frozenset({"unlock.awake", "assets", "healthz", "static"})
"""What a browser asks by itself: nobody need be there."""


def create(
    home: Path, *, fetcher: Fetcher | None = None, clock: Clock | None = None, profile: str = "standard"
) -> Flask:
    """The app for `home`, which may have no wallet yet. Raises `Rejected`: `no_home`; `Unavailable`: `io`."""
    place = Home(home).create()
    app = make_ui(
        "wallet",
        __name__,
        name=_l("My wallet"),
        nav=NAV,
        problems={**PROBLEMS, **GIVING_PROBLEMS, **LOOKING_BACK_PROBLEMS},
        secret=_secret(place),
        layout="phone",
        traces=False,  # one number at an issuer, an agency and a log would join what they know
    )
    kept = app.extensions[KEEPER] = Keeper(place, fetcher=fetcher, clock=clock, profile=profile)
    app.extensions[REQUEST_BYTES] = MAX_UPLOAD_BYTES + _FORM_BYTES
    app.register_error_handler(Locked, _to_unlock)
    app.before_request_funcs.setdefault(None, []).insert(0, _allow_upload)
    app.before_request(_somebody_is_there)
    app.context_processor(lambda: {"wallet_is_open": kept.is_open})
    agreement_words.install(app)
    for pages in (*PAGES, *GIVING, *LOOKING_BACK):
        app.register_blueprint(pages)
    found = lan.read(place)
    LocalDoor(place.path, "wallet").guard(
        app,
        closed=_l("Ask the program for a new address: regie wallet open."),
        hosts=[found.host] if found else [],
        public=pwa.PUBLIC,
    )
    on_stop(kept.lock)
    return app


def _allow_upload() -> None:
    """Files of a whole wallet are larger than anything else; before the form is read to find its token."""
    if request.path in (UPLOAD, migrate.TAKE_IN):
        request.max_content_length = MAX_UPLOAD_BYTES + _FORM_BYTES


def _secret(home: Home) -> bytes:
    """Signs the session cookie, so that forms which are open outlive the program."""
    home.create_secret(_SECRET, secrets.token_bytes(_SECRET_BYTES))
    return home.read_secret(_SECRET)


def _somebody_is_there() -> None:
    if request.endpoint not in _QUIET and "X-Regie-Live" not in request.headers:
        kept = keeper()
        kept.lock_if_idle()
        kept.touch()


def _to_unlock(_: Locked) -> Response:
    """To where the wallet is unlocked or made, and afterwards back to the page that was asked for.

    What a form would have done is not done; the page that it was on, if it has the same address, comes back.
    """
    if not keeper().exists:
        return redirect(url_for("begin.page"), 303)  # type: ignore[return-value]
    wanted = request.full_path.rstrip("?") if request.method in SAFE else request.path
    is_page = current_app.url_map.bind("localhost").test(request.path, "GET")
    target = url_for("unlock.page", next=own_path(wanted) if is_page and wanted != "/" else None)
    return redirect(target, 303)  # type: ignore[return-value]
