"""The pages of the counter, and of its door."""

from playwright.sync_api import Page

from tests.faces.screens import Screen, Visit, at
from tests.faces.town import BSNS, FacesTown

NOOR, KARIM, LONG_NAME, SECRET = BSNS[0], BSNS[5], BSNS[12], BSNS[6]
_WAITS: dict[int, str] = {}


def submit(page: Page, selector: str) -> Page:
    """Press Enter there, and wait for what comes."""
    with page.expect_navigation():
        page.locator(selector).press("Enter")
    return page


def find(visit: Visit, bsn: str = NOOR) -> Page:
    """The page of a resident."""
    page = visit.go("/counter/")
    page.fill("#bsn", bsn)
    return submit(page, "#bsn")


def nobody(visit: Visit) -> None:
    """A search that finds nobody."""
    page = visit.go("/counter/")
    page.fill("#surname", "Niemand")
    page.fill("#birth", "1987-04-12")
    submit(page, "#surname")


def follow(page: Page, selector: str) -> Page:
    """A link of the page."""
    with page.expect_navigation():
        page.locator(selector).first.click()
    return page


def give(visit: Visit) -> Page:
    """The page on which cards are chosen."""
    return follow(find(visit), "a[href$='/give/']")


def nothing_filled_in(visit: Visit) -> None:
    """The same with all that is wrong."""
    page = give(visit)
    follow(page, "form[action$='/give/'] button")


def code(visit: Visit) -> Page:
    """The QR code and the other code."""
    page = give(visit)
    page.locator("input[name=document]").nth(1).check()
    page.check("#face")
    page.check("#card")
    return follow(page, "form[action$='/give/'] button")


def decision(visit: Visit, **typed: str) -> Page:
    """A decision of a court is typed and sent."""
    page = visit.go("/counter/acting/")
    page.select_option("#kind", "mentor")
    for name, text in typed.items():
        page.fill(f"#{name}", text)
    return follow(page, "form[action$='/acting/'] button")


def wrong_decision(visit: Visit) -> None:
    """A number that is none."""
    decision(visit, represented="999100003", delegate=NOOR, until="2027-12-31", decision="C/09/1")


def written_down(visit: Visit) -> Page:
    """One that waits for a second officer, opened."""
    page = decision(visit, represented=LONG_NAME, delegate=NOOR, until="2027-12-31", decision="C/09/1")
    return follow(page, "a[href*='/acting/']:not([href$='/acting/'])")


def waits(town: FacesTown) -> str:
    """A neighbour whose record is held has asked; the id under which he waits."""
    if id(town) not in _WAITS:
        town.regie("issuer", "issuer", "hold", "--bsn", "-", "--reason", "adres in onderzoek", stdin=KARIM)
        town.make_wallet("karim")
        offer = town.regie("issuer", "issuer", "offer", "--bsn", "-", "--credential", "adres", stdin=KARIM).answer
        town.regie("karim", "wallet", "receive", offer["offer"], "--tx-code", offer["tx_code"], expect=None)
        (waiting,) = town.regie("issuer", "issuer", "waiting").answer["waiting"]
        _WAITS[id(town)] = waiting["id"]
    return _WAITS[id(town)]


SCREENS: tuple[Screen, ...] = (
    Screen("find", at("/counter/")),
    Screen("nobody", nobody, in_tour=False),
    Screen("person", find),
    Screen("long-name", lambda visit: find(visit, LONG_NAME), in_tour=False),
    Screen("secrecy", lambda visit: find(visit, SECRET), in_tour=False),
    Screen("give", give),
    Screen("give-errors", nothing_filled_in, in_tour=False),
    Screen("code", code),
    Screen("paper", lambda visit: follow(code(visit), "a[href$='/paper']"), prints=True, qr=True),
    Screen("revoke", lambda visit: follow(find(visit), "a[href*='/revoke/']")),
    Screen("hold", lambda visit: follow(find(visit), "a[href$='/hold']"), in_tour=False),
    Screen("held", lambda visit: (waits(visit.town), find(visit, KARIM)), in_tour=False),
    Screen("stop", at("/counter/stop/"), in_tour=False),
    Screen("waiting", lambda visit: (waits(visit.town), visit.go("/counter/waiting/")), role="manager"),
    Screen("waits", lambda visit: visit.go(f"/counter/waiting/{waits(visit.town)}"), role="manager"),
    Screen("acting", at("/counter/acting/")),
    Screen("acting-errors", wrong_decision, in_tour=False),
    Screen("acting-one", written_down),
    Screen("not-your-role", at("/counter/waiting/"), in_tour=False),
)
