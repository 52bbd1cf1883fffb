"""For who watches over the desk: who read what and why, what the log refused, which services ask too much."""

from flask import Blueprint, render_template

from service.ui.staff import needs
from verifier.ui.room import desk, page_number
from verifier.ui.shown import newest, shown_service

pages = Blueprint("oversight", __name__, url_prefix="/oversight")
WEEK = 7 * 86_400
WEEKS = 8


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """Pictures first, then the book, a page at a time."""
    store, now = desk().store, desk().now()
    page, looks = store.book.looks(page_number())
    trust = desk().trust(now)
    return render_template(
        "verifier/oversight.html",
        page=page,
        looks=looks,
        weeks=store.lists.reads_by_week(now - WEEKS * WEEK, WEEK, WEEKS),
        week=WEEK,
        outcomes_found=store.lists.refusals(now - WEEKS * WEEK),
        without_look=store.lists.reads_without_look(now - WEEKS * WEEK),
        contradictions=store.seen.contradictions(),
        services=[shown_service(each) for each in newest(desk().agency(trust).services)],
        now=now,
    )
