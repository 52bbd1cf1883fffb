"""A resident without a wallet: a form on paper, two officers, a receipt, and a stop; all in the browser.

The form is printed from the desk, filled in with a pen, scanned a little askew and grey, and read back.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from examples.founding import PARKING, PERSONS
from tests.faces.arrive import sign_in
from tests.faces.browser import DESK as WIDE
from tests.faces.browser import visiting
from tests.faces.paper import codes, printed
from tests.faces.sweep import sweep
from tests.faces.town import BSNS, CASE, COUNTER, DESK, FacesTown
from tests.town.searching import traces
from tests.wallet.pens import Sheet, scanned

pytestmark = pytest.mark.timeout(600)  # the first test founds the town
DPI = 150


@contextmanager
def officer(browser: Browser, address: str, role: str) -> Iterator[Page]:
    """Somebody of the staff, signed in in a browser of his own; nothing goes wrong on his pages."""
    with visiting(browser, language="nl", size=WIDE) as visitor:
        sign_in(visitor.page, address, role)
        yield visitor.page
        assert (visitor.complaints, visitor.strangers) == ([], set())


@dataclass(frozen=True)
class Asked:
    """A request, and its sheet as it came from the printer."""

    id: str
    sheet: Image.Image


def print_form(town: FacesTown, browser: Browser, folder: Path) -> Asked:
    """The desk asks, and prints the form."""
    ask = town.regie("agency", "verifier", "ask", PARKING["id"], "--case", CASE).answer
    with officer(browser, town.urls["agency"] + DESK, "clerk") as page:
        page.goto(f"{town.urls['agency']}{DESK}requests/{ask['id']}/form")
        sheets = printed(page, folder / "form.pdf")
    (sheet,) = [sheet for sheet in sheets if any("&form=" in code for code in codes(sheet))]
    return Asked(ask["id"], sheet)


def press(page: Page, selector: str) -> None:
    with page.expect_navigation():
        page.locator(selector).first.click()


def hand_in(page: Page, scan: Path) -> None:
    """A new visit with the scan of a form."""
    page.goto(re.sub(r"(https?://[^/]+/).*", r"\1", page.url))
    press(page, "form[action='/visits'] button")
    page.set_input_files("#sheet", scan)
    press(page, "form[action$='/scan'] button")


def bring_cards(page: Page, town: FacesTown, bsn: str) -> None:
    """What the issuer's counter offers, and its code."""
    wanted = ("--credential", "adres", "--credential", "persoon")
    offer = town.regie("issuer", "issuer", "offer", "--bsn", "-", *wanted, stdin=bsn).answer
    page.check("#done-signed")
    page.check("#done-compared")
    page.fill("#link", offer["offer"])
    page.fill("#code", offer["tx_code"])
    press(page, "form[action$='/cards'] button")


def confirm(page: Page) -> None:
    for box in ("document", "understood", "free"):
        page.check(f"#done-{box}")
    press(page, "form[action$='/confirm'] button")


def read(town: FacesTown, asked: Asked, only: str, *, expect: int) -> int:
    words = ("verifier", "read", asked.id, "--only", only, "--case", CASE)
    return town.regie("agency", *words, expect=expect).status


def homes(town: FacesTown) -> list[Path]:
    """Wallets of visits that are on the disk."""
    return list(town.at("papers").glob("visit-*"))


def test_a_form_on_paper_from_the_printer_to_the_stop(browser: Browser, town: FacesTown, tmp_path: Path) -> None:
    asked = print_form(town, browser, tmp_path)
    pen = Sheet(asked.sheet.copy(), DPI).cross(0, "yes").tick(1, "yes").cross(2, "yes").cross(2, "no").sign()
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(scanned(pen, turn=1.8, grey=True))
    address = town.paper_counter()

    with officer(browser, address, "clerk") as first, officer(browser, address, "manager") as second:
        hand_in(first, scan)
        visit = first.url
        assert first.locator("input[type=radio]").count() == 2  # only the row with two crosses is asked
        assert first.locator("input[type=radio]:checked").count() == 0
        looks = [sweep(first, "visit-ask", tmp_path)]
        first.check("input[name=row-2][value=no]")
        press(first, "form[action$='/told'] button")
        bring_cards(first, town, BSNS[4])
        assert first.locator("form[action$='/confirm']").count() == 0  # four eyes

        second.goto(visit)
        confirm(second)
        press(second, "main a[href$='/receipt']")
        looks.append(sweep(second, "visit-receipt", tmp_path))
        assert looks == [[], []]
        (sheet,) = printed(second, tmp_path / "receipt.pdf")  # a second one gets lost
        (receipt,) = codes(sheet)
        digits = re.sub(r"\s", "", second.locator(".r-papercode").inner_text())
        assert receipt.endswith(digits)
        second.goto(visit)
        press(second, "form[action$='/finish'] button")
        assert homes(town) == []

        assert read(town, asked, "postcode", expect=0) == 0
        assert read(town, asked, "volledigeNaam", expect=1) == 1

        hand_in(first, scan)
        assert first.locator("#sheet-error").count() == 1  # used before
        press(first, "form[action$='/finish'] button")

    with officer(browser, town.urls["issuer"] + COUNTER, "clerk") as elsewhere:
        elsewhere.goto(f"{town.urls['issuer']}{COUNTER}stop/")
        elsewhere.fill("#text", receipt)
        press(elsewhere, "#stop-form button[type=submit]")
        assert elsewhere.locator(".r-notice--ok").count() == 1
    assert read(town, asked, "postcode", expect=1) == 1
    people = [json.loads(line) for line in PERSONS.read_text().splitlines()]
    assert traces(town.home, people) == []  # neither of what was scanned, nor of what was said at any face


def test_attack_one_officer_as_both_and_a_tampered_form(browser: Browser, town: FacesTown, tmp_path: Path) -> None:
    asked, other = print_form(town, browser, tmp_path), print_form(town, browser, tmp_path)
    pen = Sheet(asked.sheet.copy(), DPI).cross(0, "yes").cross(1, "yes").cross(2, "yes").sign()
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(scanned(pen))
    place = tuple(round(side * DPI / 25.4) for side in (150, 12, 200, 62))
    pen.picture.paste(other.sheet.crop(place), place[:2])  # type: ignore[arg-type]
    bad.write_bytes(scanned(pen))
    with officer(browser, town.paper_counter(), "clerk") as page:
        hand_in(page, bad)
        assert page.locator("#sheet-error").count() == 1
        page.set_input_files("#sheet", good)
        press(page, "form[action$='/scan'] button")
        bring_cards(page, town, BSNS[4])
        token = page.locator("form[action$='/finish'] input[name=csrf_token]").input_value()
        refused = page.request.post(
            page.url + "/confirm",
            form={"csrf_token": token, "done": "document"},
            headers={"Origin": page.url.split("/visits")[0], "Sec-Fetch-Site": "same-origin"},
        )
        assert refused.status == 403
        press(page, "form[action$='/finish'] button")
    assert homes(town) == []
    assert town.regie("agency", "verifier", "verdict", asked.id, expect=None).answer.get("state") != "answered"
