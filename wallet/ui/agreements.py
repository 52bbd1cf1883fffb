"""My agreements: which there are, and everything about one of them."""

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.errors import Rejected
from protocol.rights import RIGHTS
from service.ui.words import language
from wallet.ui import agreement_view
from wallet.ui.activity_view import filter_of, folded
from wallet.ui.book import Agreement, Book
from wallet.ui.counted import listed
from wallet.ui.counting import counting_of
from wallet.ui.filters import keep_filter, kept_filter
from wallet.ui.following_view import newer_of
from wallet.ui.fresh import fresh_of
from wallet.ui.rights_view import can_ask
from wallet.ui.session import in_use
from wallet.ui.shelf import asked, book_of

pages = Blueprint("agreements", __name__, url_prefix="/agreements")


@pages.get("")
def index() -> str:
    """Active ones, or those that are over."""
    wanted = kept_filter(request.args.get("view", ""))
    is_over = request.args.get("show") == "over"
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
        mandates = wallet.mandates()
    page = request.args.get("page", 1, type=int)
    listing = agreement_view.listing_of(book.agreements.values(), over=is_over, text=wanted.text, page=page)

    kept = {name: request.args.get(name) for name in ("view", "show")}

    def address(number: int) -> str:
        return url_for(".index", page=number, view=kept["view"], show=kept["show"])

    return render_template(
        "wallet/agreements.html",
        listing=listing,
        shown=[agreement_view.shown(each, now) for each in listing.shown],
        over=is_over,
        wanted=wanted,
        now=now,
        address=address,
        fresh=fresh_of(book, now, is_party=bool(mandates)),
        mandates=mandates,
    )


@pages.post("")
def search() -> Response:
    """Keep what is looked for; an address never tells it."""
    wanted = filter_of("", "", "", request.form.get("text", ""))
    show = "over" if request.form.get("show") == "over" else None
    return redirect(url_for(".index", view=keep_filter(wanted), show=show), 303)  # type: ignore[return-value]


@pages.get("/<int:grant_id>")
def agreement(grant_id: int) -> str:
    """One agreement: with whom, what, how long, what happened, and how to stop."""
    with in_use() as wallet:
        book, now = book_of(wallet), wallet.now()
        one = find(book, grant_id)
        newer = newer_of(wallet, one)
        found = asked(wallet, one)
        mandates = wallet.mandates()
        counted = counting_of(one.record.about, listed(wallet), language())
    return render_template(
        "wallet/agreement.html",
        it=_with_all(book, one, now),
        one=one,
        may_ask=[right for right in RIGHTS if can_ask(one, found, right)],
        asked={each.right for each in found},
        newer=newer,
        now=now,
        fresh=fresh_of(book, now, one),
        mandates=mandates,
        counted=counted,
    )


def _with_all(book: Book, one: Agreement, now: int) -> agreement_view.Shown:
    siblings = agreement_view.siblings_of(one, book.agreements.values())
    return agreement_view.shown(one, now, lines=folded(book.chapters[one.number].lines), siblings=siblings)


def find(book: Book, grant_id: int) -> Agreement:
    """Raises `Rejected`: `unknown_grant`."""
    found = book.agreements.get(str(grant_id))
    if found is None:
        raise Rejected("unknown_grant", "there is no agreement of this number here", status=404)
    return found
