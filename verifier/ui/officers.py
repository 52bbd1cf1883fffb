"""The account of officers: who opened it when, and two people who open it now, at one screen."""

from datetime import date, datetime, time, timedelta
from typing import Any, cast

from flask import Blueprint, render_template, request

from protocol.passphrase import passphrase_of
from service.ui.format import AMSTERDAM
from service.ui.staff import needs
from service.ui.words import _
from verifier.account import OPENING_REASONS, OpeningReason
from verifier.officers import Opened
from verifier.ui.room import desk

pages = Blueprint("officers", __name__, url_prefix="/officers")
LAST_DAYS = 7


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """Anybody who watches over the desk sees who looked; nobody sees an officer."""
    return _page([], {}, None)


@pages.post("/")
@needs("privacy")
def opened() -> str | tuple[str, int]:
    """Two people, one period."""
    form = request.form
    filled = {name: form.get(name, "") for name in ("first", "second", "reason", "since", "until")}
    since, until = _midnight(filled["since"]), _midnight(filled["until"])
    errors: list[tuple[str, Any]] = []
    if since is None:
        errors.append(("since", _("Choose the first day.")))
    if until is None:
        errors.append(("until", _("Choose the last day.")))
    if filled["reason"] not in OPENING_REASONS:
        errors.append(("reason", _("Choose why you look.")))
    if filled["first"] == filled["second"]:
        errors.append(("second", _("Choose two different people.")))
    if since is None or until is None or errors:
        return _page(errors, filled, None), 400
    passphrases = {filled[who]: passphrase_of(form.get(f"{who}-passphrase", "")) for who in ("first", "second")}
    reason = cast(OpeningReason, filled["reason"])
    last = int((datetime.fromtimestamp(until, AMSTERDAM) + timedelta(days=1)).timestamp())
    return _page([], filled, desk().officers.open(passphrases, reason, since, last, desk().now()))


def _page(errors: list[tuple[str, Any]], filled: dict[str, str], found: list[Opened] | None) -> str:
    officers = desk().officers
    today = datetime.fromtimestamp(desk().now(), AMSTERDAM).date()
    return render_template(
        "verifier/officers.html",
        is_sealed=officers.is_sealed,
        people=[holder.name for holder in officers.ring.holders] if officers.is_sealed else [],
        openings=officers.openings() if officers.is_sealed else [],
        entries=officers.account.last()[0] if officers.is_sealed else 0,
        found=found,
        errors=errors,
        by_field=dict(errors),
        filled={"since": str(today - timedelta(days=LAST_DAYS)), "until": str(today), **filled},
    )


def _midnight(text: str) -> int | None:
    """The start of a day in Amsterdam; None for what is no day, or has no day after it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return None if day == date.max else int(datetime.combine(day, time(), AMSTERDAM).timestamp())
