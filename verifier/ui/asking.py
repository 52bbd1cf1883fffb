"""A new request: choose one of the registered services, look at what it asks, and narrow it if you like.

There is no field for a purpose, a law or another datum: what a resident reads stands in the trust list.
"""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.case_reference import parse_case_reference
from protocol.errors import Rejected
from protocol.terms import Context
from protocol.trust_list import Service
from service.ui.staff import member, needs
from service.ui.words import _
from verifier.ask import DAY, Wish
from verifier.assisted import note_help
from verifier.ui.room import desk
from verifier.ui.shown import newest, shown_service

pages = Blueprint("asking", __name__, url_prefix="/new")
OFFICE_HOURS = Context(days=[1, 2, 3, 4, 5], hours=[8, 18])
MAX_COUNT = 1_000_000


@dataclass(frozen=True)
class Filled:
    """The form as it was sent; texts as typed."""

    kind: str = "standing"
    case: str = ""
    days: str = ""
    max_reads: str = ""
    office_hours: bool = False
    helped: bool = False


@pages.get("/")
@needs("clerk", "manager")
def index() -> str:
    """All services, the newest version of each."""
    listed = desk().agency(desk().trust(desk().now())).services
    return render_template("verifier/services.html", services=[shown_service(each) for each in newest(listed)])


@pages.get("/<name>")
@needs("clerk", "manager")
def service(name: str) -> str:
    """One service, and the form."""
    return _form(_service(name), Filled(), [])


def _service(name: str) -> Service:
    return desk().service(desk().trust(desk().now()), name)


def _form(found: Service, filled: Filled, errors: list[tuple[str, Any]]) -> str:
    shown = shown_service(found)
    return render_template(
        "verifier/ask.html",
        service=shown,
        filled=filled,
        errors=errors,
        longest_days=shown.longest_term // DAY,
        is_narrowed=bool(filled.days or filled.max_reads or filled.office_hours),
    )


@pages.post("/<name>")
@needs("clerk", "manager")
def ask(name: str) -> Response | tuple[str, int]:
    """Make the request; its link stands on the page of the request only."""
    found, filled = _service(name), _filled()
    wish, errors = _wish(filled, found)
    if wish is None:
        return _form(found, filled, errors), 400
    request_id, _link = desk().ask(f"{found.id}@{found.version}", wish)
    if filled.helped:
        note_help(desk(), request_id, member().id)
    return redirect(url_for("requests.show", request_id=request_id), 303)  # type: ignore[return-value]


def _filled() -> Filled:
    form = request.form
    return Filled(
        form.get("kind", ""),
        form.get("case", "").strip(),
        form.get("days", "").strip(),
        form.get("max_reads", "").strip(),
        "office_hours" in form,
        "helped" in form,
    )


def _wish(filled: Filled, found: Service) -> tuple[Wish | None, list[tuple[str, Any]]]:
    """What `Desk.ask` takes, or what is not right yet: (field, sentence)."""
    errors: list[tuple[str, Any]] = []
    once = filled.kind == "once"
    if filled.kind not in ("standing", "once"):
        errors.append(("kind", _("Choose whether you need to read once or again and again.")))
    case = _case(filled.case, errors) if filled.case and not once else None
    longest = max(1, found.longest_term // DAY)
    days = _count(filled.days, longest, "days", _("Fill in a number of days, at most %(n)s.", n=longest), errors)
    reads = _count(filled.max_reads, MAX_COUNT, "max_reads", _("Fill in how often, as a number."), errors)
    if errors:
        return None, errors
    if once:
        return Wish(once=True), []
    return Wish(False, case, reads, days, OFFICE_HOURS if filled.office_hours else None), []


def _case(text: str, errors: list[tuple[str, Any]]) -> str | None:
    try:
        return parse_case_reference(text).text
    except Rejected:
        errors.append(("case", _("Fill in a case number of at most 256 characters.")))
        return None


def _count(text: str, most: int, name: str, sentence: Any, errors: list[tuple[str, Any]]) -> int | None:
    """A number from 1 to `most`; None for nothing."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most:
        return int(text)
    errors.append((name, sentence))
    return None
