"""The main job, in the browser only: receive, give, read, see the read, stop, be refused, look at the case.

In Dutch with the mouse, in English by the keyboard alone, and in Dutch with JavaScript off, where links are pasted
and pages are asked for again. The same people do it each time; each has a wallet that is made in the browser.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from examples.founding import PARKING, PERSONS
from tests.faces.arrive import open_local, sign_in
from tests.faces.browser import DESK as WIDE
from tests.faces.browser import PHONE, Visitor, visiting
from tests.faces.hands import Keyboard, Mouse, wait_for
from tests.faces.people import Auditor, Clerk, CounterClerk, Resident, photograph
from tests.faces.town import BSNS, CASE, COUNTER, DESK, FacesTown

pytestmark = pytest.mark.timeout(600)  # the first test founds the town
CARDS = ("persoon", "adres")


@dataclass(frozen=True)
class Way:
    """How the job is done, and by which of our persons."""

    name: str
    language: str
    person: int
    keyboard: bool = False
    scripts: bool = True


WAYS = (
    Way("dutch", "nl", 1),
    Way("english-keyboard", "en", 2, keyboard=True),
    Way("without-scripts", "nl", 3, scripts=False),
)


@dataclass
class Cast:
    """Everybody of one way, each in a browser of his own."""

    way: Way
    resident: Resident
    clerk: Clerk
    counter: CounterClerk
    auditor: Auditor
    visitors: list[Visitor]


@contextmanager
def cast_of(way: Way, browser: Browser, town: FacesTown) -> Iterator[Cast]:
    """They have come in: the resident at a wallet that is not made yet, the clerk at the desk."""
    with ExitStack() as stack:

        def somebody(size: tuple[int, int]) -> Visitor:
            return stack.enter_context(visiting(browser, language=way.language, size=size, scripts=way.scripts))

        at_home, desk, counter, console = somebody(PHONE), somebody(WIDE), somebody(WIDE), somebody(WIDE)
        hand = Keyboard if way.keyboard else Mouse
        open_local(at_home.page, town.new_wallet(way.name))
        open_local(console.page, town.console())
        sign_in(desk.page, town.urls["agency"] + DESK, "clerk")
        sign_in(counter.page, town.urls["issuer"] + COUNTER, "clerk")
        yield Cast(
            way,
            Resident(at_home.page, hand(at_home.page), scans=way.scripts),
            Clerk(desk.page, hand(desk.page)),
            CounterClerk(counter.page, hand(counter.page)),
            Auditor(console.page, hand(console.page)),
            [at_home, desk, counter, console],
        )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_main_job(way: Way, browser: Browser, town: FacesTown, tmp_path: Path) -> None:
    with cast_of(way, browser, town) as cast:
        do_the_job(cast, tmp_path)
        for visitor in cast.visitors:
            assert (visitor.complaints, visitor.strangers) == ([], set())


def do_the_job(cast: Cast, tmp_path: Path) -> None:
    """From the empty wallet to the refusal."""
    resident, clerk = cast.resident, cast.clerk
    resident.make_wallet()
    receive(cast, tmp_path / "offer.png")

    clerk.ask(PARKING["id"], CASE)
    photograph(clerk.page, tmp_path / "request.png")
    before = resident.hand.presses
    resident.show(tmp_path / "request.png")
    assert resident.optional() == [""], "an optional datum is never ticked beforehand"
    look_at_the_buttons(resident.page)
    resident.give()
    steps_to_give = resident.hand.presses - before

    clerk.open_agreement()
    second = clerk.page.context.new_page()
    second.goto(clerk.page.url)
    assert clerk.read("adres.postcode", CASE) == 200
    assert clerk.values() == postcode(cast.way.person)

    resident.open_agreement()
    resident.look_for_news()
    assert resident.reads() == 1
    before = resident.hand.presses
    resident.stop()
    assert resident.hand.presses - before <= min(2, steps_to_give)
    expect(resident.page.locator("[data-done], .r-notice--ok")).not_to_have_count(0)

    if cast.way.scripts:
        wait_for(clerk.page, "body:not(:has(dl .r-value))")
    else:
        clerk.page.reload()
    assert clerk.values() == ""
    late = Clerk(second, type(clerk.hand)(second))
    assert late.read("adres.postcode", CASE) == 410
    assert late.values() == ""

    cast.auditor.look_now()
    given, read, stopped, *refused = cast.auditor.open_newest()
    assert (given, read, stopped) == ("ok", "info", "stopped")
    assert set(refused) <= {"wait"}  # a desk that knows of the stop asks the log no more, and is not refused there


def receive(cast: Cast, picture: Path) -> None:
    """The counter's code, as a picture; then the cards."""
    code = cast.counter.offer(BSNS[cast.way.person], CARDS, picture)
    cast.resident.show(picture)
    cast.resident.receive(code)
    cast.resident.go("/cards")
    assert cast.resident.page.locator("main a[href*='/cards/']").count() == len(CARDS)


def look_at_the_buttons(page: Page) -> None:
    """No and yes: one size, one weight, one colour, beside each other."""
    told = page.locator("button[name=answer][value=refuse], button[name=answer][value=give]").evaluate_all(
        """all => all.map((one) => {
            const {fontSize, fontWeight, color, backgroundColor, borderWidth, borderColor, opacity, padding} =
                getComputedStyle(one);
            const {width, height} = one.getBoundingClientRect();
            return [fontSize, fontWeight, color, backgroundColor, borderWidth, borderColor, opacity, padding,
                Math.round(width), Math.round(height)];
        })"""
    )
    assert len(told) == 2
    assert told[0] == told[1]


def postcode(person: int) -> str:
    """As the register has it."""
    found = json.loads(PERSONS.read_text().splitlines()[person])
    return str(found["verblijfplaats"]["verblijfadres"]["postcode"])
