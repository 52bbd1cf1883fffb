"""Debian's Chromium and the tools for its paper. Playwright drives it; no browser is fetched from anywhere."""

import shutil
from pathlib import Path

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none")
"""Root has no user namespaces to make a sandbox of, and a container little shared memory."""


def program() -> Path | None:
    """The browser, as Debian and others call it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return Path(found) if found else None


def paper() -> Path | None:
    """`pdftoppm` of poppler-utils, which makes a picture of a printed page."""
    found = shutil.which("pdftoppm")
    return Path(found) if found else None


def missing() -> list[str]:
    """Debian's names of what the tests of the faces need and is not here."""
    return [name for name, part in (("chromium", program()), ("poppler-utils", paper())) if part is None]
