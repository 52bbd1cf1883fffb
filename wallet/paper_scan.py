"""A scanned sheet: from the bytes of a picture to the ink in each of its boxes.

The QR code and the marks say where the sheet lies in the picture; it is laid straight, and then every box is
looked for within a millimetre and a half of its place, since paper bends. Needs the extra `counter`.
"""

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import zxingcpp
from PIL import Image, ImageFilter, UnidentifiedImageError

from protocol import paper_form as form
from protocol.errors import Rejected
from protocol.paper_form import SheetCode, check_marks, parse_mark, parse_sheet_code
from wallet.paper_plane import Plane, Point, error_of, fit
from wallet.paper_ticks import BoxInk, RowInk, SheetInk

MAX_PICTURE_BYTES = 12 * 1024 * 1024
MAX_PIXELS = 40_000_000
"""A4 at 600 dots an inch is 35 million."""
MIN_SIDE = 700
FORMATS = ("PNG", "JPEG")
STEPS = 8
"""Pixels for a millimetre of the sheet once it is straight: about 200 dots an inch."""
LEAST_MARKS = 2
MAX_ERROR = 1.2
"""Millimetres that a mark may be off where it should be."""
_SLACK = 1.5
_CONTRAST = 0.30
"""Of the way from paper to print: as dark as that is ink, also of a pencil."""
_QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
_INNER, _STRIP_FROM, _STRIP_TO = 0.5, 0.6, 2.0
_LINE_SHARE = 0.55
"""Of a side of a box that must be dark for the box to be there."""


@dataclass(frozen=True)
class Scan:
    """One sheet: what is on it, and its straightened picture as PNG, for people to compare."""

    ink: SheetInk
    picture: bytes


def read_sheet(data: bytes) -> Scan:
    """Raises `Rejected`: `bad_picture`, `no_form`, `several_sheets`, `tampered_form`, `bad_scan`."""
    picture = _open(data)
    code, paper, points = _find(picture)
    plane = fit(paper, points)
    scale = _scale(plane)
    if error_of(plane, paper, points) > MAX_ERROR * scale:
        raise Rejected("bad_scan", "the sheet is bent, or its marks are not where they belong")
    straight = _straighten(picture, plane)
    page = _Page(straight)
    rows = tuple(
        RowInk(page.box(form.YES_X, form.row_middle(place)), page.box(form.NO_X, form.row_middle(place)))
        for place in range(form.ROWS_PER_SHEET)
    )
    signature = page.share(form.SIGN_LEFT + 1, form.SIGN_TOP, form.SIGN_RIGHT - 1, form.SIGN_BOTTOM - 1)
    return Scan(SheetInk(code, rows, signature, _beyond(page, rows)), _png(straight))


def _open(data: bytes) -> Image.Image:
    if len(data) > MAX_PICTURE_BYTES:
        raise Rejected("bad_picture", f"a picture has at most {MAX_PICTURE_BYTES} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as found:
                if found.width * found.height > MAX_PIXELS or min(found.size) < MIN_SIDE:
                    raise Rejected("bad_picture", "the picture is too large or too small: scan at 200 dpi")
                flat = Image.new("RGB", found.size, "white")
                flat.paste(found.convert("RGB"), mask=found.getchannel("A") if "A" in found.getbands() else None)
                return flat.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Rejected("bad_picture", "this is no PNG or JPEG picture") from error
    except Image.DecompressionBombWarning as error:
        raise Rejected("bad_picture", "the picture is too large") from error


def _find(picture: Image.Image) -> tuple[SheetCode, list[Point], list[Point]]:
    """The code of the sheet, and the corners of code and marks: on the paper, and in the picture."""
    codes: dict[str, list[Point]] = {}
    marks: dict[str, list[Point]] = {}
    for found in zxingcpp.read_barcodes(picture, formats=_QR):
        place = found.position
        clockwise = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        corners = [(float(corner.x), float(corner.y)) for corner in clockwise]
        if "&form=" in found.text:
            codes[found.text] = corners
        elif found.text.startswith("R1."):
            marks[found.text] = corners
    if len(codes) > 1:
        raise Rejected("several_sheets", "there is more than one sheet in this picture")
    if not codes:
        raise Rejected("no_form", "no code of a form can be read in this picture")
    ((text, corners),) = codes.items()
    code, parsed = parse_sheet_code(text), {parse_mark(mark): at for mark, at in marks.items()}
    check_marks(code, list(parsed))
    if len(parsed) < LEAST_MARKS:
        raise Rejected("bad_scan", "the marks in the corners of the sheet cannot be read")
    paper, points = _square(form.CODE_X, form.CODE_Y, form.CODE_SIDE), corners
    for (_, number, _), at in parsed.items():
        paper = paper + _square(*form.MARKS[number], form.MARK_SIDE)
        points = points + at
    return code, paper, points


def _square(x: float, y: float, side: float) -> list[Point]:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def _scale(plane: Plane) -> float:
    """Pixels of the picture for a millimetre, about."""
    (x, y), (u, v) = plane.at((form.TEXT_X, form.TEXT_X)), plane.at((form.CODE_X, form.HEIGHT - form.TEXT_X))
    across, down = form.CODE_X - form.TEXT_X, form.HEIGHT - 2 * form.TEXT_X
    return math.dist((x, y), (u, v)) / math.hypot(across, down)


def _straighten(picture: Image.Image, plane: Plane) -> Image.Image:
    size = (round(form.WIDTH * STEPS), round(form.HEIGHT * STEPS))
    numbers = plane.scaled(STEPS)
    flat = picture.transform(size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC, fillcolor=255)
    return flat.filter(ImageFilter.MedianFilter(3))  # dust of the scanner


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()


def _beyond(page: "_Page", rows: tuple[RowInk, ...]) -> bool:
    """Whether there is ink in the columns of the boxes below the last box, where the form has no row."""
    last = max((place for place, row in enumerate(rows) if row.yes.framed or row.no.framed), default=-1)
    if last + 1 >= form.ROWS_PER_SHEET:
        return False
    top = form.row_middle(last) + form.ROW_STEP * 0.75
    bottom = form.row_middle(form.ROWS_PER_SHEET - 1) + form.ROW_STEP / 2
    columns = ((form.YES_X - 6, form.YES_X + 6), (form.NO_X - 6, form.NO_X + 6))
    return any(page.largest(left, top, right, bottom) > _BEYOND_SHARE for left, right in columns)


_BEYOND_SHARE = 0.05
"""Of a place of six by six millimetres."""


class _Page:
    """A straight sheet, asked in millimetres. What is dark is decided against the paper around it."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        code = self._crop(form.CODE_X, form.CODE_Y, form.CODE_X + form.CODE_SIDE, form.CODE_Y + form.CODE_SIDE)
        self._print = _level(code, 0.10)

    def _crop(self, left: float, top: float, right: float, bottom: float) -> Image.Image:
        return self._picture.crop(tuple(round(side * STEPS) for side in (left, top, right, bottom)))  # type: ignore[arg-type]

    def _dark(self, left: float, top: float, right: float, bottom: float) -> Image.Image:
        """The piece as 255 for ink and 0 for paper."""
        piece = self._crop(left, top, right, bottom)
        around = self._crop(left - 4, top - 4, right + 4, bottom + 4)
        paper = _level(around, 0.80)
        limit = paper - _CONTRAST * max(40, paper - self._print)
        return piece.point([255 if value < limit else 0 for value in range(256)])

    def share(self, left: float, top: float, right: float, bottom: float) -> float:
        """Of a piece that is ink, 0 to 1."""
        return _share(self._dark(left, top, right, bottom))

    def largest(self, left: float, top: float, right: float, bottom: float) -> float:
        """The largest share of any place of six millimetres in a column."""
        found, at = 0.0, top
        while at + 6 <= bottom:
            found = max(found, self.share(left, at, right, at + 6))
            at += 3
        return found

    def box(self, x: float, y: float) -> BoxInk:
        """The box whose middle is about there."""
        reach = form.BOX_SIDE / 2 + _SLACK + _STRIP_TO
        dark = self._dark(x - reach, y - reach, x + reach, y + reach)
        middle, half = reach * STEPS, (form.BOX_SIDE - form.BOX_LINE) / 2 * STEPS
        left, left_share = _line(dark, middle - half, middle, half, across=True)
        right, right_share = _line(dark, middle + half, middle, half, across=True)
        top, top_share = _line(dark, middle - half, middle, half, across=False)
        bottom, bottom_share = _line(dark, middle + half, middle, half, across=False)
        framed = min(left_share, right_share, top_share, bottom_share) >= _LINE_SHARE
        frame = (left, top, right, bottom)
        inside = _share(dark.crop(_grown(frame, -(form.BOX_LINE / 2 + _INNER))))
        outer = dark.crop(_grown(frame, _STRIP_TO))
        inner = dark.crop(_grown(frame, _STRIP_FROM))
        strip = outer.width * outer.height - inner.width * inner.height
        around = (_count(outer) - _count(inner)) / max(1, strip)
        return BoxInk(inside, around, framed)


def _line(dark: Image.Image, at: float, middle: float, half: float, *, across: bool) -> tuple[int, float]:
    """Where a side of a box is, near `at`, and which share of it is dark."""
    best, place = 0.0, round(at)
    near, far = round(middle - half * 0.8), round(middle + half * 0.8)
    for offset in range(-round(_SLACK * STEPS), round(_SLACK * STEPS) + 1):
        here = round(at) + offset
        piece = dark.crop((here - 1, near, here + 2, far) if across else (near, here - 1, far, here + 2))
        share = _covered(piece, across=across)
        if share > best + 0.02 or (share > best - 0.02 and abs(offset) < abs(place - round(at))):
            best, place = max(best, share), here
    return place, best


def _covered(piece: Image.Image, *, across: bool) -> float:
    """Of the length of a strip three pixels wide, the share where any of the three is dark."""
    thin = piece.filter(ImageFilter.MaxFilter(3))
    line = thin.crop((1, 0, 2, thin.height) if across else (0, 1, thin.width, 2))
    return _share(line)


def _grown(frame: tuple[int, int, int, int], by: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = frame
    step = round(by * STEPS)
    return left - step, top - step, right + step + 1, bottom + step + 1


def _count(dark: Image.Image) -> int:
    return int(dark.histogram()[255])


def _share(dark: Image.Image) -> float:
    return _count(dark) / max(1, dark.width * dark.height)


def _level(piece: Image.Image, share: float) -> int:
    """The brightness below which `share` of the pixels are."""
    wanted, seen = share * piece.width * piece.height, 0
    for value, count in enumerate(piece.histogram()):
        seen += count
        if seen >= wanted:
            return value
    return 255


def row_picture(sheets: Sequence[bytes], place: int) -> bytes:
    """One row of a form (`place` from 0) out of the straightened pictures of its sheets; PNG."""
    number, at = divmod(place, form.ROWS_PER_SHEET)
    steps = STEPS / 2
    middle, half = form.row_middle(at), form.ROW_STEP / 2 + 0.3
    with Image.open(io.BytesIO(sheets[number]), formats=("PNG",)) as sheet:
        frame = [round(side * steps) for side in (form.TEXT_X - 2, middle - half, form.NO_X + 12, middle + half)]
        piece = sheet.crop((frame[0], frame[1], frame[2], frame[3]))
    out = io.BytesIO()
    piece.save(out, "PNG")
    return out.getvalue()
