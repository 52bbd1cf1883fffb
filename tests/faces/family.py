"""A family that comes to live in the town of the faces: two parents, their children, a ward and a neighbour.

Nobody else in the tests is one of them, so that what other stories do (a child that gets a wallet decides together
with a parent) changes nothing here. Ages are counted from today.
"""

import datetime
import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from examples.founding import PARKING, PERSONS
from tests.faces.accessible import violations
from tests.faces.arrive import visit
from tests.faces.hands import Mouse
from tests.faces.people import Resident
from tests.faces.screens import Visit
from tests.faces.sweep import LOOKS, layout_faults, put
from tests.faces.town import CASE, DESK, FacesTown, Story

MOTHER, FATHER, SMALL, TEEN, UNSURE, WARD, NEIGHBOUR = (
    "999160011", "999161519", "999163024", "999164533", "999166037", "999167546", "999169051",
)  # fmt: skip
NAMES = {
    MOTHER: "Saar Admiraal",
    FATHER: "Otto Blom",
    SMALL: "Pim Blom",
    TEEN: "Lotte Blom",
    UNSURE: "Mees Blom",
    WARD: "Gijs Prent",
    NEIGHBOUR: "Truus Hollander",
}
AGES = {MOTHER: 39, FATHER: 41, SMALL: 6, TEEN: 13, UNSURE: 9, WARD: 30, NEIGHBOUR: 81}
WALLETS = {MOTHER: "saar", FATHER: "otto", TEEN: "lotte", NEIGHBOUR: "truus"}
CARDS = ("persoon", "adres")
_LIKE: dict[str, Any] = json.loads(PERSONS.read_text().splitlines()[1])


def date_of(day: datetime.date) -> dict[str, str]:
    """As the BRP writes a day."""
    return {"type": "Datum", "datum": day.isoformat(), "langFormaat": f"{day.day} {day.month} {day.year}"}


def record(bsn: str, **changes: Any) -> dict[str, Any]:
    """What the register says of one of them; `changes` of it."""
    first, last = NAMES[bsn].split()
    born = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=365 * AGES[bsn] + 183)
    own = {
        "burgerservicenummer": bsn,
        "naam": {
            **_LIKE["naam"],
            "voornamen": first,
            "geslachtsnaam": last,
            "voorletters": f"{first[0]}.",
            "volledigeNaam": NAMES[bsn],
        },
        "geboorte": {**_LIKE["geboorte"], "datum": date_of(born)},
        "gezag": [relation for relation in _relations() if _is_about(relation, bsn)],
        "kinderen": [],
        "ouders": [],
        "partners": [],
    }
    return {**_LIKE, **own, **({"indicatieCurateleRegister": True} if bsn == WARD else {}), **changes}


def _is_about(relation: dict[str, Any], bsn: str) -> bool:
    """The relation that cannot be determined names nobody but the minor; the mother's record has it as well."""
    return bsn in json.dumps(relation) or (bsn == MOTHER and relation["type"] == "GezagNietTeBepalen")


def _relations() -> list[dict[str, Any]]:
    parents = [{"burgerservicenummer": bsn, "naam": {"volledigeNaam": NAMES[bsn]}} for bsn in (MOTHER, FATHER)]
    minors = {bsn: {"burgerservicenummer": bsn, "naam": {"volledigeNaam": NAMES[bsn]}} for bsn in NAMES}
    both = [
        {"type": "GezamenlijkOuderlijkGezag", "minderjarige": minors[child], "ouders": parents}
        for child in (SMALL, TEEN)
    ]
    unsure = {"type": "GezagNietTeBepalen", "minderjarige": minors[UNSURE], "toelichting": "geen gezag te bepalen"}
    return [*both, unsure]


@dataclass
class Family:
    """They, in the town. `visits`: who has come in, by BSN at his wallet and by role at the desk."""

    browser: Browser
    town: FacesTown
    story: Story
    folder: Path
    stack: ExitStack
    visits: dict[str, Visit] = field(default_factory=dict)

    def register_says(self, bsn: str, **changes: Any) -> None:
        """From now on. Nothing of it stays in the town's own folder."""
        self.register([record(bsn, **changes)])

    def register(self, people: list[dict[str, Any]]) -> None:
        """Take these into the register."""
        path = self.folder / "people.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in people))
        self.town.regie("issuer", "issuer", "import", str(path))
        path.unlink()

    def open(self, bsn: str) -> str:
        """The name of his home, with a wallet and his own cards."""
        who = WALLETS[bsn]
        if not (self.town.at(who) / "config.json").exists():
            self.town.open_wallet(who, bsn, CARDS)
        return who

    def at(self, bsn: str) -> Visit:
        """He is at his wallet in a browser of his own."""
        if bsn not in self.visits:
            who = self.open(bsn)
            self.visits[bsn] = self.stack.enter_context(
                visit(self.browser, "wallet", self.town, self.story, who=who)
            )
        return self.visits[bsn]

    def desk(self, role: str, path: str) -> Visit:
        """An officer of the agency, signed in at its desk, at this page of it."""
        if role not in self.visits:
            came = visit(self.browser, "desk", self.town, self.story, role=role)
            self.visits[role] = self.stack.enter_context(came)
        self.visits[role].go(f"{DESK}{path}")
        return self.visits[role]

    def hears_of_the_register(self) -> None:
        """As after five minutes: the agency asks the issuer's status list again."""
        with sqlite3.connect(self.town.at("agency") / "verifier.db", timeout=60) as db:
            db.execute("UPDATE status_lists SET fetched = 0")
        db.close()

    def ask(self) -> dict[str, Any]:
        """The agency asks somebody, without knowing whom."""
        return dict(self.town.regie("agency", "verifier", "ask", PARKING["id"], "--case", CASE).answer)

    def read(self, asked: dict[str, Any], *, expect: int = 0) -> Any:
        """The agency looks at the postcode."""
        words = ("verifier", "read", asked["id"], "--only", "postcode", "--case", CASE)
        return self.town.regie("agency", *words, expect=expect)


@contextmanager
def family_in(browser: Browser, town: FacesTown, story: Story, folder: Path) -> Iterator[Family]:
    """They have just been registered; nobody has a wallet yet. On none of their pages anything goes wrong."""
    with ExitStack() as stack:
        made = Family(browser, town, story, folder, stack)
        made.register([record(bsn) for bsn in NAMES])
        yield made


def faults(page: Page) -> list[str]:
    """What axe finds, and what the smallest phone does not show whole."""
    put(page, LOOKS[0])
    return layout_faults(page) + violations(page)


# What somebody of them does at his wallet.


def ask_register(one: Visit) -> Page:
    """Whom may I act for, who acts for me, what do others ask me to sign."""
    page = one.go("/mandates")
    with page.expect_navigation():
        page.locator("main form[action$='/mandates/ask'] button").click()
    return page


def card_of(page: Page, text: str) -> Locator:
    """What the register says about somebody."""
    return page.locator("main .r-card").filter(has_text=text)


def take(one: Visit, name: str) -> None:
    """Ask the register, and act for `name` from now on."""
    page = ask_register(one)
    page.get_by_role("button", name=f"Regelen voor {name}").click()
    page.wait_for_url(lambda url: url.rpartition("/")[2].isdigit())


def open_request(one: Visit, asked: dict[str, Any]) -> Page:
    """The page of a request, by its link."""
    page = one.go("/scan")
    page.fill("#link", asked["request"])
    page.locator("main form[action$=scan] button[type=submit]").click()
    page.wait_for_url("**/request/*")
    return page


def give(one: Visit, asked: dict[str, Any], name: str | None = None) -> str:
    """Say yes, in the name of `name` if somebody is named; the number of the agreement."""
    page = open_request(one, asked)
    if name is not None:
        act_for(page, name)
    page.locator("main button[value=give]").click()
    page.wait_for_url("**/result/*")
    link = page.locator("main a[href^='/agreements/']").first.get_attribute("href")
    return str(link).rpartition("/")[2]


def act_for(page: Page, name: str) -> None:
    """Answer the request that is open in the name of `name`; the page says so."""
    page.get_by_role("button", name=f"Voor {name}").click()
    expect(banner(page, name)).to_be_visible()


def banner(page: Page, name: str) -> Locator:
    """In whose name this is."""
    return page.locator("main .r-notice").filter(has_text=f"Namens {name}").first


def look_for_news(one: Visit, path: str) -> Page:
    """Ask the log what is new, from the page at `path`, which is loaded again after it."""
    page = one.go(path)
    Resident(page, Mouse(page)).look_for_news()
    return page


def stop(one: Visit, number: str) -> None:
    """Stop an agreement, until the log has confirmed it."""
    page = one.go(f"/agreements/{number}/stop")
    page.locator("#stop button").click()
    page.wait_for_url("**/stopped")
    page.wait_for_selector("text=Gestopt")
