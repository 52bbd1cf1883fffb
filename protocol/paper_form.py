"""The consent form on paper: where everything stands on a sheet, and how a sheet is tied to one signed request.

A form is one or more sheets of A4. On each are a QR code, which is the request's link for any wallet with the
sheet's place in the form after it, three small marks in the other corners, and for every attribute a row with two
equal boxes: yes and no. Code and marks carry the same commitment to everything that was asked, so that a sheet
with the code of another request stuck on it contradicts itself. Lengths are in millimetres, from the upper left
corner.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.canonical import b64u_encode, b64u_fixed, canonical_bytes, sha256
from protocol.errors import Rejected

WIDTH, HEIGHT = 210.0, 297.0
CODE_X, CODE_Y, CODE_SIDE = 152.0, 14.0, 44.0
"""The QR code itself, without the light margin around it."""
MARK_SIDE = 15.0
MARKS = ((14.0, 14.0), (14.0, 268.0), (181.0, 268.0))
"""Upper left corners of the marks, in the order of their numbers."""
ROWS_PER_SHEET = 12
FIRST_ROW, ROW_STEP = 84.0, 12.5
"""Middle of the first row, and from there to the next."""
BOX_SIDE, BOX_LINE = 7.0, 0.5
"""Outer side of a box, and how wide its line is drawn."""
YES_X, NO_X = 160.0, 183.0
"""Middle of the boxes."""
TEXT_X = 14.0
SIGN_LEFT, SIGN_TOP, SIGN_RIGHT, SIGN_BOTTOM = 56.0, 240.0, 175.0, 262.0
"""Where the last sheet is signed."""
MAX_SHEETS = 6
_DIGEST_BYTES = 16
_PREFIX = "1"
_TAIL = re.compile(r"&form=1\.([1-6])\.([A-Za-z0-9_-]{22})")
_MARK = re.compile(r"R1\.([1-6])\.([0-2])\.([0-9A-F]{8})")


@dataclass(frozen=True, order=True)
class Row:
    """One attribute. `needed`: the service cannot be given without it."""

    vct: str
    name: str
    needed: bool


@dataclass(frozen=True)
class Form:
    """What a form is about. `until`: POSIX seconds; `reads`: at most, None for any."""

    client_id: str
    request_uri: str
    service: str
    version: int
    until: int
    reads: int | None
    rows: tuple[Row, ...]

    @property
    def digest(self) -> bytes:
        """16 bytes that commit to all of it."""
        rows: list[Any] = [[row.vct, row.name, row.needed] for row in self.rows]
        said = {
            "form": _PREFIX,
            "client_id": self.client_id,
            "request_uri": self.request_uri,
            "service": self.service,
            "version": self.version,
            "until": self.until,
            "reads": self.reads,
            "rows": rows,
        }
        return sha256(b"regie/paper-form/v1" + canonical_bytes(said))[:_DIGEST_BYTES]

    @property
    def sheets(self) -> tuple[tuple[Row, ...], ...]:
        """The rows of each sheet. Raises `Rejected`: `form_too_long`, `empty_form`."""
        if not self.rows:
            raise Rejected("empty_form", "nothing is asked that can be ticked")
        found = tuple(
            self.rows[start : start + ROWS_PER_SHEET] for start in range(0, len(self.rows), ROWS_PER_SHEET)
        )
        if len(found) > MAX_SHEETS:
            raise Rejected("form_too_long", f"a form has at most {MAX_SHEETS * ROWS_PER_SHEET} rows")
        return found


@dataclass(frozen=True)
class SheetCode:
    """What the QR code of a sheet says, trusted only once the form matches. `sheet` counts from 1."""

    link: str
    sheet: int
    digest: bytes


def form_rows(asked: Iterable[Row]) -> tuple[Row, ...]:
    """In the order in which they are printed: by card, what is needed first."""
    return tuple(sorted(set(asked), key=lambda row: (row.vct, not row.needed, row.name)))


def row_middle(place: int) -> float:
    """Height of the row at `place` (from 0) of a sheet."""
    return FIRST_ROW + place * ROW_STEP


def sheet_code(link: str, sheet: int, digest: bytes) -> str:
    """The text of a sheet's QR code: the link, and what a wallet that scans it does not know and ignores."""
    return f"{link}&form={_PREFIX}.{sheet}.{b64u_encode(digest)}"


def mark_text(sheet: int, number: int, digest: bytes) -> str:
    """The text of a mark: 15 characters of the alphanumeric mode, so that the smallest QR code holds it."""
    return f"R1.{sheet}.{number}.{digest[:4].hex().upper()}"


def parse_sheet_code(text: str) -> SheetCode:
    """Raises `Rejected`: `no_form`."""
    link, mark, tail = text.rpartition("&form=")
    found = _TAIL.fullmatch(mark + tail)
    if found is None or not link:
        raise Rejected("no_form", "this is not the code of a form")
    return SheetCode(link, int(found[1]), b64u_fixed(found[2], _DIGEST_BYTES))


def parse_mark(text: str) -> tuple[int, int, str]:
    """(sheet, number, eight hex digits of the commitment). Raises `Rejected`: `no_form`."""
    found = _MARK.fullmatch(text)
    if found is None:
        raise Rejected("no_form", "this is not a mark of a form")
    return int(found[1]), int(found[2]), found[3]


def check_marks(code: SheetCode, marks: Sequence[tuple[int, int, str]]) -> None:
    """Code and marks are of one sheet. Raises `Rejected`: `tampered_form`."""
    short = code.digest[:4].hex().upper()
    if any((sheet, digest) != (code.sheet, short) for sheet, _, digest in marks):
        raise Rejected("tampered_form", "the code and the marks of this sheet are of different forms")


def check_form(code: SheetCode, form: Form) -> None:
    """The sheet is of this very form, and of a sheet that it has. Raises `Rejected`: `other_form`."""
    if code.digest != form.digest or code.sheet > len(form.sheets):
        raise Rejected("other_form", "this sheet does not say what the request asks")
