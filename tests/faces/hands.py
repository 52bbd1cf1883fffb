"""How somebody works a page: with a mouse, or with the keyboard alone. Every press is counted."""

import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

MOST_TABS = 200
_IS_HERE = "one => one === document.activeElement"


@dataclass
class Mouse:
    """Points and clicks. `presses`: of buttons and links, and choices made; typing is none."""

    page: Page
    presses: int = 0

    def press(self, target: Locator) -> None:
        """A button or a link."""
        self.presses += 1
        target.first.click()

    def choose(self, target: Locator) -> None:
        """A checkbox or a radio button."""
        self.presses += 1
        target.first.check()

    def fill(self, target: Locator, text: str) -> None:
        """A field."""
        target.first.fill(text)

    def give_file(self, target: Locator, path: Path) -> None:
        """A picture or a backup."""
        self.presses += 1
        target.set_input_files(path)


@dataclass
class Keyboard(Mouse):
    """Reaches everything with Tab from where the focus is; never touches the mouse."""

    def press(self, target: Locator) -> None:
        self.presses += 1
        self._reach(target)
        self.page.keyboard.press("Enter")

    def choose(self, target: Locator) -> None:
        self.presses += 1
        if target.first.get_attribute("type") == "radio":
            self._reach_group(target)
            return
        self._reach(target)
        if not target.first.is_checked():
            self.page.keyboard.press("Space")

    def fill(self, target: Locator, text: str) -> None:
        self._reach(target)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def _reach(self, target: Locator) -> None:
        target = target.first
        target.wait_for()
        for _ in range(MOST_TABS):
            if target.evaluate(_IS_HERE):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never comes to {target}")

    def _reach_group(self, target: Locator) -> None:
        """Tab comes to one button of a group; the arrows go round in it."""
        name = target.first.get_attribute("name")
        in_group = f"() => document.activeElement?.type === 'radio' && document.activeElement.name === {name!r}"
        for _ in range(MOST_TABS):
            if self.page.evaluate(in_group):
                break
            self.page.keyboard.press("Tab")
        self.page.keyboard.press("Space")
        for _ in range(MOST_TABS):
            if target.first.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the arrows never come to {target}")


def wait_for(page: Page, selector: str, *, seconds: float = 60) -> Locator:
    """Until `selector` is on the page. Without scripts nothing changes by itself: the page is asked for again."""
    deadline = time.monotonic() + seconds
    while page.locator(selector).count() == 0:
        if time.monotonic() > deadline:
            expect(page.locator(selector), f"{page.url} never had {selector}").not_to_have_count(0)
        page.wait_for_timeout(200)
    return page.locator(selector)
