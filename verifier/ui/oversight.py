"""For who watches over the desk: who read what and why, what the log refused, which services ask too much."""

from datetime import datetime, timedelta

from flask import Blueprint, render_template

from service.ui.format import AMSTERDAM
from service.ui.staff import needs
from verifier.ui.room import desk, page_number
from verifier.ui.shown import newest, shown_service

pages = Blueprint("oversight", __name__, url_prefix="/oversight")
WEEK = 7 * 86_400
WEEKS = 8


def last_mondays(now: int) -> list[int]:
    """The starts, in Amsterdam, of the weeks that are shown; the last one is this week. Where the clock changes, a
    week is counted as long as any other: an hour of one Sunday is told with its neighbour.
    """
    today = datetime.fromtimestamp(now, AMSTERDAM).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    return [int((monday - timedelta(weeks=back)).timestamp()) for back in reversed(range(WEEKS))]


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """Pictures first, then the book, a page at a time."""
    store, now = desk().store, desk().now()
    mondays = last_mondays(now)
    readings = store.lists.readings(mondays[0], WEEK, WEEKS)
    page, looks = store.book.looks(page_number())
    trust = desk().trust(now)
    return render_template(
        "verifier/oversight.html",
        page=page,
        looks=looks,
        weeks=list(zip(mondays, readings.spans, strict=True)),
        refusals=readings.codes,
        elsewhere=readings.elsewhere,
        contradictions=store.seen.contradictions(),
        services=[shown_service(each) for each in newest(desk().agency(trust).services)],
        now=now,
    )
