"""The issuer asks BRP API Personen at its source, and what changed there reaches what was issued."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import BaseWSGIServer, make_server

from examples.brp_source.app import Source, make_brp, read_persons
from examples.brp_source.fields import PATHS
from issuer import store_deferred
from issuer.brp import Bsn, parse_person
from issuer.brp_api import FIELDS, MAX_BSNS, batches, fields_for, parse_answer, refusal_of
from issuer.config import IssuerConfig
from issuer.connect import Connector, Report
from issuer.issue import validity
from issuer.offer import BRP_CREDENTIALS
from issuer.register import attributes_of
from issuer.source import BrpSource, WozSource
from issuer.web import open_office
from protocol.attributes import CREDENTIAL_TYPES
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.status_list import INVALID, SUPERSEDED, VALID
from service.bound_headers import read_headers
from service.command import root
from service.database import snapshot
from service.fetch import Answer, Fetcher
from service.home import Home
from tests.conftest import SHARED
from tests.issuer.desk import KARIM, KLAAS, NOOR, NOW, PERSONS, Desk, open_desk
from tests.issuer.test_web import read_status

DAY = validity(NOW, NOW + 10**9).day
DATE = {"type": "Datum", "datum": "2026-11-20", "langFormaat": "20 november 2026"}


class Running:
    """A source on a port of its own, with our persons."""

    def __init__(self) -> None:
        self.source = Source(read_persons(PERSONS))
        self._server: BaseWSGIServer = make_server("localhost", 0, make_brp(self.source), threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self._server.port}/haalcentraal/api/brp"

    def change(self, bsn: str, **members: Any) -> None:
        self.source.persons[bsn] = {**self.source.persons[bsn], **members}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def running() -> Iterator[Running]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = Running()
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Any) -> Desk:
    return open_desk(tmp_path / "issuer")


def connector(desk: Desk, running: Running, *, headers: Mapping[str, str] | None = None) -> Connector:
    source = BrpSource(Fetcher(loopback=True), running.url, headers or {}, lambda seconds: None)
    return Connector(desk.office, source, fields_for(BRP_CREDENTIALS))


def is_held(desk: Desk, bsn: Bsn) -> bool:
    with snapshot(desk.office.engine) as connection:
        return store_deferred.is_held(connection, bsn)


# ---- what is asked


def test_only_fields_that_the_credentials_need_and_rvig_allows_are_asked() -> None:
    assert set(FIELDS) == {*BRP_CREDENTIALS, "woz"}
    asked = fields_for(BRP_CREDENTIALS)
    assert len(asked) == len(set(asked)) <= 130
    assert set(asked) <= PATHS
    assert set(fields_for(("adres",))) < set(asked)
    assert not any(path.startswith(("partners", "gezag", "nationaliteiten")) for path in fields_for(("adres",)))
    assert not any(path.startswith(("aNummer", "overlijden", "verblijfstitel")) for path in asked)


def check_same_credentials(persons: Mapping[str, dict[str, Any]]) -> None:
    """What was asked for makes the same credentials as everything that the register knows."""
    client = make_brp(Source(dict(persons))).test_client()
    for batch in batches(map(Bsn, persons)):
        body = {"type": "RaadpleegMetBurgerservicenummer", "burgerservicenummer": batch}
        path = "/haalcentraal/api/brp/personen"
        asked = client.post(path, json={**body, "fields": fields_for(BRP_CREDENTIALS)})
        for bsn, record in parse_answer(asked.data, batch).items():
            whole, part = parse_person(json.dumps(persons[bsn])), parse_person(json.dumps(record))
            for vct in CREDENTIAL_TYPES:
                assert attributes_of(vct, part, DAY) == attributes_of(vct, whole, DAY), vct


def test_the_fields_asked_for_make_the_same_credentials_as_the_whole_record() -> None:
    check_same_credentials(read_persons(PERSONS))


@pytest.mark.shared
def test_the_fields_asked_for_make_the_same_credentials_of_rvigs_persons() -> None:
    everybody = read_persons(SHARED / "data" / "brp" / "personen.jsonl")
    check_same_credentials({bsn: everybody[bsn] for bsn in sorted(everybody)[::6]})


def test_at_most_twenty_residents_are_in_a_request(desk: Desk, running: Running) -> None:
    known = connector(desk, running).known_before(NOW + 1)
    assert len(known) == len(running.source.persons)
    many = [*known, *(Bsn(f"{number:09}") for number in range(900000000, 900000000 + MAX_BSNS))]
    report = connector(desk, running).refresh(many)
    sizes = [len(body["burgerservicenummer"]) for body in running.source.asked]
    assert sum(sizes) == report.asked == len(many)
    assert max(sizes) == MAX_BSNS
    assert (report.taken, report.missing, report.held) == (len(known), MAX_BSNS, 0)


# ---- changes


def test_a_move_at_the_source_makes_the_address_out_of_date(desk: Desk, running: Running) -> None:
    everybody = connector(desk, running)
    everybody.refresh(everybody.known_before(NOW + 1))
    (address,) = desk.fetch(desk.token("adres"), "adres")
    (person,) = desk.fetch(desk.token("persoon"), "persoon")
    moved = running.source.persons[NOOR]["verblijfplaats"]
    running.change(NOOR, verblijfplaats={**moved, "verblijfadres": {**moved["verblijfadres"], "huisnummer": 99}})
    report = everybody.refresh([NOOR])
    assert (report.taken, report.superseded, report.revoked) == (1, 1, 0)
    assert (read_status(desk, address), read_status(desk, person)) == (SUPERSEDED, VALID)
    assert everybody.refresh([NOOR]).superseded == 0


def test_a_death_at_the_source_revokes_everything(desk: Desk, running: Running) -> None:
    (address,) = desk.fetch(desk.token("adres"), "adres")
    running.change(NOOR, opschortingBijhouding={"reden": {"code": "O"}, "datum": DATE}, overlijden={"datum": DATE})
    report = connector(desk, running).refresh([NOOR])
    assert report.revoked == 1
    assert read_status(desk, address) == INVALID


def test_who_is_no_longer_at_the_source_is_held_for_a_clerk(desk: Desk, running: Running) -> None:
    del running.source.persons[KARIM]
    report = connector(desk, running).refresh([NOOR, KARIM])
    assert (report.taken, report.missing, report.held, report.is_whole) == (1, 1, 1, False)
    assert (is_held(desk, KARIM), is_held(desk, NOOR)) == (True, False)
    assert connector(desk, running).refresh([KARIM]).held == 0


def test_source_of_another_town_holds_nobody(desk: Desk, running: Running) -> None:
    running.source.persons.clear()
    before = desk.rows()
    with pytest.raises(Rejected) as caught:
        connector(desk, running).refresh([NOOR, KARIM, KLAAS])
    assert caught.value.code == "source_empty"
    assert desk.rows() == before


def test_a_run_that_was_cut_off_is_gone_on_with(
    desk: Desk, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issuer.brp_api.MAX_BSNS", 3)
    everybody = connector(desk, running)
    desk.clock.time += 100
    waiting = everybody.known_before(desk.clock.time)
    told: list[int] = []

    def power_cut(report: Report) -> None:
        told.append(report.asked)
        if report.asked == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        everybody.refresh(waiting, power_cut)
    assert told == [3, 6]
    assert everybody.known_before(desk.clock.time) == waiting[6:]
    running.source.asked.clear()
    everybody.refresh(everybody.known_before(desk.clock.time))
    assert [bsn for body in running.source.asked for bsn in body["burgerservicenummer"]] == waiting[6:]
    assert everybody.known_before(desk.clock.time) == []


# ---- a source in trouble, or one that lies


def test_a_busy_source_is_asked_again_when_it_says(desk: Desk, running: Running) -> None:
    running.source.trouble = [503, 429]
    slept: list[float] = []
    source = BrpSource(Fetcher(loopback=True), running.url, {}, slept.append)
    assert set(source.persons([NOOR], ["burgerservicenummer"])) == {NOOR}
    assert slept == [1, 2]


def test_a_source_that_stays_busy_is_given_up_and_changes_nothing(desk: Desk, running: Running) -> None:
    running.source.trouble = [503] * 9
    before = desk.rows()
    with pytest.raises(Unavailable) as caught:
        connector(desk, running).refresh([NOOR])
    assert caught.value.code == "source_unavailable"
    assert (len(running.source.trouble), desk.rows()) == (4, before)


def test_a_key_that_is_not_known_there_is_told(desk: Desk, running: Running) -> None:
    running.source.key = "right"
    with pytest.raises(Rejected) as caught:
        connector(desk, running).refresh([NOOR])
    assert caught.value.code == "source_key"
    assert connector(desk, running, headers={"X-API-KEY": "right"}).refresh([NOOR]).taken == 1


def test_an_authorisation_that_is_too_narrow_is_told(desk: Desk, running: Running) -> None:
    running.source.is_domestic_only = True
    with pytest.raises(Rejected) as caught:
        connector(desk, running).refresh([NOOR])
    assert caught.value.code == "source_unauthorized"


def problem(**members: Any) -> RegieError:
    return refusal_of(400, json.dumps(members).encode(), 1)


def test_a_refusal_is_told_without_anything_that_could_name_somebody() -> None:
    error = problem(
        detail=f"burgerservicenummer {NOOR} onbekend",
        instance=f"/personen/{NOOR}",
        invalidParams=[
            {"name": "fields[3]", "code": "fields", "reason": f"van {NOOR}"},
            {"name": f"bsn {NOOR}", "code": "pattern", "reason": ""},
            {"name": "type", "code": NOOR, "reason": ""},
            "Noor",
        ],
    )
    assert error.code == "source_refused"
    assert error.detail == "the source refuses the request (400): fields[3] (fields)"
    assert problem(invalidParams="x").detail == refusal_of(400, b"<html>", 1).detail


class Telling(Fetcher):
    """A source that refuses everything with one status, and names the resident in its words."""

    def __init__(self, status: int) -> None:
        super().__init__(loopback=True)
        self.status = status

    def _exchange(self, *_: Any) -> Answer:
        body = json.dumps({"code": "gone", "detail": f"burgerservicenummer {KARIM} is vervallen"}).encode()
        return Answer(self.status, {"content-type": "application/problem+json"}, body)


@pytest.mark.parametrize("status", [402, 405, 408, 410, 412, 414, 418, 451])
def test_refusal_of_a_rare_kind_names_nobody_either(status: int) -> None:
    brp = BrpSource(Telling(status), "http://localhost:9100", {}, lambda seconds: None)
    woz = WozSource(Telling(status), "http://localhost:9100", {}, lambda seconds: None)
    record = read_persons(PERSONS)[NOOR]
    for ask in (lambda: brp.persons([KARIM], []), lambda: woz.home_of(parse_person(json.dumps(record)))):
        with pytest.raises(Rejected) as caught:
            ask()
        assert caught.value.code == "source_refused"
        assert KARIM not in str(caught.value)


def answer(*persons: Any, kind: str = "RaadpleegMetBurgerservicenummer") -> bytes:
    return json.dumps({"type": kind, "personen": list(persons)}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"<html>",
        b'{"type":"RaadpleegMetBurgerservicenummer","personen":{}}',
        answer({"burgerservicenummer": NOOR}, kind="ZoekMetPostcodeEnHuisnummer"),
        answer({"burgerservicenummer": KARIM}),
        answer({"burgerservicenummer": NOOR}, {"burgerservicenummer": NOOR}),
        answer({"naam": {"voornamen": "Noor"}}),
        answer("Noor"),
        answer({"burgerservicenummer": 999100002}),
    ],
)
def test_source_that_answers_about_somebody_else_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        parse_answer(body, [NOOR])
    assert caught.value.code == "bad_source_answer"
    assert NOOR not in caught.value.detail
    assert KARIM not in caught.value.detail


def test_a_record_that_breaks_a_pattern_is_taken_and_one_that_cannot_be_issued_is_counted(
    desk: Desk, running: Running
) -> None:
    running.change(NOOR, naam={**running.source.persons[NOOR]["naam"], "geslachtsnaam": "<Onbekend> & +/°@"})
    running.change(KARIM, geboorte={"datum": {"type": "Datum", "datum": "2026-02-31", "langFormaat": ""}})
    report = connector(desk, running).refresh([NOOR, KARIM])
    assert (report.taken, report.refused) == (1, {"bad_date": 1})


# ---- the key


def test_the_key_of_one_source_is_not_sent_to_another(tmp_path: Any) -> None:
    home = Home(tmp_path / "issuer").create()
    assert read_headers(home, "brp-source.json", "https://brp.example") == {}
    home.write_json("brp-source.json", {"url": "https://brp.example/", "headers": {"X-API-KEY": "k"}}, secret=True)
    assert read_headers(home, "brp-source.json", "https://brp.example") == {"X-API-KEY": "k"}
    with pytest.raises(Rejected) as caught:
        read_headers(home, "brp-source.json", "https://brp.example.attacker.example")
    assert caught.value.code == "other_source"


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\r\nHost: b"}, {"Host": "b"}, {"X Y": "b"}, {"X": ""}, {"content-type": "text/xml"}, "none"],
)
def test_key_that_smuggles_a_header_is_refused(tmp_path: Any, headers: Any) -> None:
    home = Home(tmp_path / "issuer").create()
    home.write_json("brp-source.json", {"url": "https://brp.example", "headers": headers}, secret=True)
    with pytest.raises(Rejected) as caught:
        read_headers(home, "brp-source.json", "https://brp.example")
    assert caught.value.code == "bad_source_key"


def test_key_that_others_can_read_is_refused(tmp_path: Any) -> None:
    home = Home(tmp_path / "issuer").create()
    home.write_json("brp-source.json", {"url": "https://brp.example", "headers": {}})
    with pytest.raises(Rejected) as caught:
        read_headers(home, "brp-source.json", "https://brp.example")
    assert caught.value.code == "open_secret"


# ---- the command


def click_regie(home: Any, *arguments: str, typed: str = "") -> Result:
    return CliRunner(env={"REGIE_HOME": str(home), "REGIE_LOOPBACK": "1"}).invoke(
        root, ["issuer", *arguments], input=typed, catch_exceptions=False
    )


def test_a_municipality_connects_its_register_and_asks_again(tmp_path: Any, running: Running) -> None:
    home = tmp_path / "issuer"
    click_regie(home, "init", "--url", "https://issuer.voorbeeld.example", "--name", "Gemeente Lindehaven")
    bsns = "".join(f"{bsn}\n" for bsn in running.source.persons)
    first = click_regie(home, "connect", running.url, "--file", "-", "--json", typed=bsns)
    assert (first.exit_code, json.loads(first.stdout)["taken"]) == (0, len(running.source.persons))
    one = click_regie(home, "connect", running.url, "--bsn", "-", typed=f"{NOOR}\n")
    assert one.stdout == "1 of 1 taken. Copies out of date: 0; revoked: 0.\n"
    young = click_regie(home, "connect", running.url, "--json")
    assert json.loads(young.stdout)["asked"] == 0
    opened = Home(home)
    with snapshot(open_office(opened, opened.config(IssuerConfig)).engine) as connection:
        assert not store_deferred.is_held(connection, NOOR)
    del running.source.persons[NOOR]
    gone = click_regie(home, "connect", running.url, "--bsn", NOOR)
    assert gone.exit_code == 1
    assert "1 not known there, of whom 1 are held for a clerk" in gone.stdout


def test_a_list_of_numbers_that_are_none_is_refused_with_its_line(tmp_path: Any, running: Running) -> None:
    home = tmp_path / "issuer"
    click_regie(home, "init", "--url", "https://issuer.voorbeeld.example", "--name", "Gemeente Lindehaven")
    wrong = click_regie(home, "connect", running.url, "--file", "-", typed=f"{NOOR}\n\n123456789\n")
    assert wrong.exit_code == 1
    assert "line 3" in wrong.output
    assert "123456789" not in wrong.output
    both = click_regie(home, "connect", running.url, "--file", "-", "--bsn", "-")
    assert both.exit_code == 2
    assert running.source.asked == []
