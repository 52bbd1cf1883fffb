"""A complaint for the supervisor, from the activity or agreement that it is about; and the activities as TS10."""

from urllib.parse import quote

import msgspec
from flask import Blueprint, Response, render_template, request, url_for

from protocol.errors import Rejected
from service.ui.words import _
from service.ui.words import lazy as _l
from wallet.complaint import REASONS, Complaint
from wallet.errand_report import complain, prepare_complaint
from wallet.errand_transactions import transaction_log
from wallet.jwe_password import encrypt
from wallet.letters import Way, mail_to
from wallet.opened import OpenWallet
from wallet.records import Activity, GrantRecord
from wallet.ui.agreements import find
from wallet.ui.session import in_use
from wallet.ui.shelf import book_of

pages = Blueprint("complaints", __name__)
REASON_WORDS = {
    "asks_too_much": _l("They ask more than they need."),
    "suspicious": _l("I do not trust this request."),
    "no_answer": _l("They do not answer my question."),
    "not_erased": _l("They keep data that they should erase."),
    "looked_without_reason": _l("They looked at my data without a reason."),
    "log_lies": _l("The log showed something that cannot be."),
}


def _agreement(wallet: OpenWallet, grant_id: int) -> GrantRecord:
    return find(book_of(wallet), grant_id).record


def _activity(wallet: OpenWallet, line_id: str) -> Activity:
    line = book_of(wallet).line_of.get(line_id)
    if (
        line is None
        or line.kind not in ("copy", "maybe_copy", "declined")
        or not isinstance(line.record, Activity)
    ):
        raise Rejected("unknown_activity", "there is no such request here", status=404)
    return line.record


@pages.get("/agreements/<int:grant_id>/complain")
def agreement(grant_id: int) -> str:
    """About an organisation that has an agreement."""
    with in_use() as wallet:
        made = prepare_complaint(wallet, _agreement(wallet, grant_id), REASONS[0])
    return _form(
        made, url_for(".complain_agreement", grant_id=grant_id), url_for("agreements.agreement", grant_id=grant_id)
    )


@pages.get("/activities/<line_id>/complain")
def activity(line_id: str) -> str:
    """About a request that was answered once, or refused (RPT_DPA_02: from the log of the wallet)."""
    with in_use() as wallet:
        made = prepare_complaint(wallet, _activity(wallet, line_id), REASONS[0])
    return _form(made, url_for(".complain_activity", line_id=line_id), url_for("activities.line", line_id=line_id))


def _form(made: Complaint, action: str, back: str, error: str | None = None) -> str:
    return render_template(
        "wallet/complain.html",
        made=made,
        action=action,
        back=back,
        reasons=[(reason, REASON_WORDS[reason]) for reason in REASONS],
        errors=[("reason", error)] if error else [],
    )


@pages.post("/agreements/<int:grant_id>/complain")
def complain_agreement(grant_id: int) -> Response | str | tuple[str, int]:
    """The file, and how to bring it to the supervisor."""
    with in_use() as wallet:
        record = _agreement(wallet, grant_id)
        return _made(wallet, record, request.path, url_for("agreements.agreement", grant_id=grant_id))


@pages.post("/activities/<line_id>/complain")
def complain_activity(line_id: str) -> Response | str | tuple[str, int]:
    """The same about a single request."""
    with in_use() as wallet:
        return _made(wallet, _activity(wallet, line_id), request.path, url_for("activities.line", line_id=line_id))


def _made(
    wallet: OpenWallet, subject: GrantRecord | Activity, action: str, back: str
) -> Response | str | tuple[str, int]:
    """The reason is chosen: with `file` the file itself, else what to do with it."""
    reason = next((each for each in REASONS if each == request.form.get("reason")), None)
    if reason is None:
        return _form(prepare_complaint(wallet, subject, REASONS[0]), action, back, str(_("Choose a reason."))), 400
    if "file" in request.form:
        return _file(prepare_complaint(wallet, subject, reason))
    return _send(complain(wallet, subject, reason), action, back)


def _file(made: Complaint) -> Response:
    response = Response(made.body, content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="regie-complaint.json"'
    return response


def _send(made: Complaint, action: str, back: str) -> str:
    """TS8 3.2: a draft of a mail (I4), a page (I2) or a phone number (I6), whatever the supervisor has."""
    subject = _("Report of a request for personal data by %(name)s", name=made.party)
    body = _(
        "I report a request for my personal data by %(name)s. I think that it may be against the law: %(reason)s"
        " The request and what my wallet knows of it are in the file that I add. Please look into it.",
        name=made.party,
        reason=REASON_WORDS[made.reason],
    )
    email = made.authority.email
    mail = mail_to(Way("mail", f"mailto:{quote(email, safe='@')}"), str(subject), str(body)) if email else None
    return render_template(
        "wallet/complained.html", made=made, action=action, back=back, mail=mail, subject=subject, body=body
    )


@pages.get("/activities/log")
def log() -> str:
    """Everything that this wallet did, for another program (EUDI TS10), sealed under a password."""
    return render_template("wallet/transactions.html", errors=[])


@pages.post("/activities/log")
def log_file() -> Response | tuple[str, int]:
    """The Transaction Log Object of TS10 4.1."""
    with in_use() as wallet:
        plain, random = msgspec.json.encode({"transactionLog": transaction_log(wallet)}), wallet.random
    try:
        sealed = encrypt(plain, request.form.get("passphrase", "").encode(), random)
    except Rejected as error:
        if error.code != "weak_passphrase":
            raise
        weak = str(_("Choose a longer password."))
        return render_template("wallet/transactions.html", errors=[("passphrase", weak)]), 400
    response = Response(sealed, content_type="application/jose")
    response.headers["Content-Disposition"] = 'attachment; filename="regie-transactions.jwe"'
    return response
