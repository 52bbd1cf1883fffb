"""Who asked to erase, how long there is to answer, and the answer, which goes into the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.errors import Rejected
from protocol.reading import one_month_after, parse_message
from service.ui.format import AMSTERDAM
from service.ui.staff import needs
from service.ui.words import _
from verifier.inbox import LAWS, answer_erasure
from verifier.seen import Erasure
from verifier.ui.room import desk
from verifier.ui.standing import ErasureState, state_of_erasure

pages = Blueprint("erasures", __name__, url_prefix="/erasing")


@dataclass(frozen=True)
class Line:
    """One request to erase; `law` and `until` of what is kept."""

    erasure: Erasure
    state: ErasureState
    due: int
    law: str | None = None
    until: int | None = None


def line_of(erasure: Erasure, now: int) -> Line:
    """With its clock, and what was answered."""
    said = None if erasure.answer is None else parse_message(erasure.answer)
    state = state_of_erasure(erasure, said.kind if said else None, now)
    due = one_month_after(erasure.received)
    return Line(erasure, state, due, said.law if said else None, said.until if said else None)


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """What waits first, then what was answered."""
    now = desk().now()
    lines = [line_of(each, now) for each in desk().store.seen.erasures()]
    return render_template(
        "verifier/erasures.html",
        open=[line for line in lines if line.erasure.answer is None],
        answered=[line for line in lines if line.erasure.answer is not None][::-1],
        now=now,
    )


@pages.get("/<jti>")
@needs("manager", "privacy")
def show(jti: str) -> str:
    """One of them, and the form."""
    return _page(jti, {}, [])


def _page(jti: str, filled: dict[str, str], errors: list[tuple[str, Any]]) -> str:
    found = desk().store.seen.erasure(jti)
    if found is None:
        raise Rejected("unknown_message", "no resident asked this", status=404)
    now = desk().now()
    return render_template(
        "verifier/erasure.html",
        line=line_of(found, now),
        now=now,
        law_options=[(law, law) for law in LAWS],
        filled=filled,
        errors=errors,
    )


@pages.post("/<jti>")
@needs("manager", "privacy")
def answer(jti: str) -> AnyResponse | tuple[str, int]:
    """Erased, or kept under a law and until a day."""
    form = request.form
    filled = {name: form.get(name, "") for name in ("answer", "law", "until")}
    errors: list[tuple[str, Any]] = []
    if filled["answer"] == "erased":
        if "sure" not in form:
            errors.append(("sure", _("Tick that nothing is left.")))
        else:
            answer_erasure(desk(), jti, "erased")
    elif filled["answer"] == "kept":
        until = _day(filled["until"])
        if filled["law"] not in LAWS:
            errors.append(("law", _("Choose the law.")))
        if until is None or until <= desk().now():
            errors.append(("until", _("Fill in a day in the future.")))
        if not errors:
            answer_erasure(desk(), jti, "kept", law=filled["law"], until=until)
    else:
        errors.append(("answer", _("Choose an answer.")))
    if errors:
        return _page(jti, filled, errors), 400
    flash(_("Answered. The resident sees it in the wallet."))
    return redirect(url_for("erasures.index"), 303)


def _day(text: str) -> int | None:
    """The start of a day in Amsterdam, POSIX seconds; as browsers send it (`2027-05-22`)."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=AMSTERDAM).timestamp())
    except ValueError:
        return None
