"""The resident's cards: what they say, whether they still count, and who has what of them."""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.errors import RegieError, Rejected
from service.ui.errors import find
from service.ui.words import _, language, ngettext
from wallet.errand_check import CheckedCard, check_cards
from wallet.errand_refill import LOW, RefillReport, refill
from wallet.errand_sync import deliver_stops
from wallet.opened import OpenWallet
from wallet.records import Activity, Awaited
from wallet.ui.held import CardView, find_holders, view_awaited, view_cards
from wallet.ui.offered import card_name
from wallet.ui.session import in_use, keeper

pages = Blueprint("cards", __name__)
_CHECKED = "cards.checked"
MOST_HOLDERS = 8
"""Of one datum on the page of a card; the others are in the list of agreements."""


@pages.get("/cards")
def index() -> str:
    """All cards, and those that are still to come."""
    with in_use() as wallet:
        issuers, now = _issuers(wallet), wallet.now()
        awaited = view_awaited(wallet.vault.all("awaited", Awaited), issuers, now, language())
        shown = _cards(wallet)
    return render_template("wallet/cards.html", cards=shown, awaited=awaited, low=LOW)


@pages.get("/cards/<card>")
def page(card: str) -> str:
    """One card, its values behind a button each."""
    return _show(card, opened=False)


@pages.get("/cards/<card>/values")
def values(card: str) -> str:
    """The same with every value open."""
    return _show(card, opened=True)


@pages.post("/cards/refill")
def fetch() -> Response:
    """New copies of what runs low, and cards that are ready by now."""
    with in_use() as wallet:
        deliver_stops(wallet)
        report = refill(wallet, everything=request.form.get("everything") == "1")
    _tell(report)
    return redirect(url_for("cards.index"), 303)  # type: ignore[return-value]


@pages.post("/cards/check")
def check() -> Response:
    """Look up whether the issuers took any card back."""
    with in_use() as wallet:
        deliver_stops(wallet)
        checked = check_cards(wallet)
        keeper().memory[_CHECKED] = tuple(checked)
    thrown = sum(item.thrown for item in checked)
    doubts = any(set(item.copies) - {"valid"} for item in checked)
    if thrown:
        flash(
            ngettext(
                "%(num)d copy was taken back and is gone.", "%(num)d copies were taken back and are gone.", thrown
            )
        )
    flash(_("Not every card is certain. Look below.") if doubts else _("All your cards still count."))
    return redirect(url_for("cards.index"), 303)  # type: ignore[return-value]


def _show(card: str, *, opened: bool) -> str:
    with in_use() as wallet:
        found = next((item for item in _cards(wallet) if item.id == card), None)
    if found is None:
        raise Rejected("no_such_card", "there is no such card here any more", status=404)
    return render_template("wallet/card.html", shown=found, opened=opened, most=MOST_HOLDERS)


def _cards(wallet: OpenWallet) -> tuple[CardView, ...]:
    checked: tuple[CheckedCard, ...] = keeper().memory.get(_CHECKED, ())
    activities = list(wallet.vault.all("activities", Activity).values())
    holders = find_holders(wallet.grants(), activities, wallet.now())
    own = {name: copy for name, copy in wallet.copies().items() if copy.mandate is None}
    return view_cards(own, _issuers(wallet), wallet.now(), language(), checked=checked, holders=holders)


def _issuers(wallet: OpenWallet) -> dict[str, str]:
    """Names of issuers by identifier: those of the trust list, and those that this home trusts besides. Without a
    list that can be read the cards still show, each with its issuer's address.
    """
    try:
        trust = wallet.trust_list()
    except RegieError:
        return {copy.issuer: copy.issuer for copy in wallet.copies().values()}
    strangers = {
        one.id or copy.issuer: one.name for copy in wallet.copies().values() for one in trust.anchors.issuers
    }
    return {**strangers, **{issuer.id: issuer.name for issuer in trust.issuers}}


def _tell(report: RefillReport) -> None:
    """What a visit to the issuers brought, a message for each."""
    for item in report.received:
        flash(
            ngettext("%(card)s: %(num)d new copy.", "%(card)s: %(num)d new copies.", item.copies,
                     card=card_name(item.configuration, item.title, language()))
        )  # fmt: skip
    for name in report.waiting:
        flash(_("%(card)s is not ready yet.", card=card_name(name, "", language())))
    for name in report.ended:
        flash(_("%(card)s will not come. The issuer does not make it.", card=card_name(name, "", language())))
    for _what, code in report.problems:
        flash(_("Sorry, %(what)s", what=find(code).title))
    if not (report.received or report.waiting or report.ended or report.problems):
        flash(_("Nothing to do. You have enough of every card."))
