"""Who acts for somebody by decision of a court: one officer writes it down, another one confirms."""

import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer.appointments import Appointment, Appointments, parse_services
from issuer.brp import parse_bsn
from issuer.mandate import COURT_KINDS, CourtKind, Registered
from issuer.ui.desk import desk, sentence
from issuer.ui.show import KINDS, person_view
from protocol.errors import Rejected
from service.ui.staff import member, needs
from service.ui.words import _

pages = Blueprint("acting", __name__, url_prefix="/acting")
_FIELDS = {
    "bad_bsn": "represented",
    "bad_service": "services",
    "services_missing": "services",
    "bad_decision": "decision",
    "bad_day": "until",
    "mandate_ended": "until",
    "no_curatele": "kind",
}
_MAX_TYPED = 4096


def _appointments() -> Appointments:
    return Appointments(desk().counter.office)


def _kinds() -> list[tuple[str, str]]:
    return [(kind, str(KINDS[kind])) for kind in COURT_KINDS]


@pages.get("/")
@needs("clerk", "manager")
def index() -> str:
    """What waits for a second officer, and the form for the first."""
    return _page({}, [])


def _page(typed: dict[str, str], errors: list[tuple[str, str]]) -> str:
    kinds = dict(_kinds())
    waiting = [
        {"id": one.id, "kind": kinds[one.kind], "until": one.until, "mine": first == member().id}
        for one, first in _appointments().waiting()
    ]
    return render_template("counter/acting.html", waiting=waiting, kinds=_kinds(), typed=typed, errors=errors)


@pages.post("/")
@needs("clerk", "manager")
def add() -> Response | tuple[str, int]:
    """Written down; nothing is signed yet."""
    names = ("kind", "represented", "delegate", "other", "until", "decision", "services")
    typed = {name: request.form.get(name, "").strip()[:_MAX_TYPED] for name in names}
    try:
        _appointments().add(member().id, _read(typed))
    except Rejected as error:
        shown = {name: text for name, text in typed.items() if name not in ("represented", "delegate", "other")}
        return _page(shown, [(_FIELDS.get(error.code, "delegate"), sentence(error.code))]), 422
    flash(_("Written down. A colleague has to read the decision too, and confirm it."))
    return redirect(url_for("acting.index"), 303)


def _read(typed: dict[str, str]) -> Appointment:
    """Raises `Rejected`: `bad_bsn`, `bad_day`, `bad_mandate`, `bad_service`."""
    kind: CourtKind | None = next((one for one in COURT_KINDS if one == typed["kind"]), None)
    if kind is None:
        raise Rejected("bad_mandate", "choose what the court appointed")
    delegates = [typed["delegate"], *([typed["other"]] if typed["other"] else [])]
    try:
        day = datetime.date.fromisoformat(typed["until"])
    except ValueError as error:
        raise Rejected("bad_day", "not a day") from error
    return Appointment(
        kind,
        parse_bsn(typed["represented"]),
        tuple(parse_bsn(one) for one in delegates),
        int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp()),
        typed["decision"],
        parse_services(typed["services"].split()),
    )


@pages.get("/<mandate_id>")
@needs("clerk", "manager")
def one(mandate_id: str) -> str:
    """Who is meant, for who has the decision before him. Opening it is written down."""
    found = _waiting(mandate_id)
    shown = []
    for bsn in (found.represented, *found.delegates):
        desk().counter.open(member().id, bsn)
        shown.append(person_view(desk().counter.dossier(bsn)))
    return render_template(
        "counter/acting_one.html",
        found=found,
        kind=dict(_kinds())[found.kind],
        represented=shown[0],
        delegates=shown[1:],
        services=[f"{one.recipient}/{one.service}" for one in found.services or ()],
    )


def _waiting(mandate_id: str) -> Registered:
    for found, _first in _appointments().waiting():
        if found.id == mandate_id:
            return found
    raise Rejected("unknown_id", "nothing waits under this id", status=404)


@pages.post("/<mandate_id>/confirm")
@needs("clerk", "manager")
def confirm(mandate_id: str) -> Response:
    """The second officer agrees."""
    _appointments().confirm(member().id, mandate_id)
    flash(_("Confirmed. Who acts can take it into a wallet now."))
    return redirect(url_for("acting.index"), 303)


@pages.post("/<mandate_id>/refuse")
@needs("clerk", "manager")
def refuse(mandate_id: str) -> Response:
    """Either officer takes it back."""
    _waiting(mandate_id)
    _appointments().end(member().id, mandate_id)
    flash(_("Refused. Nothing was registered."))
    return redirect(url_for("acting.index"), 303)
