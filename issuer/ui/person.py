"""The page of one resident: who it is, what was given, what was done here, and what can be done now."""

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer.brp import Bsn
from issuer.ui.desk import check_reason, desk, sentence
from issuer.ui.show import issued_cards, person_view
from protocol.errors import Rejected
from service.ui.staff import member, needs
from service.ui.words import _

pages = Blueprint("person", __name__, url_prefix="/person/<id_>")


@dataclass(frozen=True)
class Visit:
    """Somebody who stands at the counter."""

    bsn: Bsn


def visit_of(id_: str) -> Visit:
    """Raises `Rejected`: `visit_over` (404)."""
    return desk().get(id_, Visit)


@pages.get("/")
@needs("clerk", "manager")
def page(id_: str) -> str:
    """Who it is."""
    dossier = desk().counter.dossier(visit_of(id_).bsn)
    return render_template("counter/person.html", id_=id_, shown=person_view(dossier), hold=dossier.hold)


@pages.post("/done")
@needs("clerk", "manager")
def done(id_: str) -> Response:
    """The next one, please."""
    desk().drawer.drop(member().id, id_)
    return redirect(url_for("find.start"), 303)


@pages.get("/revoke/<offer_id>")
@needs("clerk", "manager")
def revoke(id_: str, offer_id: str) -> str:
    """What is about to be taken back, and why."""
    return _revoke_page(id_, offer_id, [])


@pages.post("/revoke/<offer_id>")
@needs("clerk", "manager")
def revoke_now(id_: str, offer_id: str) -> Response | tuple[str, int]:
    """Take it back, for ever."""
    try:
        reason = check_reason(request.form.get("reason", ""))
    except Rejected as error:
        return _revoke_page(id_, offer_id, [("reason", sentence(error.code))]), 422
    desk().counter.revoke(member().id, visit_of(id_).bsn, offer_id, reason)
    flash(_("Taken back. Nobody accepts these cards any more."))
    return redirect(url_for("person.page", id_=id_), 303)


def _revoke_page(id_: str, offer_id: str, errors: list[tuple[str, str]]) -> str:
    issued = issued_cards(desk().counter.dossier(visit_of(id_).bsn).issued)
    shown = next((one for one in issued if one.offer_id == offer_id), None)
    if shown is None:
        raise Rejected("unknown_id", "nothing was issued under this id", status=404)
    return render_template("counter/revoke.html", id_=id_, shown=shown, errors=errors)


@pages.get("/hold")
@needs("clerk", "manager")
def hold(id_: str) -> str:
    """Why should nothing be given for now?"""
    visit_of(id_)
    return render_template("counter/hold.html", id_=id_, errors=[])


@pages.post("/hold")
@needs("clerk", "manager")
def hold_now(id_: str) -> Response | tuple[str, int]:
    """Nothing more is given until somebody has looked."""
    visit = visit_of(id_)
    try:
        reason = check_reason(request.form.get("reason", ""))
    except Rejected as error:
        errors = [("reason", sentence(error.code))]
        return render_template("counter/hold.html", id_=id_, errors=errors), 422
    desk().counter.hold(member().id, visit.bsn, reason)
    flash(_("Held. Nothing is given until somebody has looked at the record."))
    return redirect(url_for("person.page", id_=id_), 303)


@pages.post("/release")
@needs("manager")
def release(id_: str) -> Response:
    """The record is good."""
    desk().counter.release(member().id, visit_of(id_).bsn)
    flash(_("Held no longer. What waits is still to be approved or refused."))
    return redirect(url_for("person.page", id_=id_), 303)
