"""When the register changes: the standing choice of an agreement, sending new data by hand, and how to go on.

The choice says what happens from now on. New data that are sent by hand are shown first; no box is ticked before.
"""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.errors import Rejected
from protocol.names import visible
from service.ui.words import _
from wallet.errand_history import look_back
from wallet.errand_refresh import choose_follow, refresh_agreement
from wallet.ui.agreements import find
from wallet.ui.following_view import newer_of
from wallet.ui.session import in_use, stay_open
from wallet.ui.shelf import book_of

pages = Blueprint("following", __name__, url_prefix="/agreements/<int:grant_id>")


@pages.post("/follow")
def follow(grant_id: int) -> Response:
    """Whether new data go to this organisation by themselves."""
    choice = request.form.get("follow", "")
    if choice not in ("yes", "no"):
        raise Rejected("bad_request", "the choice is yes or no")
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
        choose_follow(wallet, one.number, follow=choice == "yes")
    if choice == "yes":
        flash(_("Saved. When the register changes, they get your new data."))
    else:
        flash(_("Saved. Your wallet asks you before it sends new data."))
    return _back(grant_id)


@pages.get("/renew")
def confirm(grant_id: int) -> Response | str:
    """What is sent, to whom; one button, and a box where the register keeps the data secret."""
    return _show(grant_id, [])


@pages.post("/renew")
def renew(grant_id: int) -> Response | tuple[Response | str, int]:
    """Send the newest data now. What cannot be delivered yet waits in the wallet."""
    with in_use() as wallet:
        found = newer_of(wallet, find(book_of(wallet), grant_id))
    if found is not None and found.is_secret and request.form.get("sure") != "1":
        return _show(grant_id, [("sure", _("Tick that you want to send them."))]), 422
    with in_use() as wallet:
        refresh_agreement(wallet, str(grant_id))
        look_back(wallet, str(grant_id))
    flash(_("They have your new data now."))
    return _back(grant_id)


@pages.get("/extend")
def extend(grant_id: int) -> str:
    """An agreement never gets longer: how to ask the organisation for a new one."""
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
    return render_template("wallet/extend.html", one=one)


def _show(grant_id: int, errors: list[tuple[str, str]]) -> Response | str:
    stay_open()
    with in_use() as wallet:
        found = newer_of(wallet, find(book_of(wallet), grant_id))
    if found is None:
        flash(_("They have your newest data already."))
        return _back(grant_id)
    name = visible(found.one.agency_name)
    return render_template("wallet/renew.html", one=found.one, newer=found, name=name, errors=errors)


def _back(grant_id: int) -> Response:
    return redirect(url_for("agreements.agreement", grant_id=grant_id), 303)  # type: ignore[return-value]
