"""The first page, and the notices: what is open, what there is, what happened."""

from dataclasses import dataclass
from typing import cast

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from service.ui.words import _, language
from wallet.errand_profile import profile_of
from wallet.opened import OpenWallet
from wallet.records import Copy
from wallet.ui.names import card_label
from wallet.ui.notices import IMPORTANT, Notice, find_notices, now_told
from wallet.ui.prefs import keep_told, preferences, told
from wallet.ui.session import in_use, keeper
from wallet.ui.shelf import book_of
from wallet.ui.start_view import Numbers, count

pages = Blueprint("start", __name__)
FIRST = 3
"""Notices on the first page; the others have a page of their own."""
A_PAGE = 20
_PAGE = "start"


@dataclass(frozen=True)
class _Seen:
    """What the first page says, remembered until the vault or the day changes."""

    counter: int
    until: int
    numbers: Numbers
    notices: list[Notice]


@pages.get("/")
def page() -> str:
    """Open requests first, then three numbers, then what happened."""
    with in_use() as wallet:
        seen = _look(wallet)
        news = profile_of(wallet).news
    shown = [notice for notice in seen.notices if news == "all" or notice.kind in IMPORTANT]
    return render_template(
        "wallet/start.html",
        open_now=keeper().listed(),
        counted=seen.numbers,
        notices=shown[:FIRST],
        more=max(0, len(seen.notices) - FIRST) if shown else 0,
    )


@pages.get("/notices")
def notices() -> str:
    """All of them, what is new first."""
    with in_use() as wallet:
        found, last = _look(wallet).notices, told(wallet).at
    ordered = sorted(found, key=lambda notice: not notice.is_new)
    count_of = max(1, -(-len(ordered) // A_PAGE))
    number = min(max(1, request.args.get("page", 1, int)), count_of)
    shown = ordered[(number - 1) * A_PAGE : number * A_PAGE]
    return render_template(
        "wallet/notices.html",
        new=[notice for notice in shown if notice.is_new],
        standing=[notice for notice in shown if not notice.is_new],
        last=last,
        page=number,
        pages=count_of,
        address=lambda wanted: url_for("start.notices", page=wanted),
    )


@pages.post("/notices/seen")
def seen() -> Response:
    """The resident has seen what is new."""
    with in_use() as wallet:
        keep_told(wallet, now_told(book_of(wallet), wallet.now()))
    flash(_("You are up to date."))
    return redirect(url_for("start.page"), 303)  # type: ignore[return-value]


@pages.app_template_filter("card_name")
def card_name(copy: Copy) -> str:
    """What the resident calls the card of a copy."""
    return card_label(copy.vct, copy.title, language())


def _look(wallet: OpenWallet) -> _Seen:
    """Counting parses every card, so it is done once for each state of the vault, and each quarter of an hour."""
    now = wallet.now()
    known = cast(_Seen | None, keeper().memory.get(_PAGE))
    if known is not None and known.counter == wallet.vault.counter and now < known.until:
        return known
    book, copies = book_of(wallet), wallet.copies()
    own = {name: copy for name, copy in copies.items() if copy.mandate is None}
    made = find_notices(
        book,
        copies,
        told(wallet),
        now,
        must_search=wallet.must_search,
        backed_up_at=preferences(wallet).backed_up_at,
    )
    result = _Seen(wallet.vault.counter, now + 900, count(own, book, now), made)
    keeper().memory[_PAGE] = result
    return result
