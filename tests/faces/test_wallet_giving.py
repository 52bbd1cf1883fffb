"""The three pages of a request, and what comes of them, in a real browser: fair, accessible, nothing runs in them.

The neighbours are in memory, so that a task of the law, over-asking and a log that is away are there to be seen.
"""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from protocol.canonical import b64u_encode, sha256
from protocol.reading import Ticket, sign_ticket
from protocol.service_law import FreeConsent, TestAnswer
from protocol.terms import ElementClaim
from protocol.trust_list import Service, Words
from service.ui.door import LocalDoor
from tests.faces.accessible import shape_faults, violations
from tests.faces.browser import PHONE, Visitor, visiting
from tests.faces.sweep import LOOKS, layout_faults, put
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY, AGENCY_ID, LOG_ORIGIN
from tests.protocol.test_service_law import free_consent
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import LOG_HOST, Neighbours
from wallet.ui.app import create
from wallet.ui.session import KEEPER

EVIL = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"
_CLAIM = type(builders.service().claims[0])
_COPY = [
    _CLAIM(vct=ADRES, path=[name], needed=True) for name in ("postcode", "woonplaats", *builders.flags(ADRES))
]
_EVIL = TestAnswer(yes=False, nl=EVIL, en=EVIL)
LAW_LINK = "https://wetten.overheid.nl/jci1.3:c:BWBR0033715&artikel=3.2"
SERVICES: dict[str, Service] = {
    "consent": builders.service(),
    "free": builders.service(
        id="vrij", law="AVG, artikel 6", law_url=LAW_LINK, free_consent=free_consent(interest=False)
    ),
    "task": builders.service(id="taak", basis="public_task", law="Wet BRP, artikel 3.2", law_url=LAW_LINK),
    "copy": builders.service(id="verhuizing", claims=_COPY),
    "evil": builders.service(
        id="evil",
        name=Words(nl=EVIL, en=EVIL),
        purpose=Words(nl=EVIL, en=EVIL),
        law=EVIL,
        bsn_law=EVIL,
        free_consent=FreeConsent(interest=_EVIL, request=_EVIL, no_downside=_EVIL, no_imbalance=_EVIL),
    ),
}


class Place:
    """A resident's wallet in the house, with cards and an open door."""

    def __init__(self, folder: Path) -> None:
        self.neighbours = Neighbours()
        self.resident = Resident(folder, self.neighbours)
        self.resident.create()
        self.resident.receive()
        self.version = 1
        self.list_first("consent")
        home = self.resident.home.path
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.launch = LocalDoor(home, "wallet").launch(port)
        app = create(home, fetcher=self.neighbours, clock=self.neighbours.clock, profile="small")
        keeper = app.extensions[KEEPER]
        keeper.catches_up = False
        keeper.unlock(PASSPHRASE)
        self.server = make_server("127.0.0.1", port, app, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def list_first(self, kind: str) -> None:
        """The agency in memory takes a grant for the service that is listed first."""
        self.version += 1
        services = sorted(SERVICES.values(), key=lambda service: service is not SERVICES[kind])
        self.resident.write_trust(version=self.version, agencies=[builders.agency(services=services)])

    def ask(self, kind: str, **changes: Any) -> str:
        """The link to a request of this kind."""
        agency = self.neighbours.agency
        if kind == "copy":
            return agency.ask(once=True)
        service = SERVICES[kind]
        number = b64u_encode(sha256(f"{kind} {len(agency.requests)}".encode())[:16])
        until = self.neighbours.clock.time + 3600
        ticket = Ticket(AGENCY_ID, LOG_ORIGIN, number, until, service.id, service.version)
        signed = sign_ticket(ticket, AGENCY.key, AGENCY.x5c)
        return agency.ask(service=service.id, service_version=service.version, ticket=signed, **changes)


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("giving"))
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def resident(browser: Browser, place: Place) -> Iterator[Visitor]:
    with visiting(browser, size=PHONE) as visitor:
        visitor.page.goto(place.launch.url)
        yield visitor
        assert visitor.complaints == []
        assert visitor.strangers == set()


def opened(resident: Visitor, link: str) -> Page:
    page = resident.go("/scan")
    page.fill("#link", link)
    page.locator("main form[action$=scan] button[type=submit]").click()
    page.wait_for_url("**/request/*")
    return page


def press(page: Page, value: str) -> Page:
    page.locator(f"main button[value={value}]").click()
    page.wait_for_url("**/result/*")
    return page


def faults(page: Page) -> list[str]:
    put(page, LOOKS[0])
    return shape_faults(page, "nl") + violations(page) + layout_faults(page)


def look_of(page: Page, value: str) -> dict[str, str]:
    """What makes one button weigh more than another."""
    script = """button => {
        const style = getComputedStyle(button), box = button.getBoundingClientRect();
        const names = ["fontSize", "fontWeight", "color", "backgroundColor", "borderColor", "borderWidth"];
        return {...Object.fromEntries(names.map((name) => [name, style[name]])),
                size: `${Math.round(box.width)} by ${Math.round(box.height)}`};
    }"""
    found: dict[str, str] = page.locator(f"main button[value={value}]").evaluate(script)
    return found


@pytest.mark.parametrize("kind", ["consent", "task", "copy"])
def test_yes_and_no_weigh_the_same_and_nothing_optional_is_ticked(
    resident: Visitor, place: Place, kind: str
) -> None:
    page = opened(resident, place.ask(kind))
    assert look_of(page, "refuse") == look_of(page, "give")
    assert page.locator("main input[name=give]:checked").count() == 0
    assert faults(page) == []


def test_task_of_the_law_asks_no_consent(resident: Visitor, place: Place) -> None:
    page = opened(resident, place.ask("task"))
    words = page.inner_text("main")
    assert "Je hoeft geen toestemming te geven" in words
    assert "Wet BRP, artikel 3.2" in words
    assert page.get_by_role("button", name="Delen", exact=True).count() == 0
    assert page.get_by_role("link", name="Lees de wet").get_attribute("href") == LAW_LINK


def test_choice_is_shown_to_be_free_and_the_data_to_be_sure(resident: Visitor, place: Place) -> None:
    place.list_first("free")
    page = opened(resident, place.ask("free"))
    page.get_by_text("Waarom is dit een vrije keuze?").click()
    words = page.inner_text("main")
    for said in ("Niet zo: Dit is in jouw belang", "Nee zeggen heeft geen nadeel", "Adres: zeer zeker."):
        assert said in words
    assert faults(page) == []


def test_over_asking_is_marked_and_what_is_needed_can_be_given(resident: Visitor, place: Place) -> None:
    asked = [ElementClaim("adres", ["postcode"], True), ElementClaim("persoon", ["burgerservicenummer"], False)]
    place.list_first("consent")
    page = opened(resident, place.ask("consent", claims=asked))
    assert "Ze vragen meer dan ze hebben aangemeld" in page.inner_text("main")
    assert faults(page) == []
    press(page, "give")
    assert "Burgerservicenummer" not in page.inner_text("main")
    assert faults(page) == []


def test_log_that_is_away_is_said_to_be_uncertain(resident: Visitor, place: Place) -> None:
    place.list_first("consent")
    page = opened(resident, place.ask("consent"))
    place.neighbours.down.add(LOG_HOST)
    try:
        press(page, "give")
    finally:
        place.neighbours.down.clear()
    assert "Nog niet zeker" in page.inner_text("h1")
    assert faults(page) == []


def test_no_is_a_page_without_reproach(resident: Visitor, place: Place) -> None:
    page = press(opened(resident, place.ask("copy")), "refuse")
    assert "heeft niets gekregen" in page.inner_text("main")
    assert faults(page) == []


def test_markup_of_an_agency_does_not_run(resident: Visitor, place: Place) -> None:
    """XSS: in the name, the purpose and the law of a service, on the request, the result and the receipt."""
    place.list_first("evil")
    page = opened(resident, place.ask("evil"))
    assert page.locator("main img, main script").count() == 0
    press(page, "give")
    number = page.locator("main a[href*='/receipt/']").first.get_attribute("href") or ""
    for path in ("", number.removesuffix("/data")):
        if path:
            resident.go(path)
        assert page.locator("main img, main script").count() == 0
        assert "onerror" in page.inner_text("main")
        assert page.title() != "ran"
