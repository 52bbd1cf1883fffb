"""A page as somebody sees it: Debian's Chromium, driven by Playwright, with what went wrong on the way.

One browser serves all tests of the faces. Every visitor has a context of his own, so that no cookie of one is sent
by another. What a page may not do (an error in a script, a breach of its content security policy, a request to a
stranger, an answer of 5xx) is kept in `Visitor.complaints`, which the tests hold to be empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.faces import chromium

PHONE = (390, 844)
DESK = (1280, 800)
WAIT_MS = 60_000
"""For any one step: two cores are shared by many processes."""
expect.set_options(timeout=WAIT_MS)
_LOCALES = {"nl": "nl-NL", "en": "en-GB"}
_EXPECTED = ("favicon", "401 (", "403 (", "404 (", "409 (", "421 (", "422 (", "400 (", "410 (")
"""Chromium logs every answer of 4xx as an error; a refusal is no fault of the page."""


@dataclass
class Visitor:
    """Somebody with a browser of his own, and the page he has open."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    """Origins other than those of this machine that a page tried to reach."""

    def go(self, path: str) -> Page:
        """Open `path` of the site that is open now."""
        here = urlsplit(self.page.url)
        self.page.goto(f"{here.scheme}://{here.netloc}{path}")
        return self.page

    def watch(self, page: Page) -> Page:
        """Keep what goes wrong on `page`."""
        page.set_default_timeout(WAIT_MS)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("response", self._answered)
        page.on("request", self._asked)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in _EXPECTED):
            self.complaints.append(f"{message.location.get('url', '')}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self.complaints.append(f"{response.status} {response.url}")

    def _asked(self, request: Request) -> None:
        place = urlsplit(request.url)
        is_ours = place.scheme in ("data", "blob", "about") or (place.hostname or "").endswith("localhost")
        if not is_ours:
            self.strangers.add(f"{place.scheme}://{place.netloc}")


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """The browser, without a window. It ends with the block."""
    program = chromium.program()
    if program is None:
        raise RuntimeError("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(chromium.ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser,
    *,
    language: str = "nl",
    size: tuple[int, int] = DESK,
    scripts: bool = True,
    camera: bool = False,
) -> Iterator[Visitor]:
    """A visitor whose browser prefers `language`; `scripts=False`: with JavaScript off."""
    context = browser.new_context(
        locale=_LOCALES[language],
        timezone_id="Europe/Amsterdam",
        viewport={"width": size[0], "height": size[1]},
        java_script_enabled=scripts,
        reduced_motion="reduce",
        permissions=["camera"] if camera else [],
    )
    try:
        visitor = Visitor(context, context.new_page())
        visitor.watch(visitor.page)
        yield visitor
    finally:
        context.close()
