"""An officer reads: case and reason first, then values, which leave the screen when the resident stops.

Values are in the answer to the form and nowhere else: no cache has them, no address leads to them, and loading the
page again reads nothing (`Spent`). The page asks whether the agreement stands; once it does not, or once nobody
can tell, it shows no values any more.
"""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.case_reference import parse_case_reference
from protocol.errors import Rejected
from service.ui.staff import member, needs
from service.ui.words import _
from verifier.book import REASONS, Reason
from verifier.gate import Purpose
from verifier.look import look, look_once
from verifier.ui import agreements, requests
from verifier.ui.room import desk, room
from verifier.ui.standing import choices, shown_grant
from verifier.ui.values import shown_copy, shown_reading
from verifier.zone import zone_of

pages = Blueprint("reading", __name__)
Errors = list[tuple[str, Any]]


@dataclass(frozen=True)
class Filled:
    """The form as it was sent."""

    case: str
    reason: str
    chosen: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """What an officer wants to read, and why."""

    purpose: Purpose
    reason: Reason
    only: tuple[str, ...]


@pages.get("/agreements/<grant_id>/read")
def back(grant_id: str) -> AnyResponse:
    """Where the address of a reading leads afterwards."""
    return redirect(url_for("agreements.show", grant_id=grant_id), 303)


@pages.post("/agreements/<grant_id>/read")
@needs("clerk", "manager")
def read(grant_id: str) -> str | tuple[str, int]:
    """Read what was ticked, under this agreement."""
    grant = desk().store.grants.get(grant_id)
    filled, known = _filled(), choices(shown_grant(grant, desk().now()).cards)
    question, errors = _question(filled, tuple(known))
    if question is None:
        return agreements.page_of(grant_id, filled=filled, errors=errors), 400
    room().spent.spend(request.form.get("token", ""))
    opened = look(desk(), grant_id, question.only, question.purpose, question.reason)
    return render_template(
        "verifier/reading.html",
        grant_id=grant_id,
        reading=shown_reading(opened.values, opened.places),
        opened=opened,
        case=question.purpose.case,
        reason=question.reason,
        at=desk().now(),
    )


@pages.get("/agreements/<grant_id>/reading/state")
@needs("clerk", "manager")
def state(grant_id: str) -> Response | str:
    """Nothing while it stands; else what comes in the place of the values."""
    watched = agreements.watch(desk().store.grants.get(grant_id))
    if watched == "stands":
        return Response(status=204)
    return render_template("verifier/reading_over.html", watched=watched, grant_id=grant_id)


@pages.get("/agreements/<grant_id>/closed")
@needs("clerk", "manager")
def closed(grant_id: str) -> str:
    """Without JavaScript the values make place for this page by themselves; also when nobody can tell any more."""
    desk().store.grants.get(grant_id)
    return render_template("verifier/reading_closed.html", grant_id=grant_id)


@pages.get("/requests/<request_id>/take")
def back_to_request(request_id: str) -> AnyResponse:
    """The same for what was shared once."""
    return redirect(url_for("requests.show", request_id=request_id), 303)


@pages.post("/requests/<request_id>/take")
@needs("clerk", "manager")
def take(request_id: str) -> str | tuple[str, int]:
    """Take what was shared once; afterwards it is here no more."""
    filled = _filled()
    question, errors = _question(filled, None)
    if question is None:
        found = requests.view_of(request_id)
        return render_template("verifier/request.html", **found, filled=filled, errors=errors), 400
    room().spent.spend(request.form.get("token", ""))
    shared = look_once(desk(), request_id, question.purpose, question.reason)
    return render_template(
        "verifier/taken.html",
        request_id=request_id,
        reading=shown_copy(shared),
        case=question.purpose.case,
        reason=question.reason,
        at=desk().now(),
    )


def _filled() -> Filled:
    form = request.form
    return Filled(form.get("case", "").strip(), form.get("reason", ""), tuple(form.getlist("only")))


def _question(filled: Filled, known: tuple[str, ...] | None) -> tuple[Question | None, Errors]:
    """Case and reason, and, of `known` data, which; or what is not right yet."""
    errors: Errors = []
    try:
        case = parse_case_reference(filled.case).text
    except Rejected:
        errors.append(("case", _("Fill in the number of the case.")))
    reason = next((each for each in REASONS if each == filled.reason), None)
    if reason is None:
        errors.append(("reason", _("Choose why you read.")))
    if known is not None and not set(filled.chosen) <= set(known):
        raise Rejected("not_granted", "an attribute is not in this grant", status=403)
    if known is not None and not filled.chosen:
        errors.append(("only", _("Choose at least one datum.")))
    if errors or reason is None:
        return None, errors
    # An address in the journal would be personal data; it is looked at here and goes.
    forwarded = request.headers.get("X-Forwarded-For", "")
    zone = zone_of(request.remote_addr or "", forwarded, desk().config.office)
    return Question(Purpose(case, member().id, zone=zone), reason, filled.chosen), []
