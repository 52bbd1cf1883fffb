"""A page on paper: printed by the browser to PDF, looked at as pictures, its QR codes read."""

import subprocess
import tempfile
from pathlib import Path

import zxingcpp
from PIL import Image
from playwright.sync_api import Page

from tests.faces import chromium

DOTS_PER_INCH = 150
_EDGE_MM = 4
"""What no printer reaches; nothing is printed there."""


def printed(page: Page, path: Path) -> list[Image.Image]:
    """The page on A4 as its own style prints it: one picture per sheet; the PDF stays at `path`."""
    page.emulate_media(media="print")
    page.pdf(path=path, format="A4", prefer_css_page_size=True, print_background=False)
    page.emulate_media(media="screen")
    program = chromium.paper()
    if program is None:
        raise RuntimeError("poppler-utils is not installed")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [program, "-r", str(DOTS_PER_INCH), "-png", str(path), f"{folder}/sheet"], check=True, timeout=60
        )
        return [Image.open(one).convert("L").copy() for one in sorted(Path(folder).iterdir())]


def codes(picture: Image.Image) -> list[str]:
    """What the QR codes on a picture say."""
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def has_clean_edges(sheet: Image.Image) -> bool:
    """Whether nothing runs to the edge of the sheet, where it would be cut off."""
    edge = round(_EDGE_MM / 25.4 * DOTS_PER_INCH)
    inner = sheet.copy()
    inner.paste(255, (edge, edge, sheet.width - edge, sheet.height - edge))
    return inner.getextrema()[0] > 200
