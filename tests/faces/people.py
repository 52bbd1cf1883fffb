"""What a resident, a clerk and an auditor do on their faces.

They find controls by what they are for and not by words, so that the same people work in both languages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Page

from examples.founding import PASSPHRASE
from tests.faces.hands import Mouse, wait_for
from tests.faces.paper import codes

CODE = ".r-qr__code"


def photograph(page: Page, path: Path) -> str:
    """A picture of the QR code on the screen, kept at `path`; what it says."""
    page.locator(CODE).first.screenshot(path=path)
    found = codes(Image.open(path))
    assert len(found) == 1
    return found[0]


@dataclass
class Resident:
    """`hand` works the page of the wallet. `scans`: the browser has scripts, so that pictures can be read."""

    page: Page
    hand: Mouse
    scans: bool = True

    def go(self, path: str) -> None:
        """By the address of the page."""
        here = urlsplit(self.page.url)
        self.page.goto(f"{here.scheme}://{here.netloc}{path}")

    def make_wallet(self) -> None:
        """The first use, up to the empty first page."""
        self.hand.press(self.page.locator("a[href='/begin/new']"))
        self.hand.fill(self.page.locator("#passphrase"), PASSPHRASE)
        self.hand.fill(self.page.locator("#again"), PASSPHRASE)
        self.hand.press(self.page.locator("main form button"))
        self.page.wait_for_url("**/")

    def show(self, picture: Path) -> None:
        """Scan a QR code from a picture, or paste what it says."""
        self.go("/scan")
        if self.scans:
            self.page.locator("[data-scan]:not([hidden])").wait_for()
            self.hand.give_file(self.page.locator("[data-scan] input[type=file]"), picture)
        else:
            (text,) = codes(Image.open(picture))
            self.hand.fill(self.page.locator("#link"), text)
            self.hand.press(self.page.locator("main form[action='/scan'] button"))
        self.page.wait_for_url(lambda url: "/scan" not in url)

    def receive(self, code: str) -> None:
        """Take the cards of the offer that is open."""
        self.hand.fill(self.page.locator("#code"), code)
        self.hand.press(self.page.locator("form:has(#code) button"))
        self.page.wait_for_url("**/received/**")

    def optional(self) -> list[str]:
        """Data of the request that are not required: whether each is ticked already."""
        boxes = self.page.locator("input[name=give]")
        return ["ticked" if boxes.nth(place).is_checked() else "" for place in range(boxes.count())]

    def give(self) -> None:
        """The request as it stands."""
        self.hand.press(self.page.locator("button[name=answer][value=give]"))
        self.page.wait_for_url("**/result/**")

    def open_agreement(self) -> None:
        """The newest, from the page of agreements."""
        self.hand.press(self.page.locator("nav a[href='/agreements']"))
        self.hand.press(self.page.locator("main a[href^='/agreements/']"))

    def stop(self) -> None:
        """The agreement that is open: at most two presses."""
        self.hand.press(self.page.locator("main a[href$='/stop']"))
        self.hand.press(self.page.locator("form#stop button"))
        self.page.wait_for_url("**/stopped")

    def reads(self) -> int:
        """How often somebody looked, as the page that is open lists it."""
        return self.page.locator("main .r-timeline__item--ok").count()

    def look_for_news(self) -> None:
        """Ask the log what is new, and wait for it: until what says how fresh the page is was made anew."""
        self.page.locator(".r-fresh").evaluate("strip => { strip.dataset.before = ''; }")
        self.hand.press(self.page.locator(".r-fresh form button"))
        wait_for(self.page, ".r-fresh:not([data-before])")


@dataclass
class Clerk:
    """At the desk of the agency."""

    page: Page
    hand: Mouse

    def ask(self, service: str, case: str) -> None:
        """A request for a registered service, shown as a QR code."""
        self.hand.press(self.page.locator("nav a[href$='/new/']"))
        self.hand.press(self.page.locator(f"main a[href*='/new/{service}']"))
        self.hand.fill(self.page.locator("#case"), case)
        self.hand.press(self.page.locator("main form button[type=submit]"))
        wait_for(self.page, CODE)

    def open_agreement(self) -> None:
        """Once the resident has agreed; the page of the request says so by itself."""
        link = wait_for(self.page, "main a[href*='/agreements/']")
        self.hand.press(link)
        wait_for(self.page, "form[action$='/read']")

    def read(self, datum: str, case: str) -> int:
        """One datum, for a case and a reason; the status of the answer."""
        self.hand.fill(self.page.locator("#case"), case)
        self.hand.choose(self.page.locator("input[name=reason]"))
        self.hand.choose(self.page.locator(f"input[name=only][value='{datum}']"))
        with self.page.expect_navigation() as told:
            self.hand.press(self.page.locator("form[action$='/read'] button[type=submit]"))
        answer = told.value
        assert answer is not None
        return int(answer.status)

    def values(self) -> str:
        """What is on the screen of the resident's data."""
        return " ".join(self.page.locator("dl .r-value").all_inner_texts())


@dataclass
class CounterClerk:
    """At the counter of the issuer."""

    page: Page
    hand: Mouse

    def offer(self, bsn: str, cards: Sequence[str], picture: Path) -> str:
        """Find who stands there, compare, choose; the QR code as a picture, and the code that is said."""
        self.hand.fill(self.page.locator("#bsn"), bsn)
        self.hand.press(self.page.locator("form:has(#bsn) button"))
        self.hand.press(self.page.locator("main a[href$='/give/']"))
        self.hand.choose(self.page.locator("input[name=document]"))
        self.hand.choose(self.page.locator("input[name=face]"))
        for card in cards:
            self.hand.choose(self.page.locator(f"input[name=card][value='{card}']"))
        self.hand.press(self.page.locator("form:has([name=document]) button[type=submit]"))
        wait_for(self.page, CODE)
        photograph(self.page, picture)
        return "".join(self.page.locator(".r-big-code").inner_text().split())


@dataclass
class Auditor:
    """At the console."""

    page: Page
    hand: Mouse

    def look_now(self) -> None:
        """Follow the log up to now."""
        self.hand.press(self.page.locator("form[action='/check/look'] button"))
        wait_for(self.page, "[data-done] .r-notice--ok")

    def open_newest(self) -> list[str]:
        """The file of the newest agreement, for a reason; the kinds of what happened, in order."""
        self.hand.press(self.page.locator("nav a[href='/agreements/']"))
        self.hand.press(self.page.locator("main td a[href*='/agreements/open']"))
        self.hand.choose(self.page.locator("input[name=reason]"))
        self.hand.fill(self.page.locator("#note"), "A-7")
        self.hand.press(self.page.locator("form:has(#note) button[type=submit]"))
        wait_for(self.page, "#entries")
        events = self.page.locator("main .r-timeline__item")
        kinds = [events.nth(place).get_attribute("class") or "" for place in range(events.count())]
        return [kind.rpartition("--")[2] for kind in kinds]
