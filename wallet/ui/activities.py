"""Activities: what happened, by month; who read how often; one line with its proof; all of it as a file."""

from collections.abc import Sequence

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.errors import Rejected
from service.ui.words import language
from wallet.ui import activity_view, export
from wallet.ui.activity_view import DAY, Filter, filter_of
from wallet.ui.book import Book, Line
from wallet.ui.filters import keep_filter, kept_filter
from wallet.ui.fresh import fresh_of
from wallet.ui.line_words import GROUPS, search_text
from wallet.ui.session import in_use
from wallet.ui.shelf import book_of

pages = Blueprint("activities", __name__, url_prefix="/activities")
_FILES = {"csv": ("text/csv; charset=utf-8", export.as_csv), "json": ("application/json", export.as_json)}


@pages.get("")
def index() -> str:
    """Latest first, in pages, under their months. `?each=1`: every reading of programs on a line of its own."""
    name = request.args.get("view", "")
    wanted, book, now = _wanted(name)
    lines = _chosen(book, wanted)
    shows_each = request.args.get("each") == "1"
    if not shows_each:
        lines = book.remember(("folded", wanted, language()), lambda: activity_view.folded(lines))
    page = activity_view.page_of(lines, request.args.get("page", 1, type=int))

    def address(number: int) -> str:
        return url_for(
            ".index",
            page=number,
            view=name or None,
            agreement=request.args.get("agreement"),
            each=1 if shows_each else None,
        )

    return render_template(
        "wallet/activities.html",
        wanted=wanted,
        name=name or None,
        page=page,
        months=activity_view.by_month(page.lines),
        agencies=list(book.agencies),
        groups=[(group, str(text)) for group, text in GROUPS.items()],
        has_any=bool(book.lines),
        address=address,
        fresh=fresh_of(book, now),
    )


def _wanted(name: str) -> tuple[Filter, Book, int]:
    """What somebody looks for, and where. `?agreement=` shows those of one agreement."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
    wanted = kept_filter(name)
    number = request.args.get("agreement", "")
    return (Filter(number=number) if number in book.agreements else wanted), book, now


def _chosen(book: Book, wanted: Filter) -> Sequence[Line]:
    if wanted.is_everything:
        return book.lines
    return book.remember((wanted, language()), lambda: activity_view.chosen(book.lines, wanted, search_text))


@pages.post("")
def look_for() -> Response:
    """Keep the filter and show what fits it."""
    form = request.form
    wanted = filter_of(form.get("group", ""), form.get("agency", ""), form.get("number", ""), form.get("text", ""))
    return redirect(url_for(".index", view=keep_filter(wanted)), 303)  # type: ignore[return-value]


@pages.get("/reads")
def reads() -> str:
    """A picture of who read how often, week by week."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
    weeks = book.remember(now // DAY, lambda: activity_view.reads_by_week(book.lines, now))
    return render_template("wallet/reads.html", weeks=weeks, fresh=fresh_of(book, now))


@pages.get("/export.<any(csv, json):kind>")
def file(kind: str) -> Response:
    """What is shown now, as a file."""
    wanted, book, _ = _wanted(request.args.get("view", ""))
    media_type, write = _FILES[kind]
    response = Response(write(_chosen(book, wanted), language()), content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="regie-activities.{kind}"'
    return response


@pages.get("/<line_id>")
def line(line_id: str) -> str:
    """One line, and how the wallet knows that it is true."""
    with in_use() as wallet:
        book, mandates = book_of(wallet), wallet.mandates()
    found = book.line_of.get(line_id)
    if found is None:
        raise Rejected("unknown_activity", "there is no such activity here", status=404)
    agreement = book.agreements.get(found.number or "")
    return render_template("wallet/activity.html", line=found, agreement=agreement, mandates=mandates)
