"""What a resident may ask of those who have their data: erasure with its clock, and letters for all else."""

from flask import Blueprint, Response, redirect, render_template, url_for

from protocol.errors import Rejected
from wallet.errand_message import keep_erasure
from wallet.ui.agreements import find
from wallet.ui.fresh import fresh_of
from wallet.ui.jobs import job_of
from wallet.ui.rights_view import can_ask_erasure, letters_of, open_erasures
from wallet.ui.session import in_use, keeper, stay_open
from wallet.ui.shelf import all_erasures, book_of, erasures
from wallet.ui.work import MESSAGES, begin_messages

pages = Blueprint("rights", __name__)


@pages.get("/rights")
def index() -> str:
    """Everything that is asked and not answered, and what else can be asked of whom."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
        asked = all_erasures(wallet, book)
    return render_template(
        "wallet/rights.html",
        waiting=open_erasures(asked),
        agencies=letters_of(book),
        now=now,
        fresh=fresh_of(book, now),
    )


@pages.get("/agreements/<int:grant_id>/erase")
def confirm(grant_id: int) -> Response | str:
    """What asking to erase means; one button."""
    stay_open()
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        may_ask = can_ask_erasure(one, erasures(wallet, one))
    return render_template("wallet/erase.html", one=one) if may_ask else _to_result(grant_id)


@pages.post("/agreements/<int:grant_id>/erase")
def ask(grant_id: int) -> Response:
    """Kept before it is sent; it goes on being sent until both log and agency have it."""
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        if can_ask_erasure(one, erasures(wallet, one)):
            keep_erasure(wallet, one.number)
    begin_messages(keeper())
    return _to_result(grant_id)


def _to_result(grant_id: int) -> Response:
    return redirect(url_for(".erasure", grant_id=grant_id), 303)  # type: ignore[return-value]


@pages.get("/agreements/<int:grant_id>/erasure")
def erasure(grant_id: int) -> str:
    """What was asked, who has it, until when they have to answer, and what they said."""
    return render_template("wallet/erasure.html", **_erasure(grant_id))


@pages.get("/agreements/<int:grant_id>/erasure/live")
def erasure_live(grant_id: int) -> str:
    """The part of it that changes while the message is on its way."""
    return render_template("wallet/erasure_live.html", **_erasure(grant_id))


def _erasure(grant_id: int) -> dict[str, object]:
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        asked, now = erasures(wallet, one), wallet.now()
    job = job_of(keeper(), MESSAGES)
    is_running = job is not None and job.is_running
    return {
        "one": one,
        "asked": asked,
        "now": now,
        "is_running": is_running,
        "may_ask": can_ask_erasure(one, asked),
    }


@pages.get("/agreements/<int:grant_id>/letter")
def letter(grant_id: int) -> str:
    """A letter to print: which data of me do you have, and what did you do with them (GDPR article 15)?"""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
        one = find(book, grant_id)
    return render_template("wallet/letter_access.html", one=one, now=now)


@pages.get("/rights/register-letter")
def register_letter() -> str:
    """A letter to print: to whom did the register give my data (Wet BRP article 3.22)?"""
    with in_use() as wallet:
        now = wallet.now()
    return render_template("wallet/letter_register.html", now=now)


@pages.get("/activities/<line_id>/letter")
def erasure_letter(line_id: str) -> str:
    """A letter to print about a copy, of which no log knows: please erase it (GDPR article 17)."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
    line = book.line_of.get(line_id)
    if line is None or line.kind not in ("copy", "maybe_copy"):
        raise Rejected("unknown_activity", "no copy was given here", status=404)
    return render_template("wallet/letter_erase.html", line=line, now=now)
