"""The counter: a clerk finds somebody, sees who it is, gives and takes back; a manager decides on what waits."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from issuer import front
from issuer.config import IssuerConfig
from issuer.finding import MAX_FOUND
from issuer.tables import acts, holds
from issuer.ui import stopping
from issuer.ui.app import create, make_counter
from issuer.ui.desk import Desk as Counter
from issuer.ui.drawer import KEEP_SECONDS, MAX_KEPT, Drawer
from issuer.web import make_web, open_office
from protocol.errors import Rejected
from protocol.revocation_code import format_stop_digits
from service.clock import SystemClock
from service.database import snapshot
from service.home import Home
from service.paper_stop import Stopped
from service.ui.staff import StaffDoor
from tests.issuer.desk import KARIM, NOOR, PERSONS, Desk, FakeClock
from tests.issuer.test_cli import Shell
from tests.service.ui.staff import Page, enter, get

URL = "http://localhost:18000"


class Face:
    """A counter with its staff, and the same issuer's endpoints for wallets."""

    def __init__(self, home: Path) -> None:
        self.clock = FakeClock(SystemClock().now())  # the home was made just now
        opened = Home(home)
        config = opened.config(IssuerConfig)
        self.app: Flask
        self.door: StaffDoor
        self.app, self.door = make_counter(opened, clock=self.clock)  # type: ignore[arg-type]
        office = open_office(opened, config, clock=self.clock)  # type: ignore[arg-type]
        self.desk = Desk(office, None, self.clock, make_web(config, office).test_client(), URL)  # type: ignore[arg-type]

    def browser(self, *roles: str, name: str = "Bente Bakker") -> FlaskClient:
        return enter(self.app, self.door, *(roles or ("clerk",)), name=name)

    def find(self, browser: FlaskClient, **typed: str) -> Page:
        """The page after a search; a redirect is followed."""
        return follow(get(browser, "/").post("/find", **typed))

    def noor(self, browser: FlaskClient) -> Page:
        return self.find(browser, bsn=NOOR)

    def give(self, page: Page, *cards: str, **changes: Any) -> Page:
        """The page with the code."""
        form = {"document": "passport", "face": "1", "card": list(cards or ("persoon",)), **changes}
        return follow(page.post(f"{path_of(page)}give/", **form))

    def acts(self) -> list[tuple[str, str, str]]:
        """Officer, act and BSN, the oldest first."""
        with snapshot(self.desk.office.engine) as connection:
            rows = connection.execute(select(acts).order_by(acts.c.id))
            return [(row.officer, row.act, row.bsn) for row in rows]


def follow(page: Page) -> Page:
    while page.answer.status_code == 303:
        page = get(page.browser, page.answer.headers["Location"])
    return page


def path_of(page: Page) -> str:
    return page.answer.request.path


def title(page: Page) -> str:
    return re.sub(r"<[^>]+>", "", page.text.partition("<h1")[2].partition(">")[2].partition("</h1>")[0]).strip()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shell = Shell(tmp_path / "issuer")
    shell.answer("init", "--url", URL, "--name", "Gemeente Lindehaven")
    shell.answer("import", str(PERSONS))
    roles = ("--role", "balie=clerk", "--role", "chef=manager")
    told = shell.answer("staff", "--provider", "https://login.example", "--client-id", "counter", *roles)
    assert told["redirect_uri"] == f"{URL}/counter/sign-in/callback"
    assert told["url"] == f"{URL}/counter/"
    return shell.home


@pytest.fixture
def face(home: Path) -> Face:
    return Face(home)


# ---- finding


@pytest.mark.parametrize("bsn", [NOOR, "999 100 002", "9991.00.002"])
def test_clerk_finds_somebody_by_bsn(face: Face, bsn: str) -> None:
    page = face.find(face.browser(), bsn=bsn)
    assert "Noor Elisabeth Verhulst" in page.text
    assert "12 april 1987" in page.text
    assert NOOR not in page.text  # only its end, to compare
    assert NOOR not in path_of(page)
    assert face.acts() == [("bente.bakker", "found", NOOR)]


@pytest.mark.parametrize("surname", ["Verhulst", "VERHULST", "Vérhülst", "  verhulst ", "van der Verhulst"])
def test_clerk_finds_somebody_by_surname_and_birthday(face: Face, surname: str) -> None:
    page = face.find(face.browser(), surname=surname, birth="1987-04-12")
    assert "Noor Elisabeth Verhulst" in page.text


@pytest.mark.parametrize("birth", ["12-04-1987", "12/4/1987", "12.04.1987", "12 4 1987", "12041987", "1987-04-12"])
def test_date_of_birth_is_typed_as_people_write_it(face: Face, birth: str) -> None:
    assert "Noor" in face.find(face.browser(), surname="Verhulst", birth=birth).text


@pytest.mark.parametrize(
    "birth", ["12-04/1987", "1987", "04-1987", "31-02-1987", "00-04-1987", "12-04-87", "١٢-٠٤-١٩٨٧", "1987-4-12"]
)
def test_what_is_no_date_of_birth_finds_nobody(face: Face, birth: str) -> None:
    assert face.find(face.browser(), surname="Verhulst", birth=birth).answer.status_code == 422


def test_record_without_a_whole_date_of_birth_is_found_by_its_year(face: Face) -> None:
    person = json.loads(PERSONS.read_text().splitlines()[0])
    person["burgerservicenummer"] = "999990019"
    person["geboorte"]["datum"] = {"type": "JaarDatum", "jaar": 1987}
    face.desk.office.import_persons([json.dumps(person).encode()])
    page = face.find(face.browser(), surname="Verhulst", birth="1987-04-12")
    assert title(page) == "2 personen gevonden"
    assert face.acts() == []  # a list is not yet somebody's page
    chosen = follow(page.post(path_of(page), choice="1"))
    assert '<dd class="r-rows__value">1987</dd>' in chosen.text
    assert face.acts()[0][2] == "999990019"
    for bad in ("2", "-1", "x", ""):
        assert page.post(path_of(page), choice=bad).answer.status_code == 400


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"bsn": "123456789"}, "Dit is geen BSN."),
        ({"bsn": "999993653"}, "Het register kent dit BSN niet."),
        ({"surname": "Verhulst", "birth": "1987-04-13"}, "Niemand heeft deze achternaam en geboortedatum."),
        ({"surname": "Verhulst", "birth": ""}, "Vul een hele geboortedatum in."),
        ({"surname": "", "birth": "1987-04-12"}, "Vul een achternaam in."),
        ({"surname": "x" * 201, "birth": "1987-04-12"}, "Vul een achternaam in."),
        ({}, "Vul een BSN in, of een achternaam met een geboortedatum."),
    ],
)
def test_search_that_finds_nobody_says_why(face: Face, typed: dict[str, str], words: str) -> None:
    page = face.find(face.browser(), **typed)
    assert page.answer.status_code == 422
    assert words in page.text
    assert face.acts() == []


def test_surname_alone_does_not_leaf_through_the_register(face: Face) -> None:
    assert face.find(face.browser(), surname="Brandsma").answer.status_code == 422
    assert face.find(face.browser(), surname="%", birth="1987-04-12").answer.status_code == 422


def test_too_many_people_are_not_shown(face: Face) -> None:
    person = json.loads(PERSONS.read_text().splitlines()[0])
    bsns = [bsn for bsn in range(999_000_000, 999_001_000) if _is_bsn(f"{bsn}")][: MAX_FOUND + 1]
    for count in (MAX_FOUND - 1, 2):  # with Noor herself: as many as are shown, and too many
        some = [bsns.pop() for _ in range(count)]
        lines = [json.dumps({**person, "burgerservicenummer": str(bsn)}).encode() for bsn in some]
        assert face.desk.office.import_persons(lines)[1] == []
        page = face.find(face.browser(), surname="Verhulst", birth="1987-04-12")
        assert page.answer.status_code == (200 if count > 2 else 422)


def _is_bsn(text: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, text, strict=True)) % 11 == 0


# ---- giving


def test_clerk_gives_cards_by_a_picture_and_a_code_of_its_own(face: Face) -> None:
    browser = face.browser()
    page = face.give(face.noor(browser), "persoon", "adres")
    assert title(page) == "Laat de inwoner dit scannen"
    code = re.search(r"\b(\d{4}) (\d{4})\b", page.text)
    assert code is not None
    assert "Wachten op de wallet" in page.text
    with snapshot(face.desk.office.engine) as connection:
        offer_id = connection.execute(select(acts.c.reference).where(acts.c.act == "offered")).scalar_one()
    offer = face.desk.client.get(f"/offers/{offer_id}").json
    assert offer["credential_configuration_ids"] == ["persoon", "adres"]
    grant = offer["grants"]["urn:ietf:params:oauth:grant-type:pre-authorized_code"]
    token = face.desk.post_token(grant["pre-authorized_code"], "".join(code.groups()))
    assert token.status_code == 200
    assert len(face.desk.fetch(token.json["access_token"], "persoon", 2)) == 2
    state = get(browser, f"{path_of(page)}/state")
    assert "data-done" in state.text
    assert "De wallet heeft de code" in state.text
    person = get(browser, "/".join(path_of(page).split("/")[:3]) + "/")
    assert "In gebruik" in person.text
    assert face.acts() == [("bente.bakker", "found", NOOR), ("bente.bakker", "offered", NOOR)]


def test_paper_has_both_and_names_no_bsn(face: Face) -> None:
    page = face.give(face.noor(face.browser()))
    paper = get(page.browser, f"{path_of(page)}/paper")
    assert title(paper) == "Uw kaarten van Gemeente Lindehaven"
    assert re.search(r"\b\d{4} \d{4}\b", paper.text)
    assert "<svg" in paper.text
    assert NOOR not in paper.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"document": "library card"}, "Kies het document dat je hebt gezien."),
        ({"document": ""}, "Kies het document dat je hebt gezien."),
        ({"face": ""}, "Vergelijk de foto met wie er voor je staat."),
        ({"card": []}, "Kies minstens één kaart."),
        ({"card": ["woz"]}, "Kies minstens één kaart."),
    ],
)
def test_nothing_is_given_before_the_clerk_has_looked(face: Face, changes: dict[str, Any], words: str) -> None:
    browser = face.browser()
    page = face.noor(browser)
    before = face.desk.rows()
    refused = face.give(page, **changes)
    assert refused.answer.status_code == 422
    assert words in refused.text
    assert face.desk.rows() == before


def test_nothing_is_ticked_beforehand(face: Face) -> None:
    page = face.noor(face.browser())
    assert " checked" not in get(page.browser, f"{path_of(page)}give/").text


def test_nobody_fetches_cards_of_who_has_died(face: Face) -> None:
    lines = [json.loads(line) for line in PERSONS.read_text().splitlines()]
    dead = next((one["burgerservicenummer"] for one in lines if "overlijden" in one), None)
    assert dead is not None
    page = face.find(face.browser(), bsn=dead)
    assert "overleden" in page.text
    refused = face.give(page)
    assert refused.answer.status_code == 409
    assert "offered" not in [act for _, act, _ in face.acts()]


def test_offer_that_was_open_too_long_says_so(face: Face) -> None:
    page = face.give(face.noor(face.browser()))
    face.clock.time += 901
    assert "Dit aanbod is voorbij" in get(page.browser, f"{path_of(page)}/state").text


# ---- taking back, holding, deciding


def issue(face: Face, browser: FlaskClient) -> Page:
    """Noor has a card; her page."""
    face.desk.fetch(face.desk.token("persoon"), "persoon", 3)
    return face.noor(browser)


def test_clerk_takes_a_card_back_with_a_reason(face: Face) -> None:
    page = issue(face, face.browser())
    (address,) = re.findall(r'href="([^"]+/revoke/[^"]+)"', page.text)
    asked = get(page.browser, address)
    for reason in ("", "   ", "x" * 201, "a\nb"):
        assert asked.post(address, reason=reason).answer.status_code == 422
    (copies,) = face.desk.office.issued(NOOR)
    assert copies.revoked == 0
    done = follow(asked.post(address, reason="telefoon gestolen"))
    assert "Teruggenomen" in done.text
    (copies,) = face.desk.office.issued(NOOR)
    assert copies.revoked == 3
    assert face.acts()[-1] == ("bente.bakker", "revoked", NOOR)
    assert "telefoon" not in done.text


def test_card_of_somebody_else_is_not_taken_back_from_this_page(face: Face) -> None:
    browser = face.browser()
    page = issue(face, browser)
    (address,) = re.findall(r'href="([^"]+/revoke/[^"]+)"', page.text)
    other = face.find(browser, bsn=KARIM)
    elsewhere = f"{path_of(other)}revoke/{address.rpartition('/')[2]}"
    assert get(browser, elsewhere).answer.status_code == 404
    assert other.post(elsewhere, reason="x").answer.status_code == 404
    assert face.desk.office.issued(NOOR)[0].revoked == 0


def hold(face: Face, browser: FlaskClient) -> Page:
    page = face.noor(browser)
    return follow(page.post(f"{path_of(page)}hold", reason="adres in onderzoek"))


def test_clerk_holds_and_a_manager_releases(face: Face) -> None:
    held = hold(face, face.browser())
    assert "adres in onderzoek" in held.text
    assert held.post(f"{path_of(held)}release").answer.status_code == 403
    manager = face.browser("manager", name="Mees Mulder")
    page = face.noor(manager)
    assert "Vastgehouden" not in follow(page.post(f"{path_of(page)}release")).text.partition("<details")[0]
    assert [act for _, act, _ in face.acts()] == ["found", "held", "found", "released"]


def wait(face: Face) -> str:
    """Noor is held, and her wallet asks; the id under which it waits."""
    hold(face, face.browser())
    token = face.desk.token("persoon")
    answer = face.desk.post_credential(token, "persoon", face.desk.proofs(1))
    assert answer.status_code == 202
    (waiting,) = face.desk.office.waiting()
    return str(waiting.offer_id)


@pytest.mark.parametrize(("way", "reason", "act"), [("approve", "", "approved"), ("deny", "klopt niet", "denied")])
def test_manager_decides_on_what_waits(face: Face, way: str, reason: str, act: str) -> None:
    offer_id = wait(face)
    manager = face.browser("manager", name="Mees Mulder")
    listed = get(manager, "/waiting/")
    assert offer_id in listed.text
    assert "Noor" not in listed.text  # who it is shows when it is opened, which is written down
    page = get(manager, f"/waiting/{offer_id}")
    assert "Noor Elisabeth Verhulst" in page.text
    if way == "deny":
        assert page.post(f"/waiting/{offer_id}/deny", reason="").answer.status_code == 422
    done = follow(page.post(f"/waiting/{offer_id}/{way}", reason=reason))
    assert "Er wacht niets" in done.text
    assert face.acts()[-2:] == [("mees.mulder", "found", NOOR), ("mees.mulder", act, NOOR)]
    assert page.post(f"/waiting/{offer_id}/{way}", reason="x").answer.status_code == 404
    with snapshot(face.desk.office.engine) as connection:
        assert (connection.execute(select(holds)).first() is None) == (way == "approve")


def test_refusal_without_a_reason_is_no_unwritten_look_at_who_waits(face: Face) -> None:
    offer_id = wait(face)
    page = get(face.browser("manager", name="Mees Mulder"), "/waiting/")
    before = face.acts()
    refused = page.post(f"/waiting/{offer_id}/deny", reason="")
    assert refused.answer.status_code == 422
    assert "Noor Elisabeth Verhulst" in refused.text
    assert face.acts() == [*before, ("mees.mulder", "found", NOOR)]
    assert len(face.desk.office.waiting()) == 1


def test_clerk_does_not_decide_on_what_waits(face: Face) -> None:
    offer_id = wait(face)
    clerk = face.browser()
    page = get(clerk, "/")
    assert "/waiting/" not in page.text
    for path in ("/waiting/", f"/waiting/{offer_id}"):
        assert get(clerk, path).answer.status_code == 403
    for way in ("approve", "deny"):
        assert page.post(f"/waiting/{offer_id}/{way}", reason="x").answer.status_code == 403
    assert len(face.desk.office.waiting()) == 1


# ---- attacks


def test_colleague_who_knows_the_address_sees_nothing(face: Face) -> None:
    page = face.give(face.noor(face.browser()))
    colleague = face.browser(name="Sam Smit")
    person = "/".join(path_of(page).split("/")[:3]) + "/"
    for path in (person, path_of(page), f"{path_of(page)}/paper", f"{path_of(page)}/state", f"{person}give/"):
        refused = get(colleague, path)
        assert refused.answer.status_code == 404
        assert "Noor" not in refused.text


def test_stranger_sees_nothing(face: Face) -> None:
    page = face.noor(face.browser())
    refused = get(face.app.test_client(), path_of(page))
    assert refused.answer.status_code == 303
    assert refused.answer.headers["Location"].startswith("/sign-in")


def test_page_of_somebody_closes_by_itself_and_by_hand(face: Face) -> None:
    browser = face.browser()
    page = face.noor(browser)
    follow(page.post(f"{path_of(page)}done"))
    assert get(browser, path_of(page)).answer.status_code == 404
    page = face.noor(browser)
    face.clock.time += KEEP_SECONDS - 1
    assert get(browser, path_of(page)).answer.status_code == 200
    face.clock.time += KEEP_SECONDS
    again = face.browser()
    assert get(again, path_of(page)).answer.status_code == 404


def test_csrf_form_of_another_site_gives_nothing(face: Face) -> None:
    page = face.noor(face.browser())
    before = face.desk.rows()
    form = {"document": "passport", "face": "1", "card": "persoon"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert page.browser.post(f"{path_of(page)}give/", data=form, headers=headers).status_code == 403
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert page.browser.post(f"{path_of(page)}give/", data=form, headers=own).status_code == 403  # no token
    assert face.desk.rows() == before


def test_xss_names_of_the_register_are_text(face: Face) -> None:
    person = json.loads(PERSONS.read_text().splitlines()[0])
    person["naam"] = {"geslachtsnaam": "<Onbekend> & </Onbemind>", "voornamen": "<img src=x onerror=alert(1)>"}
    face.desk.office.import_persons([json.dumps(person).encode()])
    page = face.find(face.browser(), surname="<Onbekend> & </Onbemind>", birth="1987-04-12")
    assert "&lt;Onbekend&gt; &amp; &lt;/Onbemind&gt;" in page.text
    assert "<Onbekend>" not in page.text
    assert "<img" not in page.text


# ---- the parts


def test_drawer_gives_to_who_put_it_there() -> None:
    numbers = iter(range(10_000))
    drawer = Drawer(lambda length: next(numbers).to_bytes(length, "big"))
    first = drawer.put("b", "x", 0)
    assert drawer.get("b", first, str, KEEP_SECONDS - 1) == "x"
    for officer, id_, kind, now in (("c", first, str, 1), ("b", "0", str, 1), ("b", first, int, 1)):
        with pytest.raises(Rejected, match="visit_over"):
            drawer.get(officer, id_, kind, now)
    for _ in range(MAX_KEPT):
        drawer.put("b", "y", KEEP_SECONDS)
    with pytest.raises(Rejected, match="visit_over"):
        drawer.get("b", first, str, KEEP_SECONDS)


def test_counter_is_there_only_where_staff_can_sign_in(home: Path, tmp_path: Path) -> None:
    with_staff = front.create(home)
    assert type(with_staff).__name__ == "Front"
    bare = Shell(tmp_path / "bare")
    bare.answer("init", "--url", URL, "--name", "Gemeente Lindehaven")
    assert isinstance(front.create(bare.home), Flask)
    with pytest.raises(Rejected, match="no_staff"):
        create(bare.home)


@pytest.mark.parametrize("role", ["balie", "=clerk", "balie=", "balie=privacy", "balie=Clerk"])
def test_role_has_its_form(home: Path, role: str) -> None:
    line = ("staff", "--provider", "https://login.example", "--client-id", "x", "--role", role)
    assert Shell(home).run(*line).exit_code == 2


def test_secret_of_the_staff_is_kept_out_of_sight(home: Path) -> None:
    line = ("staff", "--provider", "https://login.example", "--client-id", "x", "--role", "balie=clerk")
    told = Shell(home).answer(*line, "--client-secret", "-", stdin="geheim\n")
    assert "jwk" not in told
    assert (home / "staff-secret").stat().st_mode & 0o077 == 0
    assert "geheim" not in (home / "config.json").read_text()
    assert Shell(home).refusal("staff", "--provider", "login", *line[3:]) == "bad_url"


def test_paper_is_told_as_stopped_or_as_kept_by_who_watches_the_log(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counter, "trust_list", lambda _: None)
    for at_log, words in ((True, "Het logboek heeft het beloofd"), (False, "Het logboek antwoordt niet")):
        done = Stopped(1, at_log)
        monkeypatch.setattr(stopping, "stop_by_paper", lambda *_, done=done: done)
        page = get(face.browser(), "/stop/").post("/stop/", text=format_stop_digits(bytes(16)))
        assert words in page.text
        assert 'href="/stop/"' in page.text
