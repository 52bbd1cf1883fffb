"""The bell in an agency's home: what it keeps of a reading, what it rings for, and what nobody reads from it."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.errors import Rejected, Unavailable
from protocol.terms import Context
from protocol.working_days import AMSTERDAM
from service.command import root
from tests.verifier.agency import Agency, Wallet
from verifier import cli_alarms
from verifier.alarm.facts import DAY
from verifier.alarm_store import KeptAlert
from verifier.desk import Desk
from verifier.gate import Purpose
from verifier.reader import read_grant

HOME = Purpose("Z-2026-1", "officer 7", zone="remote")


def granted(agency: Agency, wallet: Wallet, **wish: Any) -> str:
    """A grant that the agency holds."""
    rid, link = agency.ask(**wish)
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return rid


def set_clock(agency: Agency, weekday: int, hour: int) -> None:
    """The next such day and hour in Amsterdam."""
    now = datetime.fromtimestamp(agency.clock.time, AMSTERDAM)
    day = now + timedelta(days=(weekday - now.isoweekday()) % 7 or 7)
    agency.clock.time = int(day.replace(hour=hour, minute=0, second=0, microsecond=0).timestamp())


def alerts(agency: Agency) -> list[KeptAlert]:
    """What rings now."""
    agency.desk.bell.ring(agency.desk.now())
    return agency.desk.bell.store.page(1, all_=False)[1]


def rules(agency: Agency) -> list[str]:
    """Names of what rings now."""
    return sorted(kept.alert.rule for kept in alerts(agency))


def test_sunday_read_from_home_is_refused_where_the_grant_says_so(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet, context=Context(days=[1, 2, 3, 4, 5], zone="office"))
    set_clock(agency, 7, 15)
    with pytest.raises(Rejected) as info:
        read_grant(agency.desk, rid, (), HOME)
    assert info.value.code == "out_of_context"
    assert agency.log.reads == 0
    assert rules(agency) == []  # nothing was read: the refusal stands in the log and in the desk's figures


def test_sunday_read_from_home_is_flagged_where_the_grant_does_not_say(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 7, 15)
    opened = read_grant(agency.desk, rid, (), HOME)
    assert opened.values["postcode"] == "1234AB"
    (kept,) = alerts(agency)
    assert kept.alert.rule == "weekend_home"
    assert list(agency.desk.bell.store.entries(kept.alert.reads)) == [opened.index]


def test_weekday_read_at_the_office_rings_for_nothing(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 2, 11)
    read_grant(agency.desk, rid, (), Purpose("Z-2026-1", "officer 7"))
    assert rules(agency) == []


def test_programs_have_no_evenings(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 7, 3)
    read_grant(agency.desk, rid, (), Purpose("Z-2026-1", "system", channel="batch", zone="remote"))
    assert rules(agency) == []


def test_attack_person_who_calls_a_typed_reading_a_program(agency: Agency, wallet: Wallet, run: Any) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 7, 3)
    typed = ("read", rid, "--case", "Z-2026-1", "--officer", "officer 7", "--zone", "remote")
    for channel in ("api", "batch"):
        assert "No such option" in run(*typed, "--channel", channel, exit_code=2)
    assert agency.log.reads == 0
    run(*typed)
    assert rules(agency) == ["weekend_home"]
    (fact,) = agency.desk.bell.store.facts(agency.desk.now()).reads
    assert fact.by_hand


def test_home_holds_neither_street_nor_person_nor_officer_nor_case(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    told = {"officer": "officer 7", "postcodes": ["9876 ZX"], "relatives": [{"bsn": "999990019"}]}
    agency.desk.bell.load_officers(json.dumps(told).encode(), agency.desk.now())
    agency.desk.bell.load_cases(b'{"case": "Z-2026-1", "opened": "2026-01-05"}', agency.desk.now())
    read_grant(agency.desk, rid, (), HOME)
    kept = b"".join(path.read_bytes() for path in agency.home.path.glob("alarm*"))
    assert kept
    for word in ("1234AB", "9876ZX", "9876 ZX", "999990019", "officer 7", "Z-2026-1", "Voorbeeld"):
        assert word.encode() not in kept
        assert word.casefold().encode() not in kept


def test_neighbours_of_an_officer_ring_once_there_are_several(agency: Agency) -> None:
    told = {"officer": "officer 7", "postcodes": ["1234 ab"]}
    agency.desk.bell.load_officers(json.dumps(told).encode(), agency.desk.now())
    set_clock(agency, 3, 11)
    for n, name in enumerate(("holder", "neighbour")):
        rid = granted(agency, Wallet(agency.clock, agency.log, name=name, set_name=name))
        read_grant(agency.desk, rid, (), Purpose("Z-2026-1", "officer 7"))
        assert rules(agency) == (["own_street"] if n else [])
        read_grant(agency.desk, rid, (), Purpose("Z-2026-1", "officer 8"))
    assert rules(agency) == ["own_street"]


def test_case_rules_are_silent_until_cases_are_loaded(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 3, 11)
    for case in ("Z-1", "Z-2"):
        read_grant(agency.desk, rid, (), Purpose(case, "officer 7"))
    agency.clock.time += 2 * DAY
    assert rules(agency) == []
    agency.desk.bell.load_cases(b'{"case": "Z-9", "opened": "2026-01-05", "closed": null}\n', agency.desk.now())
    assert rules(agency) == ["no_open_case"]


def test_reading_that_cannot_be_marked_is_shown_to_nobody(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rid = granted(agency, wallet)
    full = Unavailable("database", "the disk is full")

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as broken:
        broken.setattr(agency.desk.bell.store, "add", fail)
        with pytest.raises(Unavailable):
            read_grant(agency.desk, rid, (), HOME)
    assert agency.desk.store.reads.all()[0]["state"] == "pending"
    opened = read_grant(agency.desk, rid, (), HOME)
    assert (opened.n, agency.log.reads) == (0, 1)  # the same READ, so one entry


def test_alert_that_was_looked_into_opens_again_when_it_grows(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 7, 15)
    read_grant(agency.desk, rid, (), HOME)
    (kept,) = alerts(agency)
    store = agency.desk.bell.store
    store.look(kept.id, "fg", "explained", "standby duty", agency.desk.now())
    assert alerts(agency) == []
    agency.clock.time += 3600
    read_grant(agency.desk, rid, (), HOME)
    (again,) = alerts(agency)
    assert (again.id, again.is_open, len(again.alert.reads), again.note) == (kept.id, True, 2, "standby duty")
    with pytest.raises(Rejected) as info:
        store.look(kept.id + 1, "fg", "explained", "", agency.desk.now())
    assert info.value.code == "unknown_alert"


def test_what_is_a_year_old_is_forgotten(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 7, 15)
    read_grant(agency.desk, rid, (), HOME)
    (kept,) = alerts(agency)
    agency.desk.bell.store.look(kept.id, "fg", "explained", "", agency.desk.now())
    agency.clock.time += 401 * DAY
    assert alerts(agency) == []
    assert agency.desk.bell.store.facts(agency.desk.now()).reads == []
    with pytest.raises(Rejected):
        agency.desk.bell.store.get(kept.id)


@pytest.mark.parametrize(
    "line",
    [
        b'{"case": "Z-1"}',
        b'{"case": "Z-1", "opened": "2026-13-01"}',
        b'{"case": "Z-1", "opened": "2026-01-01T10:00:00"}',
        b'{"case": "Z-1", "opened": "2026-01-01", "resident": "somebody"}',
        b"not json",
    ],
)
def test_bad_line_of_a_file_changes_nothing_and_is_not_repeated(agency: Agency, line: bytes) -> None:
    bell, now = agency.desk.bell, agency.desk.now()
    bell.load_cases(b'{"case": "Z-0", "opened": "2026-01-05"}', now)
    before = bell.store.facts(now).cases
    with pytest.raises(Rejected) as info:
        bell.load_cases(b'{"case": "Z-2", "opened": "2026-01-05"}\n' + line, now)
    assert (info.value.code, "line 2" in info.value.detail) == ("bad_line", True)
    assert "somebody" not in info.value.detail
    assert bell.store.facts(now).cases == before


@pytest.mark.parametrize("relative", ['{"bsn": "123"}', '{"surname": "Vries"}', "{}"])
def test_relative_without_a_whole_name_is_refused(agency: Agency, relative: str) -> None:
    with pytest.raises(Rejected) as info:
        agency.desk.bell.load_officers(f'{{"officer": "a", "relatives": [{relative}]}}'.encode(), 0)
    assert info.value.code == "bad_line"


def test_thresholds_of_the_home_are_obeyed_and_bad_ones_refused(agency: Agency, wallet: Wallet) -> None:
    rid = granted(agency, wallet)
    set_clock(agency, 7, 15)
    read_grant(agency.desk, rid, (), HOME)
    agency.home.write_public("alarms.json", b'{"weekend_reads": 2, "mass_factor": 4.5}')
    assert rules(agency) == []
    agency.home.write_public("alarms.json", b'{"weekend_reads": 0}')
    with pytest.raises(Rejected) as info:
        agency.desk.bell.ring(agency.desk.now())
    assert info.value.code == "bad_thresholds"
    agency.home.write_public("alarms.json", b'{"off": ["weekend_home"]}')
    assert rules(agency) == []


def test_privacy_officer_lists_shows_and_closes_alerts_on_the_command_line(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(cli_alarms, "Desk", lambda home: Desk(home, agency.desk.parts))

    def run(*words: str, exit_code: int = 0) -> Any:
        home = ["--home", str(agency.home.path), "--json"]
        result = CliRunner().invoke(root, ["verifier", "alarms", *words, *home])
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout) if exit_code == 0 else result.stderr

    rid = granted(agency, wallet)
    set_clock(agency, 7, 15)
    read_grant(agency.desk, rid, (), HOME)
    listed = run("list")
    assert (listed["new"], listed["total"]) == (1, 1)
    assert listed["alerts"][0]["reason"]["nl"] == "1 keer gelezen van huis, op een zaterdag, zondag of feestdag."
    number = str(listed["alerts"][0]["id"])
    assert len(run("show", number)["entries"]) == 1
    assert run("looked", number, "talked", "--note", "duty")["outcome"] == "talked"
    assert run("list")["alerts"] == []
    assert [each["note"] for each in run("list", "--all")["alerts"]] == ["duty"]
    assert "unknown_alert" in run("show", "99", exit_code=1)
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"case": "Z-1", "opened": "2026-01-05"}\n')
    assert run("cases", str(cases)) == {"cases": 1}
    people = tmp_path / "officers.jsonl"
    people.write_text('{"officer": "a", "streets": [{"street": "Dorpsstraat", "town": "Ons Dorp"}]}\n')
    assert run("officers", str(people)) == {"officers": 1}
