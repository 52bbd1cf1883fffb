"""What a resident may ask of those who have their data: to see, to correct, to erase, each with its clock."""

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.errors import Rejected
from protocol.rights import RIGHTS, Right
from service.ui.words import _
from wallet.errand_message import keep_request
from wallet.ui.agreements import find
from wallet.ui.fresh import fresh_of
from wallet.ui.jobs import job_of
from wallet.ui.names import is_flag
from wallet.ui.rights_view import can_ask, letters_of, still_open
from wallet.ui.session import in_use, keeper, stay_open
from wallet.ui.shelf import all_asked, asked, book_of
from wallet.ui.work import MESSAGES, begin_messages

pages = Blueprint("rights", __name__)


@pages.get("/rights")
def index() -> str:
    """Everything that is asked and not answered, and what else can be asked of whom."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
        found = all_asked(wallet, book)
    return render_template(
        "wallet/rights.html",
        waiting=still_open(found),
        agencies=letters_of(book),
        now=now,
        fresh=fresh_of(book, now),
    )


@pages.get("/agreements/<int:grant_id>/ask/<right>")
def confirm(grant_id: int, right: str) -> Response | str:
    """What asking means; one button, and for a correction a box for each datum."""
    stay_open()
    return _confirm(grant_id, _right(right))


def _right(text: str) -> Right:
    for right in RIGHTS:
        if right == text:
            return right
    raise Rejected("unknown_right", "there is no such right", status=404)


def _confirm(grant_id: int, right: Right, errors: tuple[tuple[str, str], ...] = ()) -> Response | str:
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        may_ask = can_ask(one, asked(wallet, one), right)
    if not may_ask:
        return _to_asked(grant_id)
    given = [name for name in one.attributes if not is_flag(name)]
    return render_template("wallet/ask_right.html", one=one, right=right, given=given, errors=errors)


@pages.post("/agreements/<int:grant_id>/ask/<right>")
def ask(grant_id: int, right: str) -> Response | str | tuple[Response | str, int]:
    """Kept before it is sent; it goes on being sent until both log and agency have it."""
    wanted, chosen = _right(right), request.form.getlist("data")
    if wanted == "rectification" and not chosen:
        return _confirm(grant_id, wanted, (("data", str(_("Choose what is wrong."))),)), 400
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        if can_ask(one, asked(wallet, one), wanted):
            keep_request(wallet, one.number, wanted, chosen)
    begin_messages(keeper())
    return _to_asked(grant_id)


def _to_asked(grant_id: int) -> Response:
    return redirect(url_for(".asked_page", grant_id=grant_id), 303)  # type: ignore[return-value]


@pages.get("/agreements/<int:grant_id>/asked")
def asked_page(grant_id: int) -> str:
    """What was asked, who has it, until when they have to answer, and what they said."""
    return render_template("wallet/asked.html", **_asked(grant_id))


@pages.get("/agreements/<int:grant_id>/asked/live")
def asked_live(grant_id: int) -> str:
    """The part of it that changes while the message is on its way."""
    return render_template("wallet/asked_live.html", **_asked(grant_id))


def _asked(grant_id: int) -> dict[str, object]:
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        found, now = asked(wallet, one), wallet.now()
    job = job_of(keeper(), MESSAGES)
    return {
        "one": one,
        "asked": found,
        "now": now,
        "is_running": job is not None and job.is_running,
        "may_ask": [right for right in RIGHTS if can_ask(one, found, right)],
        "known": {each.right for each in found},
    }
