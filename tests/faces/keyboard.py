"""A page by the keyboard alone: Tab reaches every control once, in order, and the focus can be seen."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

MOST_STOPS = 400
_TO_THE_TOP = """() => {
  window.scrollTo(0, 0);
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
"""Wherever the page put the focus: Tab begins at the first control."""
_STOP = Path(__file__).with_name("stop.js").read_text()
_TABBABLE = Path(__file__).with_name("tabbable.js").read_text()


@dataclass(frozen=True)
class Stop:
    """Where the focus came to rest. `ring`: it can be seen; `inside` the window; `free`: nothing lies over it."""

    key: str
    name: str
    ring: bool
    inside: bool
    free: bool


def tab_through(page: Page) -> list[Stop]:
    """Every stop from the top of the page to its end."""
    page.evaluate(_TO_THE_TOP)
    stops: list[Stop] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        told = page.evaluate(_STOP)
        if told is None or (stops and told["key"] == stops[0].key):
            break
        stop = Stop(**{name: told[name] for name in ("key", "name", "ring", "inside", "free")})
        if not stops or stops[-1].key != stop.key:  # a field for a date has stops of the browser's own
            stops.append(stop)
    page.evaluate("() => document.activeElement?.blur()")
    return stops


def keyboard_faults(page: Page) -> list[str]:
    """What somebody without a mouse would miss."""
    stops = tab_through(page)
    wanted = page.evaluate(_TABBABLE)
    faults = [f"no focus to be seen: {stop.name}" for stop in stops if not stop.ring]
    faults += [f"the focus is outside the window: {stop.name}" for stop in stops if not stop.inside]
    faults += [f"the focus is covered: {stop.name}" for stop in stops if not stop.free]
    if len({stop.key for stop in stops}) != len(stops):
        faults.append("Tab goes in a circle before the end of the page")
    if len(stops) != wanted:
        faults.append(f"Tab stops {len(stops)} times, the page has {wanted} controls: {[s.name for s in stops]}")
    return faults
