"""The pages of the console: the first visitor has the log looked at, as an auditor would."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.faces.screens import Screen, Visit, at
from tests.faces.town import FacesTown

NOTE = "K-2026-0017"
_READY: set[int] = set()
_CHECKED = "[data-done]"


def ready(visit: Visit) -> FacesTown:
    """The home has looked at the log; once for each town."""
    town = visit.town
    if id(town) not in _READY:
        town.regie("auditor", "auditor", "follow", "--once", "--go-on")
        _READY.add(id(town))
    return town


def then(path: str) -> Callable[[Visit], object]:
    """A page, once the home has looked."""
    return lambda visit: (ready(visit), visit.go(path))


def submit(page: Page, form: str) -> Page:
    """Press the button of a form."""
    with page.expect_navigation():
        page.locator(f"form[action='{form}'] button").first.click()
    return page


def checked(visit: Visit, form: str) -> None:
    """A check, until it has ended."""
    ready(visit)
    page = submit(visit.go("/log/"), form)
    while not page.locator(_CHECKED).count():
        page.wait_for_timeout(200)
        page.reload()


def file_of(visit: Visit, number: int = 0) -> Page:
    """The file of an agreement, after saying why."""
    ready(visit)
    page = visit.go(f"/agreements/open?number={number}")
    page.locator("input[name=reason]").nth(1).check()
    page.fill("#note", NOTE)
    submit(page, "/agreements/open")
    while not page.locator("#entries").count():
        page.wait_for_timeout(200)
        page.reload()
    return page


def proofs_of(visit: Visit) -> None:
    """The same with every proof unfolded."""
    page = file_of(visit, 1)
    for summary in page.locator("main summary").all():
        summary.click()


def nothing_said(visit: Visit) -> None:
    """The form without a reason."""
    page = visit.go("/agreements/open")
    page.locator("#note").evaluate("field => field.removeAttribute('required')")
    submit(page, "/agreements/open")


SCREENS: tuple[Screen, ...] = (
    Screen("overview", then("/")),
    Screen("overview-year", then("/?weeks=52"), in_tour=False),
    Screen("attention", then("/attention")),
    Screen("asked", then("/services/")),
    Screen("log", then("/log/")),
    Screen("looked", lambda visit: checked(visit, "/check/look"), in_tour=False),
    Screen("proved", lambda visit: checked(visit, "/check/proof")),
    Screen("findings", then("/findings/")),
    Screen("agreements", then("/agreements/")),
    Screen("why", at("/agreements/open?number=0")),
    Screen("why-errors", nothing_said, in_tour=False),
    Screen("file", file_of),
    Screen("file-proofs", proofs_of, in_tour=False),
    Screen("register", then("/agreements/register")),
    Screen("report", then("/report/"), prints=True),
    Screen("not-there", at("/nothing/here"), in_tour=False),
)
