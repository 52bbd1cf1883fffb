"""For the privacy officer: which readings deserve a question, and what came of asking it."""

from datetime import date, datetime, time, timedelta
from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from protocol.reading import READ_SKEW
from service.ui.format import AMSTERDAM
from service.ui.staff import member, needs
from service.ui.words import _
from verifier.alarm_store import MAX_NOTE_CHARACTERS, OUTCOMES, KeptAlert, Outcome
from verifier.ui.room import desk, page_number

pages = Blueprint("alarms", __name__, url_prefix="/alarms")
DAYS = 28


@pages.get("/")
@needs("privacy")
def index() -> str:
    """What nobody looked into, or with `?all=1` everything; above it the readings of each day."""
    store, now = desk().bell.store, desk().now()
    shows_all = request.args.get("all") == "1"
    page, alerts = store.page(page_number(), all_=shows_all)
    first = datetime.fromtimestamp(now, AMSTERDAM).date() - timedelta(days=DAYS - 1)
    starts = [midnight(first + timedelta(days=day)) for day in range(DAYS + 1)]
    loaded = store.loaded()
    return render_template(
        "verifier/alarms.html",
        page=page,
        alerts=alerts,
        shows_all=shows_all,
        days=list(zip(starts, store.per_day(starts), strict=False)),
        rung=loaded.get("rung"),
        missing=[kind for kind in ("cases", "officers") if kind not in loaded],
    )


def midnight(day: date) -> int:
    """Where a day begins in Amsterdam."""
    return int(datetime.combine(day, time(), AMSTERDAM).timestamp())


@pages.post("/")
@needs("privacy")
def ring() -> Response:
    """All rules over all readings, now."""
    desk().bell.ring(desk().now())
    return redirect(url_for("alarms.index"), 303)


@pages.get("/<int:alert>")
@needs("privacy")
def show(alert: int) -> str:
    """Why it rang, what was read, and the form."""
    return _page(desk().bell.store.get(alert), {}, [])


def _page(kept: KeptAlert, filled: dict[str, str], errors: list[tuple[str, Any]]) -> str:
    entries = desk().bell.store.entries(kept.alert.reads)
    # Two logs may have the same number: a look is of the READ that was made with it.
    looks = desk().store.book.looks_at(entries)
    return render_template(
        "verifier/alarm.html",
        kept=kept,
        looks=[each for each in looks if abs(each.at - entries.get(each.entry or 0, 0)) <= READ_SKEW],
        entries=entries,
        filled=filled,
        errors=errors,
    )


@pages.post("/<int:alert>")
@needs("privacy")
def looked(alert: int) -> Response | tuple[str, int]:
    """Somebody looked into it."""
    kept = desk().bell.store.get(alert)
    filled = {name: request.form.get(name, "").strip() for name in ("outcome", "note")}
    errors: list[tuple[str, Any]] = []
    if filled["outcome"] not in OUTCOMES:
        errors.append(("outcome", _("Choose what came of it.")))
    if len(filled["note"]) > MAX_NOTE_CHARACTERS:
        errors.append(("note", _("A note has at most %(num)d characters.", num=MAX_NOTE_CHARACTERS)))
    if errors:
        return _page(kept, filled, errors), 400
    outcome = cast(Outcome, filled["outcome"])
    desk().bell.store.look(alert, desk().officers.known_as(member().id), outcome, filled["note"], desk().now())
    flash(_("Written down."))
    return redirect(url_for("alarms.index"), 303)
