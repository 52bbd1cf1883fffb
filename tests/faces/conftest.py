"""One browser for all tests of the faces; they run on one worker (see tests/conftest.py)."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.faces import chromium
from tests.faces.browser import running_chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It ends with the folder: while it runs, no other event loop can in this process."""
    if chromium.missing():
        pytest.skip(f"needs {' and '.join(chromium.missing())}")
    with running_chromium() as started:
        yield started
