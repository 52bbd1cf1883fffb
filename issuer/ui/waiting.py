"""What waits for somebody to look: approve or refuse, with a reason."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer.ui.desk import check_reason, desk, sentence
from issuer.ui.show import card_name, person_view
from protocol.errors import Rejected
from service.ui.staff import member, needs
from service.ui.words import _

pages = Blueprint("waiting", __name__, url_prefix="/waiting")


@pages.get("/")
@needs("manager")
def index() -> str:
    """The oldest first."""
    waiting = [
        {"id": one.offer_id, "asked": one.asked, "names": [card_name(name) for name in one.configurations]}
        for one in desk().counter.office.waiting()
    ]
    return render_template("counter/waiting.html", waiting=waiting)


@pages.get("/<offer_id>")
@needs("manager")
def one(offer_id: str) -> str:
    """Who waits, and why he was held."""
    return _page(offer_id, [])


def _page(offer_id: str, errors: list[tuple[str, str]]) -> str:
    """Showing it is written down, whatever way led here."""
    found = desk().counter.waiting_person(offer_id)
    desk().counter.open(member().id, found.bsn)
    dossier = desk().counter.dossier(found.bsn)
    (asked,) = [item for item in desk().counter.office.waiting() if item.offer_id == offer_id]
    return render_template(
        "counter/waits.html",
        offer_id=offer_id,
        shown=person_view(dossier),
        hold=dossier.hold,
        names=[card_name(name) for name in asked.configurations],
        asked=asked.asked,
        errors=errors,
    )


@pages.post("/<offer_id>/approve")
@needs("manager")
def approve(offer_id: str) -> Response:
    """The wallet gets its cards when it comes again."""
    desk().counter.approve(member().id, offer_id)
    flash(_("Approved. The wallet gets the cards when it asks again."))
    return redirect(url_for("waiting.index"), 303)


@pages.post("/<offer_id>/deny")
@needs("manager")
def deny(offer_id: str) -> Response | tuple[str, int]:
    """The wallet is told so when it comes again."""
    try:
        reason = check_reason(request.form.get("reason", ""))
    except Rejected as error:
        return _page(offer_id, [("reason", sentence(error.code))]), 422
    desk().counter.deny(member().id, offer_id, reason)
    flash(_("Refused. The wallet is told so when it asks again."))
    return redirect(url_for("waiting.index"), 303)
