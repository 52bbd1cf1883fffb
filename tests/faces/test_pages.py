"""Every page of every face, in both languages: accessible, by the keyboard, at every size and in every colour."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.faces.accessible import shape_faults
from tests.faces.arrive import visit
from tests.faces.keyboard import keyboard_faults
from tests.faces.pages import console, counter, desk, wallet
from tests.faces.paper import codes, has_clean_edges, printed
from tests.faces.screens import Screen, Visit
from tests.faces.sweep import LOOKS, layout_faults, put, sweep
from tests.faces.tour import Tour
from tests.faces.town import FacesTown, Story

pytestmark = pytest.mark.timeout(600)  # the first test founds the town
SCREENS = {
    "wallet": wallet.SCREENS,
    "desk": desk.SCREENS,
    "console": console.SCREENS,
    "counter": counter.SCREENS,
}
ALL = [pytest.param(face, screen, id=f"{face}-{screen.name}") for face in SCREENS for screen in SCREENS[face]]
ON_PAPER = [
    pytest.param(face, screen, id=f"{face}-{screen.name}")
    for face in SCREENS
    for screen in SCREENS[face]
    if screen.prints
]


class Doors:
    """Visitors by face, role and language: each comes in once."""

    def __init__(self, browser: Browser, town: FacesTown, story: Story, stack: ExitStack) -> None:
        self._what = browser, town, story
        self._stack = stack
        self._visits: dict[tuple[str, str, str], Visit] = {}

    def at(self, face: str, screen: Screen, language: str = "nl") -> Visit:
        """Somebody who is at `screen`."""
        browser, town, story = self._what
        key = face, screen.role, language
        if key not in self._visits:
            entered = visit(browser, face, town, story, language=language, role=screen.role)
            self._visits[key] = self._stack.enter_context(entered)
        found = self._visits[key]
        screen.reach(found)
        found.page.locator("#fresh").wait_for(state="detached")  # a wallet that catches up loads its page again
        return found


@pytest.fixture(scope="module")
def doors(browser: Browser, town: FacesTown, story: Story) -> Iterator[Doors]:
    with ExitStack() as stack:
        yield Doors(browser, town, story, stack)


@pytest.fixture(scope="module")
def tour() -> Iterator[Tour]:
    """Takes pictures for docs/tour.md when it is asked to (`make tour`)."""
    taken = Tour("REGIE_TOUR" in os.environ)
    yield taken
    taken.write()


@pytest.mark.parametrize(("face", "screen"), ALL)
def test_page_is_whole_and_accessible_however_it_is_looked_at(
    face: str, screen: Screen, doors: Doors, pictures: Path, tour: Tour
) -> None:
    page = doors.at(face, screen).page
    if screen.in_tour:
        tour.take(page, face, screen.name)
    faults = shape_faults(page, "nl") + keyboard_faults(page)
    assert faults + sweep(page, f"{face}-{screen.name}", pictures) == []


@pytest.mark.parametrize(("face", "screen"), ALL)
def test_page_is_whole_in_english(face: str, screen: Screen, doors: Doors) -> None:
    page = doors.at(face, screen, "en").page
    put(page, LOOKS[0])
    assert shape_faults(page, "en") + layout_faults(page) == []


@pytest.mark.parametrize(("face", "screen"), ON_PAPER)
def test_page_on_paper_has_its_code_and_nothing_cut_off(
    face: str, screen: Screen, doors: Doors, tmp_path: Path
) -> None:
    sheets = printed(doors.at(face, screen).page, tmp_path / "paper.pdf")
    assert all(has_clean_edges(sheet) for sheet in sheets)
    assert bool([code for sheet in sheets for code in codes(sheet)]) == screen.qr
