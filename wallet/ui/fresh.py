"""How fresh what a page shows is, and the button that makes it so: for `wallet/fresh.html`."""

from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request, url_for

from service.ui.view import own_path
from wallet.errand_sync import SyncReport
from wallet.ui.book import Agreement, Book
from wallet.ui.jobs import job_of
from wallet.ui.session import keeper
from wallet.ui.work import SYNC, begin_sync

pages = Blueprint("fresh", __name__, url_prefix="/sync")


@dataclass(frozen=True)
class Fresh:
    """`checked_at`: when the log was last asked, POSIX seconds, None: never; `has_something`: to be asked about.

    `is_running`: the wallet is catching up now; `report`: what came of it the last time.
    """

    checked_at: int | None
    has_something: bool
    is_running: bool
    report: SyncReport | None


def fresh_of(book: Book, now: int, one: Agreement | None = None, *, is_party: bool = False) -> Fresh:
    """Of all agreements that run, or of one. `is_party`: to a mandate, under which others may have given."""
    checked = one.checked_at if one else book.checked_at
    if one is None:
        has = is_party or bool(book.agreements)
    else:
        has = one.record.slot is not None or one.record.joint is not None
    job = job_of(keeper(), SYNC)
    runs = job is not None and job.is_running
    report = job.result if job is not None and not runs and isinstance(job.result, SyncReport) else None
    return Fresh(checked, has, runs, report)


@pages.post("")
def start() -> Response:
    """Catch up, and back to the page where the button is."""
    begin_sync(keeper())
    return redirect(own_path(request.form.get("next", "/")), 303)  # type: ignore[return-value]


@pages.get("/live")
def live() -> str:
    """How far it is; when it is done the page is loaded again."""
    job = job_of(keeper(), SYNC)
    there = own_path(request.args.get("next", "/"))
    return render_template("wallet/fresh_live.html", job=job, there=there, target=url_for(".live", next=there))
