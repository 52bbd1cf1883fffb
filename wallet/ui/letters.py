"""Letters to print about a right, the sender filled in from the cards, and the way to who takes no messages."""

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.errors import Rejected
from service.ui.format import day
from service.ui.words import _
from wallet.asker_facts import asker_facts
from wallet.errand_report import note_deletion
from wallet.letters import LetterKind, Sender, Way, mail_to, sender_of, way_to
from wallet.opened import OpenWallet
from wallet.records import Activity
from wallet.ui.agreement_words import labels_of
from wallet.ui.agreements import find
from wallet.ui.book import Line
from wallet.ui.session import in_use
from wallet.ui.shelf import book_of

pages = Blueprint("letters", __name__)
_KINDS: tuple[LetterKind, ...] = ("access", "rectification", "erasure")


@pages.get("/agreements/<int:grant_id>/letter/<kind>")
def letter(grant_id: int, kind: str) -> str:
    """To an organisation with an agreement: see, correct or erase (GDPR articles 15, 16 and 17)."""
    if kind not in _KINDS:
        raise Rejected("unknown_right", "there is no such letter", status=404)
    with in_use() as wallet:
        one, now, sender = find(book_of(wallet), grant_id), wallet.now(), sender_of(wallet.copies().values())
    return render_template(f"wallet/letter_{kind}.html", one=one, line=None, now=now, sender=sender)


@pages.get("/rights/register-letter")
def register_letter() -> str:
    """To the municipality: to whom did the register give my data (Wet BRP article 3.22)?"""
    with in_use() as wallet:
        now, sender = wallet.now(), sender_of(wallet.copies().values())
    return render_template("wallet/letter_register.html", now=now, sender=sender)


@pages.get("/activities/<line_id>/letter")
def erasure_letter(line_id: str) -> str:
    """About a copy, of which no log knows: please erase it (GDPR article 17)."""
    with in_use() as wallet:
        line, _activity = _copy(wallet, line_id)
        now, sender = wallet.now(), sender_of(wallet.copies().values())
    return render_template("wallet/letter_erasure.html", one=None, line=line, now=now, sender=sender)


def _copy(wallet: OpenWallet, line_id: str) -> tuple[Line, Activity]:
    line = book_of(wallet).line_of.get(line_id)
    if line is None or line.kind not in ("copy", "maybe_copy") or not isinstance(line.record, Activity):
        raise Rejected("unknown_activity", "no copy was given here", status=404)
    return line, line.record


@pages.get("/activities/<line_id>/delete")
def deletion(line_id: str) -> str:
    """How to ask who has a copy to erase it: on its page, by mail, by phone (EUDI TS7), or by letter."""
    with in_use() as wallet:
        line, activity = _copy(wallet, line_id)
        sender = sender_of(wallet.copies().values())
    contact = asker_facts(activity.request).support
    way = _way(contact)
    return render_template(
        "wallet/deletion.html",
        line=line,
        contact=contact,
        way=way,
        href=_href(way, line, sender) if way else None,
        begun="begun" in request.args,
    )


def _href(way: Way, line: Line, sender: Sender) -> str:
    """A mail says what it is about and which data are meant (DATA_DLT_08, DATA_DLT_09); who asks stands below."""
    if way.kind != "mail":
        return way.href
    body = [
        _("I ask you to erase these data, which I gave you with my wallet on %(day)s:", day=day(line.time)),
        *(f"- {label}" for label in labels_of(line.attributes)),
        _("Please tell me within one month that you did it (GDPR, articles 12 and 17)."),
        sender.name or "",
    ]
    return mail_to(way, str(_("Request to erase personal data (GDPR, article 17)")), "\n\n".join(map(str, body)))


def _way(contact: str | None) -> Way | None:
    return way_to(contact) if contact else None


@pages.post("/activities/<line_id>/delete")
def begin_deletion(line_id: str) -> Response:
    """Noted before the browser or the mail program takes over (DATA_DLT_06)."""
    with in_use() as wallet:
        _line, activity = _copy(wallet, line_id)
        way = _way(asker_facts(activity.request).support)
        if way is None:
            raise Rejected("unknown_contact", "nothing is known of how to reach them", status=404)
        note_deletion(wallet, activity)
    return redirect(url_for(".deletion", line_id=line_id, begun=1), 303)  # type: ignore[return-value]
