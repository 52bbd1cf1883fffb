"""Pens, scanners and creased paper: what people and machines do to a printed sheet before it is read back."""

import io
import random
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from protocol import paper_form
from protocol.paper_form import Form, mark_text, row_middle, sheet_code
from service.ui.qr import QUIET, qr_path

DPI = 200
INK, PENCIL = 40, 130


def px(length: float, dpi: int = DPI) -> float:
    """Pixels of a length in millimetres."""
    return length * dpi / 25.4


class Sheet:
    """A picture of one sheet with a pen above it."""

    def __init__(self, picture: Image.Image, dpi: int = DPI, seed: int = 1) -> None:
        self.picture, self.dpi = picture.convert("L"), dpi
        self._pen, self._random = ImageDraw.Draw(self.picture), random.Random(seed)

    def line(self, points: Sequence[tuple[float, float]], *, ink: int = INK, width: float = 0.5) -> "Sheet":
        """A stroke through points in millimetres."""
        at = [(px(x, self.dpi), px(y, self.dpi)) for x, y in points]
        self._pen.line(at, fill=ink, width=max(1, round(px(width, self.dpi))), joint="curve")
        return self

    def _shaken(self, x: float, y: float) -> tuple[float, float]:
        return x + self._random.uniform(-0.4, 0.4), y + self._random.uniform(-0.4, 0.4)

    def box(self, row: int, column: str) -> tuple[float, float]:
        """The middle of a box; `column` is `yes` or `no`."""
        return (paper_form.YES_X if column == "yes" else paper_form.NO_X), row_middle(row)

    def cross(self, row: int, column: str, *, ink: int = INK, reach: float = 2.6) -> "Sheet":
        """A cross, as most people make it."""
        x, y = self.box(row, column)
        self.line([self._shaken(x - reach, y - reach), self._shaken(x + reach, y + reach)], ink=ink)
        return self.line([self._shaken(x - reach, y + reach), self._shaken(x + reach, y - reach)], ink=ink)

    def tick(self, row: int, column: str, *, ink: int = INK) -> "Sheet":
        """A tick whose tail leaves the box."""
        x, y = self.box(row, column)
        return self.line([(x - 2, y), (x - 0.6, y + 2.2), self._shaken(x + 4.4, y - 4)], ink=ink)

    def fill(self, row: int, column: str) -> "Sheet":
        """A box that is filled in."""
        x, y = self.box(row, column)
        for step in range(-6, 7):
            self.line([(x - 3, y + step / 2), (x + 3, y + step / 2)])
        return self

    def scribble(self, row: int, column: str) -> "Sheet":
        """Crossed out, far over the edges."""
        x, y = self.box(row, column)
        points = [(x + (6 if step % 2 else -6), y - 4 + step * 0.8) for step in range(11)]
        return self.line(points)

    def sign(self) -> "Sheet":
        """A name on the line."""
        left, bottom = paper_form.SIGN_LEFT, paper_form.SIGN_BOTTOM
        points = [(left + 8 + step * 2, bottom - 8 + (5 if step % 2 else -4)) for step in range(24)]
        return self.line(points)


def drawn(form: Form, number: int = 1, dpi: int = DPI, link: str = "openid4vp://?client_id=x") -> Sheet:
    """A blank sheet of a form: its code, marks, boxes, and lines of text that are only grey."""
    size = (round(px(paper_form.WIDTH, dpi)), round(px(paper_form.HEIGHT, dpi)))
    picture = Image.new("L", size, 255)
    text = sheet_code(link, number, form.digest)
    _put(picture, text, paper_form.CODE_X, paper_form.CODE_Y, paper_form.CODE_SIDE, dpi)
    for place, (x, y) in enumerate(paper_form.MARKS):
        _put(picture, mark_text(number, place, form.digest), x, y, paper_form.MARK_SIDE, dpi)
    pen = ImageDraw.Draw(picture)
    half = paper_form.BOX_SIDE / 2
    for place, _ in enumerate(form.sheets[number - 1]):
        y = row_middle(place)
        for x in (paper_form.YES_X, paper_form.NO_X):
            corners = [px(side, dpi) for side in (x - half, y - half, x + half, y + half)]
            pen.rectangle(corners, outline=0, width=round(px(paper_form.BOX_LINE, dpi)))
    return Sheet(picture, dpi)


def _put(picture: Image.Image, text: str, x: float, y: float, side: float, dpi: int) -> None:
    modules, path = qr_path(text)
    code = Image.new("L", (modules, modules), 255)
    pen = ImageDraw.Draw(code)
    for run in path.split("M")[1:]:
        left, rest = run.split(" ", 1)
        top, length = rest.partition("h")[0], rest.partition("h")[2].partition("v")[0]
        pen.line([(int(left), int(top)), (int(left) + int(length) - 1, int(top))], fill=0)
    inner = modules - 2 * QUIET
    code = code.crop((QUIET, QUIET, QUIET + inner, QUIET + inner))
    wide = round(px(side, dpi))
    picture.paste(code.resize((wide, wide), Image.Resampling.NEAREST), (round(px(x, dpi)), round(px(y, dpi))))


def scanned(sheet: Sheet, *, turn: float = 0, grey: bool = False, tilt: float = 0, quality: int = 85) -> bytes:
    """As a scanner gives it: turned by degrees, grey and dusty, tilted like a photograph; a JPEG."""
    picture = sheet.picture
    if tilt:
        wide, high = picture.size
        lean = tilt * wide
        corners = (-lean, -lean / 2, -lean / 3, high + lean, wide + lean, high + lean / 2, wide + lean / 4, -lean)
        picture = picture.transform(
            picture.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC, fillcolor=255
        )
    if turn:
        picture = picture.rotate(turn, Image.Resampling.BICUBIC, expand=True, fillcolor=235 if grey else 255)
    if grey:
        picture = picture.filter(ImageFilter.GaussianBlur(0.8)).point(
            [60 + value * 165 // 255 for value in range(256)]
        )
        shade = Image.linear_gradient("L").resize(picture.size).point([value // 6 for value in range(256)])
        picture = ImageChops.subtract(picture, shade)
        dust, pen = random.Random(3), ImageDraw.Draw(picture)
        for _ in range(300):
            pen.point((dust.randrange(picture.width), dust.randrange(picture.height)), fill=90)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def png(picture: Image.Image) -> bytes:
    """Lossless."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
