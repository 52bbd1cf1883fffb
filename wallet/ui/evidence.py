"""What cannot be: a log that signed something that is not true. What it means, and the file for an auditor."""

import msgspec
from flask import Blueprint, Response, redirect, render_template, url_for

from protocol.errors import Rejected
from wallet.records import Evidence
from wallet.ui.agreements import find
from wallet.ui.book import Agreement
from wallet.ui.evidence_words import words_of
from wallet.ui.fresh import fresh_of
from wallet.ui.jobs import Job, job_of
from wallet.ui.session import in_use, keeper
from wallet.ui.shelf import book_of
from wallet.ui.work import SEARCH, begin_search

pages = Blueprint("evidence", __name__)


@pages.get("/problems")
def index() -> str:
    """All that was ever found."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
    found = [(one, each) for one in book.agreements.values() for each in one.problems]
    found.sort(key=lambda pair: -pair[1].noticed_at)
    shown = [(one, each, words_of(each)) for one, each in found]
    return render_template("wallet/problems.html", found=shown, fresh=fresh_of(book, now))


@pages.get("/agreements/<int:grant_id>/problems/<code>")
def problem(grant_id: int, code: str) -> str:
    """One of them: what the log showed, why it cannot be, what to do."""
    one, found = _find(grant_id, code)
    return render_template("wallet/problem.html", one=one, found=found, words=words_of(found))


@pages.get("/agreements/<int:grant_id>/problems/<code>.json")
def file(grant_id: int, code: str) -> Response:
    """What the log signed, to hand to an auditor: it shows the reads of this one agreement and no value."""
    _, found = _find(grant_id, code)
    response = Response(msgspec.json.format(msgspec.json.encode(found), indent=1), content_type="application/json")
    name = f"regie-evidence-{found.grant}-{found.code}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _find(grant_id: int, code: str) -> tuple[Agreement, Evidence]:
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
    found = next((each for each in one.problems if each.code == code), None)
    if found is None:
        raise Rejected("unknown_problem", "there is no such problem here", status=404)
    return one, found


@pages.post("/agreements/<int:grant_id>/search")
def search(grant_id: int) -> Response:
    """Go through the whole log; it takes as long as the log is."""
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
    if one.record.slot is None:
        raise Rejected("not_logged", "this agreement has not reached the log yet", status=409)
    begin_search(keeper(), one.number)
    return redirect(url_for(".searching", grant_id=grant_id), 303)  # type: ignore[return-value]


@pages.get("/agreements/<int:grant_id>/search")
def searching(grant_id: int) -> str:
    """How far the search is, and what it found."""
    return render_template("wallet/search.html", **_search_of(grant_id))


@pages.get("/agreements/<int:grant_id>/search/live")
def searching_live(grant_id: int) -> str:
    """The part of it that changes."""
    return render_template("wallet/search_live.html", **_search_of(grant_id))


def _search_of(grant_id: int) -> dict[str, object]:
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
    job: Job | None = job_of(keeper(), SEARCH)
    if job is not None and job.about != one.number:
        job = None
    return {"one": one, "job": job}
