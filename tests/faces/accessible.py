"""What axe-core finds on a page, and what it does not look at: one h1, its title, its language, its landmarks.

axe runs through the debugger, so a page's content security policy stays as it is served.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text()
_RUN = """async (options) => {
    const found = await window.axe.run(document, options);
    return found.violations.flatMap((rule) => rule.nodes.map((node) =>
        `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\\n").slice(1).join(" ").trim()}`));
}"""
_SHAPE = Path(__file__).with_name("shape.js").read_text()


def run_axe(page: Page, options: dict[str, Any]) -> list[str]:
    """Violations, each `rule: element: what to do`."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"() => {{ {_AXE} }}")
    found: list[str] = page.evaluate(_RUN, {"resultTypes": ["violations"], **options})
    return found


def violations(page: Page) -> list[str]:
    """All rules of WCAG 2.2 A and AA, and axe's best practices."""
    return run_axe(page, {"runOnly": {"type": "tag", "values": list(TAGS)}})


def contrast_violations(page: Page) -> list[str]:
    """The contrast of text only: for the same page in other colours."""
    return run_axe(page, {"runOnly": {"type": "rule", "values": ["color-contrast"]}})


def shape_faults(page: Page, language: str) -> list[str]:
    """What a page lacks of the frame that every page has."""
    shape = page.evaluate(_SHAPE)
    faults = []
    if len(shape["headings"]) != 1 or not shape["headings"][0]:
        faults.append(f"has {len(shape['headings'])} headings of level 1: {shape['headings']}")
    elif shape["title"] != f"{shape['headings'][0]} – Regie":
        faults.append(f"is titled {shape['title']!r}, not after its heading {shape['headings'][0]!r}")
    if shape["language"] != language:
        faults.append(f"says that it is in {shape['language']!r}, not {language!r}")
    if shape["mains"] != 1:
        faults.append(f"has {shape['mains']} main landmarks")
    if not shape["first"].startswith("#"):
        faults.append("does not begin with a link to its content")
    levels = shape["levels"]
    if any(later > earlier + 1 for earlier, later in pairwise(levels)):
        faults.append(f"skips a level of headings: {levels}")
    if shape["doubles"]:
        faults.append(f"uses an id twice: {shape['doubles']}")
    return faults


def assert_accessible(page: Page, language: str = "nl") -> None:
    """No violation of axe, and the frame is as it should be."""
    assert shape_faults(page, language) + violations(page) == []
