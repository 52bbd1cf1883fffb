"""A form that was filled in with a pen, and came through a scanner."""

import io

import pytest
from PIL import Image

from protocol.errors import Rejected
from protocol.paper_form import Form, Row, form_rows
from tests.wallet.pens import PENCIL, Sheet, drawn, png, scanned
from wallet import paper_scan
from wallet.paper_scan import Scan, read_sheet
from wallet.paper_ticks import judge, read_form, with_told

ROWS = form_rows(Row("urn:a", f"n{number}", number < 2) for number in range(6))
FORM = Form("x509_hash:a", "https://agency.example/requests/1", "parkeren", 1, 1_800_000_000, None, ROWS)
OTHER = Form("x509_hash:a", "https://agency.example/requests/2", "parkeren", 1, 1_800_000_000, None, ROWS)


def filled() -> Sheet:
    """Six plain answers of several hands, and a signature."""
    sheet = drawn(FORM).cross(0, "yes").tick(1, "yes").cross(2, "no").cross(3, "yes", ink=PENCIL)
    return sheet.tick(4, "no", ink=PENCIL).cross(5, "no", reach=1.8).sign()


def answers(scan: Scan) -> list[str | None]:
    return [row.answer for row in read_form(FORM, [scan.ink])]


@pytest.mark.parametrize(
    "machine",
    [
        {},
        {"turn": 2.7},
        {"turn": 181, "grey": True},
        {"turn": 90, "grey": True, "quality": 60},
        {"tilt": 0.04, "turn": -3, "grey": True},
    ],
    ids=["straight", "turned", "upside-down", "sideways", "tilted"],
)
def test_a_filled_in_sheet_is_read_as_it_was_meant(machine: dict[str, float]) -> None:
    scan = read_sheet(scanned(filled(), **machine))  # type: ignore[arg-type]
    assert answers(scan) == ["yes", "yes", "no", "yes", "no", "no"]
    with Image.open(io.BytesIO(scan.picture)) as picture:
        assert picture.height > picture.width  # people see it upright


def test_a_lossless_scan_of_a_coarse_scanner_is_read() -> None:
    sheet = drawn(FORM, dpi=150).cross(0, "yes").cross(1, "no").tick(2, "no").sign()
    for row in (3, 4, 5):
        sheet.cross(row, "yes")
    assert answers(read_sheet(png(sheet.picture))) == ["yes", "no", "no", "yes", "yes", "yes"]


def test_what_is_not_plain_is_never_guessed() -> None:
    sheet = drawn(FORM).cross(0, "yes").cross(0, "no").fill(2, "yes").scribble(3, "yes").cross(3, "no").sign()
    sheet.line(
        [
            (sheet.box(4, "yes")[0] - 0.8, sheet.box(4, "yes")[1]),
            (sheet.box(4, "yes")[0] + 0.8, sheet.box(4, "yes")[1]),
        ]
    )
    sheet.scribble(5, "no")
    scan = read_sheet(scanned(sheet, turn=1.5, grey=True))
    told = [judge(row)[1] for row in scan.ink.rows[: len(ROWS)]]
    assert told[:3] == ["both", "neither", "scribble"]
    assert all(told)
    assert answers(scan) == [None] * 6


def test_only_what_is_in_doubt_is_answered_by_word() -> None:
    sheet = drawn(FORM).cross(0, "yes").cross(1, "yes").cross(2, "yes").cross(3, "no").cross(4, "no").sign()
    read = read_form(FORM, [read_sheet(png(sheet.picture)).ink])
    with pytest.raises(Rejected, match="still_in_doubt"):
        with_told(read, {})
    assert with_told(read, {5: "no"}) == ("yes", "yes", "yes", "no", "no", "no")
    for place in (3, 6, -1):
        with pytest.raises(Rejected, match="not_in_doubt"):
            with_told(read, {5: "no", place: "yes"})


def test_attack_a_form_of_another_request() -> None:
    scan = read_sheet(scanned(filled(), turn=1))
    with pytest.raises(Rejected, match="other_form"):
        read_form(OTHER, [scan.ink])


def test_attack_the_code_of_another_request_stuck_on() -> None:
    sheet = filled()
    left, top, side = (paper_scan.form.CODE_X - 1, paper_scan.form.CODE_Y - 1, paper_scan.form.CODE_SIDE + 2)
    place = [round(length * 200 / 25.4) for length in (left, top, left + side, top + side)]
    sticker = drawn(OTHER).picture.crop((place[0], place[1], place[2], place[3]))
    sheet.picture.paste(sticker, (place[0], place[1]))
    with pytest.raises(Rejected, match="tampered_form"):
        read_sheet(png(sheet.picture))


def test_attack_a_tick_where_nothing_was_asked() -> None:
    with pytest.raises(Rejected, match="more_than_asked"):
        read_form(FORM, [read_sheet(scanned(filled().cross(7, "yes"), grey=True)).ink])


def test_attack_a_row_added_by_hand() -> None:
    sheet = filled().cross(6, "yes")
    x, y = sheet.box(6, "yes")
    corners = [(x - 3.3, y - 3.3), (x + 3.3, y - 3.3), (x + 3.3, y + 3.3), (x - 3.3, y + 3.3), (x - 3.3, y - 3.3)]
    with pytest.raises(Rejected, match="more_than_asked"):
        read_form(FORM, [read_sheet(png(sheet.line(corners).picture)).ink])


def test_a_form_without_a_signature_is_not_taken() -> None:
    sheet = drawn(FORM).cross(0, "yes")
    with pytest.raises(Rejected, match="not_signed"):
        read_form(FORM, [read_sheet(png(sheet.picture)).ink])


def test_every_sheet_is_there_once() -> None:
    rows = tuple(Row("urn:a", f"n{number:02}", True) for number in range(14))
    form = Form("x", "https://a.example/r", "s", 1, 1, None, rows)
    first, second = (read_sheet(png(drawn(form, number).sign().picture)).ink for number in (1, 2))
    assert len(read_form(form, [second, first])) == 14
    with pytest.raises(Rejected, match="sheet_missing"):
        read_form(form, [first])
    with pytest.raises(Rejected, match="sheet_twice"):
        read_form(form, [first, first])
    assert not second.rows[2].yes.framed


def test_a_box_that_cannot_be_seen_is_not_taken_for_empty() -> None:
    sheet = filled()
    x, y = sheet.box(4, "yes")
    sheet.line([(x - 6, y), (x + 6, y)], ink=255, width=12)
    with pytest.raises(Rejected, match="bad_scan"):
        read_form(FORM, [read_sheet(png(sheet.picture)).ink])


def test_two_sheets_in_one_picture_are_not_taken() -> None:
    one, two = drawn(FORM).picture, drawn(OTHER).picture
    both = Image.new("L", (one.width * 2, one.height), 255)
    both.paste(one, (0, 0))
    both.paste(two, (one.width, 0))
    with pytest.raises(Rejected, match="several_sheets"):
        read_sheet(png(both))


def bomb() -> bytes:
    return png(Image.new("1", (9000, 9000)))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad_picture"),
        (b"%PDF-1.7 no picture", "bad_picture"),
        (png(drawn(FORM).picture)[:2000], "bad_picture"),
        (bomb(), "bad_picture"),
        (b"\0" * (paper_scan.MAX_PICTURE_BYTES + 1), "bad_picture"),
        (png(Image.new("L", (100, 100))), "bad_picture"),
        (png(Image.new("L", (1200, 1700), 255)), "no_form"),
    ],
    ids=["empty", "pdf", "broken", "bomb", "long", "tiny", "blank"],
)
def test_what_is_no_scan_of_a_form(data: bytes, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        read_sheet(data)


def test_a_sheet_without_its_marks_is_not_laid_straight() -> None:
    sheet = filled()
    for x, y in paper_scan.form.MARKS[1:]:
        middle = y + paper_scan.form.MARK_SIDE / 2
        sheet.line([(x - 2, middle), (x + 20, middle)], ink=255, width=20)
    with pytest.raises(Rejected, match="bad_scan"):
        read_sheet(png(sheet.picture))
