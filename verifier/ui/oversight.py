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


def first_week(now: int) -> int:
    """The Monday, in Amsterdam, with which the weeks that are shown begin; this week is the last of them."""
    today = datetime.fromtimestamp(now, AMSTERDAM).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    return int(monday.timestamp())


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """Pictures first, then the book, a page at a time."""
    store, now = desk().store, desk().now()
    start = first_week(now)
    page, looks = store.book.looks(page_number())
    trust = desk().trust(now)
    return render_template(
        "verifier/oversight.html",
        page=page,
        looks=looks,
        weeks=store.lists.reads_by_week(start, WEEK, WEEKS),
        outcomes_found=store.lists.refusals(start),
        without_look=store.lists.reads_without_look(start),
        contradictions=store.seen.contradictions(),
        services=[shown_service(each) for each in newest(desk().agency(trust).services)],
        now=now,
    )
