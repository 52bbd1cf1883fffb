"""QR codes as SVG paths: made here, shown by the macro `qr` of `ui/parts.html` on white with its quiet zone."""

from functools import lru_cache
from itertools import groupby

from flask import Flask
from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M
from qrcode.main import QRCode

QUIET = 4
"""Light modules around the code (ISO/IEC 18004)."""
MAX_CHARACTERS = 2000
_SAFE_CHARACTERS = 300
"""Up to here there is room for more error correction, which helps on creased paper."""


@lru_cache(maxsize=64)
def qr_path(text: str) -> tuple[int, str]:
    """Side in modules, quiet zone included, and the `d` of a path that holds the runs of dark modules."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError("a QR code of more text cannot be read from a screen")
    level = ERROR_CORRECT_M if len(text) <= _SAFE_CHARACTERS else ERROR_CORRECT_L
    code = QRCode(error_correction=level, border=QUIET)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    runs = [f"M{x} {y}h{length}v1h-{length}z" for y, row in enumerate(matrix) for x, length in _dark_runs(row)]
    return len(matrix), "".join(runs)


def _dark_runs(row: list[bool]) -> list[tuple[int, int]]:
    """Start and length of each run of dark modules."""
    runs, x = [], 0
    for dark, group in groupby(row):
        length = len(list(group))
        if dark:
            runs.append((x, length))
        x += length
    return runs


def install(app: Flask) -> None:
    """`qr_path` for the templates."""
    app.jinja_env.globals["qr_path"] = qr_path
