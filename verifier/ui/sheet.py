"""The sheets of a form as they are drawn: texts at their places, in millimetres."""

import textwrap
from dataclasses import dataclass
from typing import Any

from protocol import paper_form
from protocol.names import visible
from service.ui.qr import QUIET, qr_path
from service.ui.words import language
from verifier.paper import Sheet
from verifier.ui.shown import card_label, label

_CHARACTERS = 52
"""Of the largest print that fit between the left margin and the boxes."""


@dataclass(frozen=True)
class Drawn:
    """A QR code: `path` in modules, moved to `x`, `y` and made `scale` as large."""

    path: str
    x: float
    y: float
    scale: float


@dataclass(frozen=True)
class DrawnRow:
    """`y`: the middle of the row."""

    number: int
    y: float
    lines: tuple[str, ...]
    card: str
    needed: bool


def draw(sheet: Sheet) -> dict[str, Any]:
    """What the template of one sheet shows."""
    code = _drawn(sheet.code, paper_form.CODE_X, paper_form.CODE_Y, paper_form.CODE_SIDE)
    places = zip(sheet.marks, paper_form.MARKS, strict=True)
    return {
        "sheet": sheet,
        "codes": [code, *(_drawn(text, x, y, paper_form.MARK_SIDE) for text, (x, y) in places)],
        "rows": [
            DrawnRow(
                sheet.first + place,
                paper_form.row_middle(place),
                tuple(textwrap.wrap(visible(label(row.vct, row.name, language())), _CHARACTERS)[:2]),
                visible(card_label(row.vct, language())),
                row.needed,
            )
            for place, row in enumerate(sheet.rows)
        ],
        "at": paper_form,
    }


def _drawn(text: str, x: float, y: float, side: float) -> Drawn:
    """The code without its light margin fills `side`: that is what a reader measures."""
    modules, path = qr_path(text)
    scale = side / (modules - 2 * QUIET)
    return Drawn(path, x - QUIET * scale, y - QUIET * scale, scale)
