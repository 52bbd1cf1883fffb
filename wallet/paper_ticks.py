"""What ticks on a form mean. Pure: shares of ink in, a reading out; whatever is not plain is left to be asked.

A machine that guessed would put words into somebody's mouth: consent is unambiguous (GDPR article 4 point 11), so
a row counts by itself only where one box has a mark of ordinary size and the other is clean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import Rejected
from protocol.openid4vp import AuthorizationLink, VerifiedRequest
from protocol.paper_form import Form, Row, SheetCode, check_form, form_rows
from wallet.consent import asked_attributes
from wallet.records import Choice

Answer: TypeAlias = Literal["yes", "no"]
Doubt: TypeAlias = Literal["both", "neither", "faint", "scribble"]
Outcome: TypeAlias = Literal["grant", "refuse"]
CLEAN, MARKED, FILLED, AROUND = 0.012, 0.05, 0.60, 0.12
"""Shares of a box that is dark: at most, of an empty one; at least, of a marked one; more is filled in, which some
do to choose and others to correct; and of the strip around it, more is no tick but something crossed out."""
SIGNED = 0.004
"""Share of the place for the signature that a name covers, at least."""


@dataclass(frozen=True)
class BoxInk:
    """Shares (0 to 1) of ink: `inside` a box, and in the strip `around` it. `framed`: its line is there."""

    inside: float
    around: float
    framed: bool


@dataclass(frozen=True)
class RowInk:
    """The two boxes of a row."""

    yes: BoxInk
    no: BoxInk


@dataclass(frozen=True)
class SheetInk:
    """One scanned sheet. `beyond`: something stands in the columns of the boxes where the form has no row."""

    code: SheetCode
    rows: tuple[RowInk, ...]
    signature: float
    beyond: bool


@dataclass(frozen=True)
class ReadRow:
    """One attribute as the paper says it: `answer`, or the `doubt` why somebody has to ask."""

    row: Row
    answer: Answer | None
    doubt: Doubt | None = None


def judge(ink: RowInk) -> tuple[Answer | None, Doubt | None]:
    """The answer of a row, or why it has none. Only one plain mark beside a clean box is an answer."""
    yes, no = ink.yes.inside, ink.no.inside
    if max(yes, no) > FILLED or max(ink.yes.around, ink.no.around) > AROUND:
        return None, "scribble"
    if min(yes, no) > CLEAN:
        return None, "both"
    if max(yes, no) <= CLEAN:
        return None, "neither"
    if max(yes, no) < MARKED:
        return None, "faint"
    return ("yes", None) if yes > no else ("no", None)


def form_of(link: AuthorizationLink, request: VerifiedRequest) -> Form:
    """The form that says what this request asks. Raises `Rejected`: `not_standing`, `over_asking`."""
    element = request.consent
    if element is None:
        raise Rejected("not_standing", "a form is for access that lasts, not for a copy")
    asked = [item for item in asked_attributes(request) if not item.flag]
    if any(not item.registered for item in asked):
        raise Rejected("over_asking", "more is asked than is registered; no form can say yes to that", status=403)
    return Form(
        client_id=request.client_id,
        request_uri=link.request_uri,
        service=element.service,
        version=element.service_version,
        until=element.max_not_after,
        reads=element.max_reads,
        rows=form_rows(Row(item.place.vct, item.place.name, item.needed) for item in asked),
    )


def read_form(form: Form, sheets: Sequence[SheetInk]) -> tuple[ReadRow, ...]:
    """Every row of the form. 1. each sheet is of this form; 2. all are there, each once; 3. every box is on the
    paper, and nothing is ticked where nothing was asked; 4. it is signed.

    Raises `Rejected`: `other_form`, `sheet_missing`, `sheet_twice`, `bad_scan`, `more_than_asked`, `not_signed`.
    """
    for sheet in sheets:  # 1.
        check_form(sheet.code, form)
    numbers = [sheet.code.sheet for sheet in sheets]
    if len(set(numbers)) < len(numbers):  # 2.
        raise Rejected("sheet_twice", "one sheet was scanned twice")
    if len(numbers) < len(form.sheets):
        raise Rejected("sheet_missing", "not all sheets of this form were scanned")
    found: list[ReadRow] = []
    for sheet, rows in zip(sorted(sheets, key=lambda one: one.code.sheet), form.sheets, strict=True):
        inks = sheet.rows[: len(rows)]
        if not all(box.framed for ink in inks for box in (ink.yes, ink.no)):  # 3.
            raise Rejected("bad_scan", "not every box of this sheet can be seen")
        if sheet.beyond or any(box.framed for ink in sheet.rows[len(rows) :] for box in (ink.yes, ink.no)):
            raise Rejected("more_than_asked", "something is ticked where nothing was asked", status=403)
        found += [ReadRow(row, *judge(ink)) for row, ink in zip(rows, inks, strict=True)]
    if max(sheets, key=lambda one: one.code.sheet).signature < SIGNED:  # 4.
        raise Rejected("not_signed", "the form is not signed")
    return tuple(found)


def with_told(read: Sequence[ReadRow], told: Mapping[int, Answer]) -> tuple[Answer, ...]:
    """One answer for each row: the paper's, and what the resident `told` (by place from 0) where it has none.

    What the paper says plainly nobody changes. Raises `Rejected`: `not_in_doubt`, `still_in_doubt`.
    """
    if any(not 0 <= place < len(read) or read[place].answer is not None for place in told):
        raise Rejected("not_in_doubt", "the paper is plain here: another answer needs another form", status=403)
    answers = [told.get(place) if row.answer is None else row.answer for place, row in enumerate(read)]
    if any(answer is None for answer in answers):
        raise Rejected("still_in_doubt", "ask the resident about every row that cannot be read")
    return tuple(answer for answer in answers if answer is not None)


def outcome_of(rows: Sequence[Row], answers: Sequence[Answer]) -> Outcome:
    """A no to something that is needed is a no to all; so is a no to everything."""
    pairs = list(zip(rows, answers, strict=True))
    if any(row.needed and answer == "no" for row, answer in pairs) or all(answer == "no" for answer in answers):
        return "refuse"
    return "grant"


def choice_of_form(request: VerifiedRequest, rows: Sequence[Row], answers: Sequence[Answer]) -> Choice:
    """Without what was answered with no. The rules of granting look again whether the rest was asked."""
    refused = {(row.vct, row.name) for row, answer in zip(rows, answers, strict=True) if answer == "no"}
    out = [
        item.name
        for item in asked_attributes(request)
        if not item.flag and (item.place.vct, item.place.name) in refused
    ]
    return Choice(without=tuple(out))
