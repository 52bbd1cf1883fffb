"""The console shows what the home keeps: figures, verdicts, findings; in both languages, no markup of others."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from auditor.config import Config
from auditor.findings import Finding
from auditor.ui.app import create, make_console
from protocol.errors import Rejected
from service.home import Home
from service.ui.door import LocalDoor
from tests.auditor.ui.conftest import Console, live, make_home, open_console
from tests.consentlog.peers import HandClock, Wires
from tests.consentlog.small_town import SmallTown
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, LOG_URL

PATHS = (
    *("/", "/?weeks=52", "/attention", "/services/", "/log/", "/findings/", "/agreements/", "/report/"),
    *("/agreements/open", "/agreements/register"),
)
LIE = Finding("policy", "read_after_revocation", "the grant was revoked by entry 3", 9)


def text_of(page: str) -> str:
    """What people read."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_page_is_there_and_asks_the_log_nothing(console: Console, language: str) -> None:
    console.town.wires.asked.clear()
    for path in PATHS:
        page = console.page(path, language=language)
        assert page.count("<h1") == 1
        assert f'<html lang="{language}"' in page
    assert console.asked_of_log == []


def test_overview_shows_what_was_counted(console: Console) -> None:
    page = text_of(console.page("/"))
    assert "The log is whole" in page
    assert "Gemeente Voorbeeld" in page
    assert "2 agreements run now" in page
    assert "4 readings" in page
    assert "2 refused readings" in page
    assert "1 stopped by residents" in page
    assert "No reading after a stop" in page


def test_services_are_held_against_their_registration(console: Console) -> None:
    page = text_of(console.page("/services/"))
    assert "Parking permit (1)" in page
    assert "Nothing beyond what is registered" in page
    assert "Registered and never given: Surname" in page
    assert "Requests without an answer" in page


def test_page_about_the_log_names_witnesses_and_fingerprint(console: Console) -> None:
    page = text_of(console.page("/log/"))
    assert "2 of 2 have signed this state" in page
    tree = console.desk.tree()
    assert tree is not None
    assert f"{tree.size} Signed and witnessed" in page


def test_attack_finding_is_shown_with_its_entry(console: Console) -> None:
    console.desk.store.add_alarms([(console.town.clock.now(), LIE, None)])
    assert "Something is wrong with the log" in text_of(console.page("/"))
    page = console.page("/findings/")
    assert "Read after the resident had stopped" in page
    assert "No proof for others" in page
    assert "/agreements/open?entry=9" in page
    assert console.page("/findings/1/proof.json", status=404)
    assert console.page("/findings/7/proof.json", status=404)


def test_check_is_a_look_at_the_log_that_counts_what_is_new(own_town: Console) -> None:
    console = own_town
    console.town.post_read(console.town.make_read(console.town.grant()))
    console.town.settle()
    place = console.done(console.post("/check/look"))
    assert "The log is whole" in console.page(place)
    assert "5 readings" in text_of(console.page("/"))


def test_check_tells_that_the_log_cannot_be_reached(console: Console) -> None:
    console.town.wires.cut.add(LOG_URL.removeprefix("https://"))
    page = console.page(console.done(console.post("/check/look")))
    assert "We do not know enough at the moment" in page
    assert "The log could not be reached" in text_of(page)


def test_check_waits_for_nobody_while_another_program_follows(console: Console) -> None:
    with console.home.lock("follow.lock"):
        page = console.page(console.done(console.post("/check/look")))
    assert "The check did not work" in page


def test_proof_is_made_from_the_leaves_of_the_home(console: Console) -> None:
    console.town.wires.asked.clear()
    page = console.page(console.done(console.post("/check/proof")))
    assert "Proved: every entry is in order" in page
    assert console.asked_of_log == []
    assert "Proved" in console.page("/log/")


def test_attack_leaf_changed_in_the_home_is_found_by_the_proof(console: Console) -> None:
    with console.desk.store.engine.begin() as connection:
        (entries,) = connection.exec_driver_sql("SELECT entries FROM follow_bundles WHERE n = 0").one()
        connection.exec_driver_sql("UPDATE follow_bundles SET entries = ?", (entries[:-1] + b"\x00",))
    page = console.page(console.done(console.post("/check/proof")))
    assert "Our entries are not what was signed" in page


def test_report_has_the_hash_of_its_file(console: Console) -> None:
    page = console.page("/report/")
    data = console.client.get("/report/report.json").data
    assert hashlib.sha256(data).hexdigest() in page
    assert json.loads(data)["numbers"]["reads"] == 4
    assert json.loads(data)["verdict"] == "whole"


def test_figures_can_be_taken_along(console: Console) -> None:
    table = console.client.get("/report/figures.csv").get_data(as_text=True)
    assert table.startswith("family,organisation,period,name,count")
    linked = json.loads(console.client.get("/report/figures.jsonld").data)
    assert linked["@type"] == "qb:DataSet"


def test_home_without_a_token_shows_the_public_part_and_says_so(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        console = open_console(town, make_home(town, tmp_path / "auditor", token=False), *live(town))
        assert console.look().state == "ok"
        for path in PATHS:
            console.page(path)
        assert "regie auditor token FILE" in console.page("/")
        assert "not looked at" in console.page("/log/")
        assert "regie auditor token FILE" in console.page("/agreements/")


def test_home_that_nobody_looked_from_shows_how_to_begin(tmp_path: Path) -> None:
    home = Home(tmp_path / "auditor").create()
    home.write_config(Config("auditor", "/nowhere", builders.REGISTRAR.public.jwk(), LOG_ORIGIN))
    client = make_console(home, clock=HandClock(), fetcher=Wires()).test_client()
    for path in PATHS:
        assert client.get(path).status_code == 200
    assert "Nobody has looked at the log yet" in client.get("/", headers={"Accept-Language": "en"}).text


# -- strangers -------------------------------------------------------------------------------------------------


def test_attack_names_of_strangers_are_text(tmp_path: Path) -> None:
    """`<Onbekend> & </Onbemind>` and a script as names of an agency and of a service, in both languages."""
    bad = '<script>alert(1)</script><Onbekend> & </Onbemind> " onload="x'
    words = builders.Words(nl=bad, en=bad)
    agency = builders.agency(name=bad, services=[builders.service(name=words, purpose=words, law=bad)])
    town = SmallTown(tmp_path)
    town.publish_trust(version=2, agencies=[agency])
    with town.running():
        console = open_console(town, make_home(town, tmp_path / "auditor"), *live(town))
        console.look()
        case = console.open(console.kept.answer.slot, note=bad)
        for path in (*PATHS, case):
            page = console.page(path)
            assert "<script>alert" not in page
            assert "<Onbekend>" not in page
            assert 'onload="x' not in page
        assert "&lt;Onbekend&gt;" in console.page(case)


def test_attack_another_site_starts_nothing(console: Console) -> None:
    form = {"number": "0", "reason": "sample", "note": "x"}
    for path in ("/check/look", "/check/proof", "/agreements/open"):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
            assert console.client.post(path, data=form, headers=headers).status_code == 403
    assert console.desk.looks.count() == 0
    assert console.desk.jobs.latest("look") is None


def test_attack_form_without_its_token_starts_nothing(console: Console) -> None:
    response = console.client.post("/check/look", headers={"Sec-Fetch-Site": "same-origin"})
    assert response.status_code == 403
    assert console.desk.jobs.latest("look") is None


def test_console_of_a_home_is_closed_to_who_did_not_come_through_its_door(console: Console) -> None:
    door = LocalDoor(console.home.path, "auditor", clock=console.town.clock)
    launch = door.launch(4711)
    client = create(console.home.path, clock=console.town.clock).test_client()
    here = {"base_url": launch.origin}
    assert client.get("/", **here).status_code == 403  # type: ignore[arg-type]
    assert client.get("/", base_url="http://evil.example:4711").status_code == 421
    assert client.get(launch.url.removeprefix(launch.origin), **here).status_code == 303  # type: ignore[arg-type]
    assert client.get("/", **here).status_code == 200  # type: ignore[arg-type]


def test_home_of_another_role_has_no_console(tmp_path: Path) -> None:
    home = Home(tmp_path / "other").create()
    home.write_config(Config("log", "/nowhere", builders.REGISTRAR.public.jwk(), LOG_ORIGIN))
    with pytest.raises(Rejected, match="wrong_role"):
        make_console(home)


def test_period_that_is_none_is_the_shortest(console: Console) -> None:
    for weeks in ("0", "-1", "999999999999", "x", "13;drop"):
        assert 'weeks=13" aria-current="true"' in console.page(f"/?weeks={weeks}")
