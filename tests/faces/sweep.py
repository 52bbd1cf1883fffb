"""A page at every size and in every colour: nothing cut off, nothing covered, nothing unreadable.

The page is loaded once; size, text size, theme and forced colours change around it, as they do for somebody who
turns his phone or changes a setting. What is measured is said beside each look.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.faces.accessible import contrast_violations, violations

TARGET = 44
"""Pixels in each direction that a control takes (WCAG 2.5.5; 2.5.8 asks for 24)."""


@dataclass(frozen=True)
class Look:
    """How the page is looked at. `text`: per cent; `spaced`: with the text spacing of WCAG 1.4.12.

    `axe`: with which of its rules axe looks; forced colours are the browser's own, so there is nothing to compare.
    """

    name: str
    width: int
    height: int
    text: int = 100
    scheme: Literal["light", "dark"] = "light"
    forced: Literal["active", "none"] = "none"
    spaced: bool = False
    axe: Literal["all", "contrast", "none"] = "none"


LOOKS = (
    Look("phone", 320, 640, axe="all"),
    Look("desk", 1280, 800, axe="contrast"),
    Look("large", 1280, 800, text=200),
    Look("large-phone", 390, 844, text=200),
    Look("spaced", 320, 640, spaced=True),
    Look("dark", 390, 844, scheme="dark", axe="contrast"),
    Look("forced", 1280, 800, scheme="dark", forced="active"),
)
_SPACING = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } "
_LOOK = Path(__file__).with_name("look.js").read_text()
_MEASURE = Path(__file__).with_name("measure.js").read_text()


_AXE: dict[str, Callable[[Page], list[str]]] = {
    "all": violations,
    "contrast": contrast_violations,
    "none": lambda _: [],
}


def put(page: Page, look: Look) -> None:
    """Have `page` shown as `look` says."""
    page.set_viewport_size({"width": look.width, "height": look.height})
    page.emulate_media(
        media="screen", color_scheme=look.scheme, forced_colors=look.forced, reduced_motion="reduce"
    )
    page.evaluate(_LOOK, {"text": look.text, "spacing": _SPACING if look.spaced else ""})


def layout_faults(page: Page) -> list[str]:
    """What is cut off, covered, too small or outside the window as the page is shown now."""
    found: list[str] = page.evaluate(_MEASURE, TARGET)
    return found


def sweep(page: Page, name: str, pictures: Path, looks: tuple[Look, ...] = LOOKS) -> list[str]:
    """Every fault of the page in every look, each with the look's name; pictures of looks with faults are kept."""
    found: list[str] = []
    for look in looks:
        put(page, look)
        faults = layout_faults(page) + _AXE[look.axe](page)
        if faults:
            page.screenshot(path=pictures / f"{name}.{look.name}.jpeg", type="jpeg", full_page=True)
        found += [f"{look.name}: {fault}" for fault in faults]
    put(page, looks[0])
    return found
