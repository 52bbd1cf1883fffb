"""What residents ask of their rights, how long there is to answer, and the answer, which goes into the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.attributes import CREDENTIAL_TYPES, FLAG_NAMES
from protocol.canonical import canonical_bytes
from protocol.errors import Rejected
from protocol.reading import one_month_after, parse_message
from protocol.rights import RIGHTS
from protocol.terms import places_of
from service.ui.format import AMSTERDAM, day, moment
from service.ui.staff import needs
from service.ui.words import _, language
from verifier.access import access_answer, document_hash, keep_answer
from verifier.inbox import GROUNDS, LAWS, answer_request
from verifier.seen import Asked
from verifier.ui.room import desk
from verifier.ui.shown import Card, Datum, by_card, label, retention_seconds
from verifier.ui.standing import RightState, state_of_asked

pages = Blueprint("rights", __name__, url_prefix="/rights")
MAX_YEARS = 20


@dataclass(frozen=True)
class Line:
    """One request; `law` of a refusal, `until` of what is kept."""

    asked: Asked
    state: RightState
    due: int
    law: str | None = None
    until: int | None = None


def line_of(asked: Asked, now: int) -> Line:
    """With its clock, and what was answered."""
    said = None if asked.answer is None else parse_message(asked.answer)
    state = state_of_asked(asked, said.kind if said else None, now)
    law, until = (said.law, said.until) if said else (None, None)
    return Line(asked, state, one_month_after(asked.received), law, until)


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """What waits first, then what was answered."""
    now = desk().now()
    lines = [line_of(each, now) for each in desk().store.seen.asked()]
    return render_template(
        "verifier/rights.html",
        open=[line for line in lines if line.asked.answer is None],
        answered=[line for line in lines if line.asked.answer is not None][::-1],
        now=now,
    )


@pages.get("/<jti>")
@needs("manager", "privacy")
def show(jti: str) -> str:
    """One of them, and the form."""
    return _page(_find(jti), {}, [])


def _find(jti: str) -> Asked:
    found = desk().store.seen.asked_by(jti)
    if found is None:
        raise Rejected("unknown_message", "no resident asked this", status=404)
    return found


def _page(asked: Asked, filled: dict[str, str], errors: list[tuple[str, Any]]) -> str:
    now = desk().now()
    laws = LAWS if asked.right == "erasure" else GROUNDS
    return render_template(
        "verifier/right.html",
        line=line_of(asked, now),
        cards=_wrong_data(asked),
        now=now,
        law_options=[(law, law) for law in laws],
        year_options=[(str(year), day(_new_year(year))) for year in _years(now)],
        filled=filled,
        errors=errors,
    )


def _wrong_data(asked: Asked) -> tuple[Card, ...]:
    """What a request to rectify is about."""
    terms = desk().store.grants.get(asked.request).answer.terms
    claims = set(parse_message(asked.token).claims or ())
    places = zip(terms.claims, places_of(terms), strict=True)
    return by_card(Datum(place.vct, place.name) for claim, place in places if claim.digest in claims)


@pages.post("/<jti>")
@needs("manager", "privacy")
def answer(jti: str) -> AnyResponse | tuple[str, int]:
    """Done, or refused under a law, and what is kept until a day."""
    asked = _find(jti)
    kinds, form = RIGHTS[asked.right], request.form
    filled = {name: form.get(name, "") for name in ("answer", "law", "until")}
    errors: list[tuple[str, Any]] = []
    if filled["answer"] == kinds.done:
        if "sure" not in form:
            errors.append(("sure", _("Tick that you have checked it.")))
        else:
            shown = keep_answer(desk(), asked) if asked.right == "access" else None
            answer_request(desk(), jti, kinds.done, document=shown)
    elif filled["answer"] == kinds.refused:
        until = _until(filled["until"], desk().now()) if asked.right == "erasure" else None
        if filled["law"] not in (LAWS if asked.right == "erasure" else GROUNDS):
            errors.append(("law", _("Choose the law.")))
        if asked.right == "erasure" and until is None:
            errors.append(("until", _("Choose until when.")))
        if not errors:
            answer_request(desk(), jti, kinds.refused, law=filled["law"], until=until)
    else:
        errors.append(("answer", _("Choose an answer.")))
    if errors:
        return _page(asked, filled, errors), 400
    flash(_("Answered. The resident sees it in the wallet."))
    return redirect(url_for("rights.index"), 303)


@pages.get("/<jti>/document")
@needs("manager", "privacy")
def document(jti: str) -> str:
    """What a resident who asks to see it is given, to print."""
    asked = _access(jti)
    made = access_answer(desk(), asked)
    service = made["service"]
    words = service.get("name"), service.get("purpose")
    return render_template(
        "verifier/access.html",
        asked=asked,
        made=made,
        service_name=words[0][language()] if words[0] else service["id"],
        purpose=words[1][language()] if words[1] else "–",
        retention_seconds=retention_seconds(service["retention"]),
        labels=_labels(made["agreement"]["attributes"]),
        rows=[
            (_moment(read["at"]), ", ".join(_labels(read["attributes"])), read.get("case", "–"))
            for read in made["reads"]
        ],
        hash=document_hash(made),
    )


def _labels(names: Sequence[str]) -> list[str]:
    """`adres.postcode` in words, the register's warnings left out: they go with everything."""
    places = [name.split(".", 1) for name in names]
    return [
        label(vct, name, language())
        for card, name in places
        for vct, kind in CREDENTIAL_TYPES.items()
        if kind.configuration_id == card and name not in FLAG_NAMES
    ]


def _moment(text: str) -> str:
    return moment(datetime.fromisoformat(text).timestamp())


@pages.get("/<jti>/document.json")
@needs("manager", "privacy")
def document_file(jti: str) -> Response:
    """The same for programs, byte for byte what the hash in the log is of."""
    response = Response(canonical_bytes(access_answer(desk(), _access(jti))), content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="regie-access.json"'
    return response


def _access(jti: str) -> Asked:
    asked = _find(jti)
    if asked.right != "access":
        raise Rejected("unknown_message", "no resident asked to see this", status=404)
    return asked


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
