"""How somebody comes in at a face, as the people do: by the address a program printed, or by signing in."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from examples.founding import PASSPHRASE
from tests.faces.browser import DESK as WIDE
from tests.faces.browser import PHONE, visiting
from tests.faces.screens import Visit
from tests.faces.town import COUNTER, DESK, STAFF, FacesTown, LocalFace, Story

FACES = ("wallet", "desk", "console", "counter")


def open_local(page: Page, face: LocalFace) -> None:
    """By the address that opens it once; later visitors bring the cookie that it gave."""
    if face.cookies:
        page.context.add_cookies(face.cookies)
        page.goto(face.origin + "/")
        return
    page.goto(face.launch)
    face.cookies = [dict(cookie) for cookie in page.context.cookies()]  # type: ignore[misc]


def unlock(page: Page, passphrase: str = PASSPHRASE) -> None:
    """Type the passphrase, if the wallet asks for it."""
    field = page.locator("input[type=password]")
    if "/unlock" in page.url and field.count():
        field.first.fill(passphrase)
        field.first.press("Enter")
        page.wait_for_url(lambda url: "/unlock" not in url)


def sign_in(page: Page, address: str, role: str) -> None:
    """At the organisation's own provider, and back."""
    page.goto(address)
    page.locator("a[href*='sign-in/go']").click()
    page.locator(f"input[name=bsn][value='{STAFF[role]}']").check()
    page.locator("button").first.click()
    page.wait_for_url(lambda url: url.startswith(address) and "sign-in" not in url)


def arrive(page: Page, face: str, town: FacesTown, *, role: str = "clerk", who: str = "anna") -> None:
    """Come in at `face`; what is seen then is its first page."""
    if face == "wallet":
        open_local(page, town.wallet(who))
        unlock(page)
    elif face == "console":
        open_local(page, town.console())
    else:
        name, path = ("agency", DESK) if face == "desk" else ("issuer", COUNTER)
        sign_in(page, town.urls[name] + path, role)


@contextmanager
def visit(
    browser: Browser,
    face: str,
    town: FacesTown,
    story: Story,
    *,
    language: str = "nl",
    role: str = "clerk",
    who: str = "anna",
    scripts: bool = True,
) -> Iterator[Visit]:
    """Somebody who has come in at `face`, with a browser of his own for the length of the block."""
    size = PHONE if face == "wallet" else WIDE
    with visiting(browser, language=language, size=size, scripts=scripts) as visitor:
        arrive(visitor.page, face, town, role=role, who=who)
        yield Visit(visitor, town, story, language)
        assert visitor.complaints == []
        assert visitor.strangers == set()
