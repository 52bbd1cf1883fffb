"""Acting for somebody else, and letting somebody act for you: the errands of the command line on pages."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.errors import RegieError, Rejected
from protocol.mandate import MandateService
from protocol.mandate_api import InvitationAnswer
from protocol.names import visible
from protocol.trust_list import TrustList
from service.ui.words import _, language
from wallet import errand_joint, errand_mandate
from wallet.errand_joint import Waiting
from wallet.errand_mandate import Found
from wallet.errand_sync import deliver_stops
from wallet.opened import OpenWallet
from wallet.ui.mandate_view import MandateView, end_of_day, listed_services, view_found, view_mandate
from wallet.ui.session import in_use, keeper, stay_open

pages = Blueprint("mandates", __name__, url_prefix="/mandates")
_TOLD, _INVITATION, _ASKED, _WISH = "mandates.told", "mandates.invitation", "mandates.asked", "mandates.wish"
MAX_CODE = 200


@dataclass(frozen=True)
class Wish:
    """A wish that waits for its last yes: whom, for what, until when."""

    code: str
    name: str
    services: tuple[str, ...]
    until: int


@pages.get("")
def index() -> str:
    """Whom the resident acts for, who acts for the resident, and what the register said when it was last asked."""
    with in_use() as wallet:
        views = _views(wallet)
        told: list[Found] | None = keeper().memory.get(_TOLD)
        found = view_found(told or [], wallet.mandates())
    asked: list[Waiting] = keeper().memory.get(_ASKED, [])
    return render_template(
        "wallet/mandates.html",
        acting=[one for one in views if not one.is_self],
        acted=[one for one in views if one.is_self],
        found=[one for one in found if one.number is None],
        was_asked=told is not None,
        proposals=[one for one in asked if not one.is_signed],
    )


@pages.post("/ask")
def ask() -> Response:
    """Ask the registers, and look what others ask this wallet to sign."""
    with in_use() as wallet:
        deliver_stops(wallet)
        keeper().memory[_TOLD] = errand_mandate.represented(wallet)
        keeper().memory[_ASKED] = errand_joint.proposals(wallet)
    return _to(".index")


@pages.post("/take")
def take() -> Response:
    """Take what the register said, with its cards: this one, wherever it stands in a list that came since."""
    issuer, reference = request.form.get("issuer", ""), request.form.get("reference", "")
    told: list[Found] = keeper().memory.get(_TOLD) or []
    if (issuer, reference) not in {(one.issuer, one.representation.reference) for one in told}:
        raise Rejected("not_kept", "the register was not asked for this; ask it again", status=404)
    with in_use() as wallet:
        deliver_stops(wallet)
        taken = errand_mandate.take_mandate(wallet, reference, issuer=issuer)
        keeper().memory[_TOLD] = errand_mandate.represented(wallet)
    if taken.record.party == 0:
        flash(_("You see from now on what others do for you."))
    else:
        flash(_("You can act for %(name)s now.", name=visible(taken.record.name)))
    return _to(".mandate", number=taken.record.number)


@pages.get("/<number>")
def mandate(number: str) -> str:
    """One mandate: what it is for, and what was done under it."""
    with in_use() as wallet:
        found = _view(wallet, number)
    return render_template("wallet/mandate.html", one=found)


@pages.get("/<number>/end")
def ask_end(number: str) -> str:
    """What ending it means."""
    stay_open()
    with in_use() as wallet:
        found = _view(wallet, number)
        running = len(errand_mandate.grants_under(wallet, found.key))
    return render_template("wallet/mandate_end.html", one=found, running=running)


@pages.post("/<number>/end")
def end(number: str) -> Response:
    """End it, and stop what was given under it."""
    with in_use() as wallet:
        errand_mandate.end_mandate(wallet, number)
    flash(_("This is over. Nobody can act under it any more."))
    return _to(".mandate", number=number)


@pages.post("/invite")
def invite() -> Response:
    """Offer to help somebody."""
    with in_use() as wallet:
        keeper().memory[_INVITATION] = errand_mandate.invite(wallet)
    return _to(".invitation")


@pages.get("/invitation")
def invitation() -> str:
    """The invitation, as a QR code and as text."""
    with in_use():
        made: InvitationAnswer | None = keeper().memory.get(_INVITATION)
    if made is None:
        raise Rejected("not_kept", "you have made no invitation since you unlocked", status=404)
    return render_template("wallet/mandate_invitation.html", made=made)


@pages.get("/wish")
def wish_page() -> str:
    """Let somebody act for you: who, for what, until when."""
    stay_open()
    return _wish_form({})


@pages.post("/wish")
def wish() -> Response | tuple[str, int]:
    """1. what was filled in; 2. whose invitation it is; then the last question."""
    code = "".join(request.form.get("code", "").split())[:MAX_CODE]
    errors = {}
    with in_use() as wallet:
        trust, now = wallet.trust_list(), wallet.now()
        known = dict(listed_services(trust, language()))
        services = tuple(name for name in request.form.getlist("service") if name in known)
        if not services:
            errors["service"] = _("Choose at least one service.")
        try:
            until = end_of_day(request.form.get("until", ""), now)
        except Rejected:
            errors["until"] = _("Fill in a day that is still to come, within five years.")
        if not errors:
            try:
                helper = errand_mandate.look_up(wallet, code)
            except Rejected:
                errors["code"] = _("This invitation is over or not right. Ask for a new one.")
    if errors:
        return _wish_form(errors), 400
    keeper().memory[_WISH] = Wish(code, visible(helper.name), services, until)
    return _to(".confirm_wish")


@pages.get("/wish/confirm")
def confirm_wish() -> str:
    """The last question, with the name that the register gave."""
    stay_open()
    with in_use() as wallet:
        known = dict(listed_services(wallet.trust_list(), language()))
        asked = _kept_wish()
    words = [known.get(name, name) for name in asked.services]
    return render_template("wallet/mandate_wish_confirm.html", wish=asked, services=words)


@pages.post("/wish/confirm")
def sign_wish() -> Response:
    """The yes: the wish is signed and registered. The resident takes it too, to see and stop what happens."""
    with in_use() as wallet:
        asked = _kept_wish()
        named = [MandateService(*name.split("/", 1)) for name in asked.services]
        made = errand_mandate.wish(wallet, asked.code, named, asked.until)
        keeper().memory.pop(_WISH, None)
        found = errand_mandate.represented(wallet)
        keeper().memory[_TOLD] = found
        mine = next((one for one in found if one.representation.id == made.id), None)
        if mine is not None:
            errand_mandate.take_mandate(wallet, mine.representation.reference, issuer=mine.issuer)
            keeper().memory[_TOLD] = errand_mandate.represented(wallet)
    flash(_("%(name)s may act for you now.", name=visible(made.name)))
    return _to(".index")


@pages.get("/proposals/<reference>")
def proposal(reference: str) -> str:
    """What another party asks the resident to sign too."""
    stay_open()
    with in_use():
        one = _proposal(reference)
    return render_template("wallet/mandate_proposal.html", one=one)


@pages.post("/proposals/<reference>")
def agree(reference: str) -> Response:
    """The resident agrees, or leaves it: what was shown, so that a second click never signs the next one."""
    with in_use() as wallet:
        one = _proposal(reference)
        if request.form.get("answer") == "agree":
            errand_joint.agree(wallet, one)
            flash(_("You agreed. It goes on once everybody has agreed."))
        else:
            flash(_("You did not agree. Nothing is given."))
        asked: list[Waiting] = keeper().memory.get(_ASKED, [])
        keeper().memory[_ASKED] = [each for each in asked if each is not one]
    return _to(".index")


def _proposal(reference: str) -> Waiting:
    asked: list[Waiting] = keeper().memory.get(_ASKED, [])
    for one in asked:
        if one.reference == reference:
            return one
    raise Rejected("not_kept", "this is not asked any more; look again", status=404)


def _kept_wish() -> Wish:
    found: Wish | None = keeper().memory.get(_WISH)
    if found is None:
        raise Rejected("not_kept", "this wish was signed before or forgotten; begin again", status=404)
    return found


def invited(code: str) -> str:
    """The form of a wish, with the invitation that was scanned. Nothing is looked up or signed by scanning."""
    stay_open()
    return _wish_form({}, code)


def _wish_form(errors: dict[str, str], code: str | None = None) -> str:
    with in_use() as wallet:
        services = listed_services(wallet.trust_list(), language())
    return render_template(
        "wallet/mandate_wish.html",
        services=services,
        errors=errors,
        chosen=request.form.getlist("service"),
        code=request.form.get("code", "") if code is None else code,
    )


def _views(wallet: OpenWallet) -> list[MandateView]:
    trust = _trust(wallet)
    return [
        view_mandate(key, record, wallet.grants(), trust, wallet.now(), language())
        for key, record in wallet.mandates().items()
    ]


def _view(wallet: OpenWallet, number: str) -> MandateView:
    key, record = wallet.mandate(number)
    return view_mandate(key, record, wallet.grants(), _trust(wallet), wallet.now(), language())


def _trust(wallet: OpenWallet) -> TrustList | None:
    """For names only: the pages show without it."""
    try:
        return wallet.trust_list()
    except RegieError:
        return None


def _to(endpoint: str, **values: object) -> Response:
    return redirect(url_for(endpoint, **values), 303)  # type: ignore[return-value, arg-type]
