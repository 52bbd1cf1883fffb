"""The form on paper: what ties a sheet to one request."""

from dataclasses import replace

import pytest

from protocol.errors import Rejected
from protocol.paper_form import (
    ROWS_PER_SHEET,
    Form,
    Row,
    check_form,
    check_marks,
    form_rows,
    mark_text,
    parse_mark,
    parse_sheet_code,
    sheet_code,
)

LINK = "openid4vp://?client_id=x509_hash%3Aabc&request_uri=https%3A%2F%2Fagency.example%2Frequests%2F1"
ROWS = form_rows([Row("urn:b", "straat", False), Row("urn:b", "postcode", True), Row("urn:a", "naam", False)])
FORM = Form("x509_hash:abc", "https://agency.example/requests/1", "parkeren", 3, 1_800_000_000, None, ROWS)


def code_of(form: Form, sheet: int = 1):
    return parse_sheet_code(sheet_code(LINK, sheet, form.digest))


def test_rows_stand_by_card_and_what_is_needed_first() -> None:
    assert [row.name for row in ROWS] == ["naam", "postcode", "straat"]


def test_a_sheet_says_where_it_belongs() -> None:
    code = code_of(FORM)
    assert (code.link, code.sheet) == (LINK, 1)
    check_form(code, FORM)
    check_marks(code, [parse_mark(mark_text(1, number, FORM.digest)) for number in range(3)])


@pytest.mark.parametrize(
    "other",
    [
        replace(FORM, request_uri="https://agency.example/requests/2"),
        replace(FORM, client_id="x509_hash:abd"),
        replace(FORM, service="parkeren2"),
        replace(FORM, version=4),
        replace(FORM, until=FORM.until + 1),
        replace(FORM, reads=5),
        replace(FORM, rows=ROWS[:2]),
        replace(FORM, rows=(replace(ROWS[0], needed=True), *ROWS[1:])),
        replace(FORM, rows=(replace(ROWS[0], name="bsn"), *ROWS[1:])),
    ],
    ids=["request", "agency", "service", "version", "longer", "reads", "less", "needed", "other"],
)
def test_attack_a_sheet_of_a_form_that_says_anything_else(other: Form) -> None:
    with pytest.raises(Rejected, match="other_form"):
        check_form(code_of(other), FORM)
    with pytest.raises(Rejected, match="tampered_form"):
        check_marks(code_of(FORM), [parse_mark(mark_text(1, 0, other.digest))])


def test_attack_a_sheet_number_that_the_form_does_not_have() -> None:
    with pytest.raises(Rejected, match="other_form"):
        check_form(code_of(FORM, 2), FORM)
    with pytest.raises(Rejected, match="tampered_form"):
        check_marks(code_of(FORM, 1), [parse_mark(mark_text(2, 0, FORM.digest))])


def test_many_rows_stand_on_several_sheets_in_their_order() -> None:
    rows = tuple(Row("urn:a", f"n{number:02}", True) for number in range(ROWS_PER_SHEET + 1))
    sheets = replace(FORM, rows=rows).sheets
    assert [len(sheet) for sheet in sheets] == [ROWS_PER_SHEET, 1]
    assert sum(sheets, ()) == rows


def test_nothing_to_tick_is_no_form() -> None:
    with pytest.raises(Rejected, match="empty_form"):
        _ = replace(FORM, rows=()).sheets


@pytest.mark.parametrize(
    "text", ["", LINK, f"{LINK}&form=2.1.{'A' * 22}", f"{LINK}&form=1.7.{'A' * 22}", "&form=1.1.AA"]
)
def test_what_is_no_code_of_a_sheet(text: str) -> None:
    with pytest.raises(Rejected, match="no_form"):
        parse_sheet_code(text)
