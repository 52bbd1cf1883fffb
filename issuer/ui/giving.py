"""Giving cards to who stands here: see who it is, choose, show the QR code, and give the other code on paper."""

from dataclasses import dataclass
from typing import get_args

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer.counter import DOCUMENTS, Document
from issuer.offer import TX_CODE_DIGITS
from issuer.ui.desk import desk
from issuer.ui.person import visit_of
from issuer.ui.show import DOCUMENT_NAMES, card_name, cards, person_view, spaced
from protocol.errors import Rejected
from protocol.openid4vci import offer_reference_link
from service.ui.staff import member, needs
from service.ui.words import _

pages = Blueprint("giving", __name__, url_prefix="/person/<id_>/give")
if TX_CODE_DIGITS != 8:
    raise ValueError("`show.spaced` writes a code in two groups of four")


@dataclass(frozen=True)
class Given:
    """An offer that was made, as long as the page is open: the code is kept nowhere else in clear."""

    visit: str
    offer_id: str
    tx_code: str
    configurations: tuple[str, ...]
    expires: int


@pages.get("/")
@needs("clerk", "manager")
def choose(id_: str) -> str:
    """Who is it, and which cards?"""
    return _choose_page(id_, [], "", ())


@pages.post("/")
@needs("clerk", "manager")
def offer(id_: str) -> Response | tuple[str, int]:
    """Make the offer."""
    visit = visit_of(id_)
    document = request.form.get("document", "")
    wanted = tuple(name for name in desk().counter.office.credentials if name in request.form.getlist("card"))
    errors = []
    if document not in DOCUMENTS:
        errors.append(("document", _("Choose the document that you have seen.")))
    if not request.form.get("face"):
        errors.append(("face", _("Compare the photo with the person before you.")))
    if not wanted:
        errors.append(("card", _("Choose at least one card.")))
    if errors:
        return _choose_page(id_, errors, document, wanted), 422
    seen: Document = next(one for one in get_args(Document) if one == document)
    made, tx_code = desk().counter.offer(member().id, visit.bsn, wanted, seen)
    given = Given(id_, made.id, tx_code, wanted, made.expires)
    return redirect(url_for("giving.code", id_=id_, given_id=desk().put(given)), 303)


def _choose_page(id_: str, errors: list[tuple[str, str]], document: str, wanted: tuple[str, ...]) -> str:
    dossier = desk().counter.dossier(visit_of(id_).bsn)
    options = [(name, str(DOCUMENT_NAMES[name]).capitalize()) for name in DOCUMENTS]
    return render_template(
        "counter/give.html",
        id_=id_,
        shown=person_view(dossier),
        hold=dossier.hold,
        documents=options,
        cards=cards(desk().counter.office.credentials),
        errors=errors,
        document=document,
        wanted=wanted,
    )


def _given(id_: str, given_id: str) -> Given:
    given = desk().get(given_id, Given)
    if given.visit != id_:
        raise Rejected("visit_over", "nothing is open under this id", status=404)
    visit_of(id_)  # who stands here keeps standing here while the page is open
    return given


@pages.get("/<given_id>")
@needs("clerk", "manager")
def code(id_: str, given_id: str) -> str:
    """The QR code on the screen, and the code to say."""
    return render_template("counter/code.html", id_=id_, given_id=given_id, **_shown(id_, given_id))


@pages.get("/<given_id>/state")
@needs("clerk", "manager")
def state(id_: str, given_id: str) -> str:
    """Whether the wallet has come: asked for by the script."""
    return render_template("counter/state.html", id_=id_, **_shown(id_, given_id))


@pages.get("/<given_id>/paper")
@needs("clerk", "manager")
def paper(id_: str, given_id: str) -> str:
    """To take home: the QR code, and the other code on a strip of its own."""
    return render_template("counter/paper.html", id_=id_, given_id=given_id, **_shown(id_, given_id))


def _shown(id_: str, given_id: str) -> dict[str, object]:
    given = _given(id_, given_id)
    return {
        "link": offer_reference_link(f"{desk().url}/offers/{given.offer_id}"),
        "tx_code": spaced(given.tx_code),
        "names": [card_name(name) for name in given.configurations],
        "expires": given.expires,
        "state": desk().counter.offer_state(given.offer_id),
        "issuer": desk().name,
    }
