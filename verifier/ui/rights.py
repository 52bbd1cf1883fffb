"""Who asked to erase, how long there is to answer, and the answer, which goes into the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.errors import Rejected
from protocol.reading import one_month_after, parse_message
from service.ui.format import AMSTERDAM, day
from service.ui.staff import needs
from service.ui.words import _
from verifier.inbox import LAWS, answer_erasure
from verifier.seen import Erasure
from verifier.ui.room import desk
from verifier.ui.standing import ErasureState, state_of_erasure

pages = Blueprint("erasures", __name__, url_prefix="/erasing")
MAX_YEARS = 20


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
        year_options=[(str(year), day(_new_year(year))) for year in _years(now)],
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
        until = _until(filled["until"], desk().now())
        if filled["law"] not in LAWS:
            errors.append(("law", _("Choose the law.")))
        if until is None:
            errors.append(("until", _("Choose until when.")))
        if not errors:
            answer_erasure(desk(), jti, "kept", law=filled["law"], until=until)
    else:
        errors.append(("answer", _("Choose an answer.")))
    if errors:
        return _page(jti, filled, errors), 400
    flash(_("Answered. The resident sees it in the wallet."))
    return redirect(url_for("erasures.index"), 303)


def _years(now: int) -> range:
    """The years at whose beginning keeping can end: laws count in whole years."""
    first = datetime.fromtimestamp(now, AMSTERDAM).year + 1
    return range(first, first + MAX_YEARS)


def _new_year(year: int) -> int:
    """The start of its first of January in Amsterdam, POSIX seconds."""
    return int(datetime(year, 1, 1, tzinfo=AMSTERDAM).timestamp())


def _until(text: str, now: int) -> int | None:
    """The day that was chosen; None for what is not among them."""
    return next((_new_year(year) for year in _years(now) if str(year) == text), None)
