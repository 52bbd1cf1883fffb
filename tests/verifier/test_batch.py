"""Many reads by an agency's program: an entry for each row, and after a kill no row is read twice."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Rejected, Unavailable
from protocol.reading import parse_read
from tests.protocol import builders
from tests.verifier.agency import PURPOSE, Agency, Wallet
from tests.verifier.test_crashes import CrashError, crash_at, restart
from verifier import cli_batch, machine
from verifier.batch import MAX_LINE_BYTES, MAX_ROWS, Result, Row, parse_rows
from verifier.batches import RowName
from verifier.desk import Desk
from verifier.machine import Agency as Machine
from verifier.machine_batch import Progress
from verifier.reader import read_grant

SYSTEM = "parkeren-verlenging"
CASE = "123456782/ZAAK-2026-42"


@pytest.fixture
def agency(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """The tests' log does one thing at a time, as the real one does in its transactions."""
    turn, answer = threading.Lock(), agency.log.answer

    def one_at_a_time(path: str, body: bytes | None) -> bytes:
        with turn:
            return answer(path, body)

    monkeypatch.setattr(agency.log, "answer", one_at_a_time)
    return agency


@pytest.fixture
def rids(agency: Agency, wallet: Wallet) -> list[str]:
    """Three grants."""
    found = []
    for _ in range(3):
        rid, link = agency.ask()
        assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
        found.append(rid)
    return found


@pytest.fixture
def rows(rids: list[str]) -> list[Row]:
    """Seven rows, two of which ask exactly the same."""
    return [Row(rid, CASE, ["postcode"]) for rid in (*rids, *rids, rids[0])]


class Caller:
    """A program that uses the library; it keeps what it was handed."""

    def __init__(self, agency: Agency) -> None:
        self.agency = agency
        self.got: list[Result] = []
        self.dies_after: int | None = None

    def take(self, results: Sequence[Result]) -> None:
        for result in results:
            if self.dies_after is not None and len(self.got) >= self.dies_after:
                raise CrashError
            self.got.append(result)

    def run(self, rows: Sequence[Row], *, resume: bool = False, parallel: int = 3) -> Progress:
        machine = Machine(self.agency.home.path, officer=SYSTEM, parts=self.agency.desk.parts)
        machine.desk = self.agency.desk  # where a test makes it die
        return machine.batch(rows, self.take, resume=resume, parallel=parallel)

    @property
    def entries(self) -> list[int]:
        return sorted({result.index for result in self.got if result.index is not None})


@pytest.fixture
def caller(agency: Agency) -> Caller:
    return Caller(agency)


def made(agency: Agency) -> int:
    """READs that the log has entered."""
    return agency.log.reads


def test_program_reads_under_a_grant_through_the_same_gate(agency: Agency, rids: list[str]) -> None:
    machine = Machine(agency.home.path, officer=SYSTEM, parts=agency.desk.parts)
    assert {line.id for line in machine.standing()} == {line.id for line in machine.standing(builders.SERVICE_ID)}
    assert sorted(line.id for line in machine.standing()) == sorted(rids)
    assert machine.standing("another") == []
    opened = machine.read(rids[0], f" {CASE} ", ["postcode"])
    assert opened.values["postcode"] == "1234AB"
    assert parse_read(agency.log.requests[-1]).read.channel == "api"
    with pytest.raises(Rejected, match="bad_case"):
        machine.read(rids[0], "123456789/no-rsin")
    with pytest.raises(Rejected, match="not_granted"):
        machine.read(rids[0], CASE, ["straat"])
    with pytest.raises(Rejected, match="unknown_grant"):
        machine.read("0" * 32, CASE)
    assert made(agency) == 1


def test_every_row_has_an_entry_of_its_own(agency: Agency, caller: Caller, rows: list[Row]) -> None:
    end = caller.run(rows)
    assert (end.read, end.refused, end.before, end.left) == (7, 0, 0, 0)
    assert len(caller.entries) == len(rows) == made(agency)
    assert {result.n for result in caller.got} == set(range(7))
    assert all(result.values and result.values["postcode"] == "1234AB" for result in caller.got)
    assert {parse_read(token).read.channel for token in agency.log.requests} == {"batch"}
    kept = agency.desk.store.reads.all()
    assert {(row["state"], row["reply_seed"]) for row in kept} == {("done", None)}
    (stored,) = agency.desk.store.batches.all()
    assert (stored.done, stored.refused, stored.left, stored.finished) == (7, 0, 0, agency.clock.time)


def test_refused_row_does_not_stop_the_others(agency: Agency, caller: Caller, rids: list[str]) -> None:
    rows = [Row(rids[0], CASE), Row("0" * 32, CASE), Row(rids[1], CASE, ["straat"]), Row(rids[2], CASE)]
    end = caller.run(rows)
    assert (end.read, end.refused) == (2, 2)
    found = {result.n: result.error.code for result in caller.got if result.error}
    assert found == {1: "unknown_grant", 2: "not_granted"}
    assert made(agency) == 2


def test_stopped_grant_is_refused_in_a_batch_too(agency: Agency, wallet: Wallet, caller: Caller) -> None:
    rid, link = agency.ask()
    granted = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, granted.form()).status_code == 200
    agency.log.stop(granted.sealed.slot, granted.secret)
    caller.run([Row(rid, CASE)])
    (result,) = caller.got
    assert result.error is not None
    assert (result.error.code, result.values) == ("revoked", None)


@pytest.mark.parametrize("persisted", [False, True])
@pytest.mark.parametrize(
    ("part", "method"),
    [("batches", "begin"), ("reads", "add"), ("reads", "finish"), ("batches", "close"), ("batches", "finish")],
)
def test_killed_batch_goes_on_without_a_second_read_of_any_row(
    agency: Agency, caller: Caller, rows: list[Row], part: str, method: str, persisted: bool
) -> None:
    crash_at(agency, part, method, persisted=persisted)
    with pytest.raises(CrashError):
        caller.run(rows, parallel=1)
    restart(agency)
    was_begun = agency.desk.store.batches.all() != []
    is_over = was_begun and agency.desk.store.batches.all()[0].finished is not None
    if not is_over:
        assert caller.run(rows, resume=was_begun).left == 0
    assert made(agency) == len(rows)
    assert len(caller.entries) == len(rows)
    assert {result.n for result in caller.got} == set(range(len(rows)))
    assert all(row["reply_seed"] is None for row in agency.desk.store.reads.all())


def test_answer_of_the_log_that_never_came_is_fetched_again(
    agency: Agency, caller: Caller, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.machine_batch.LONGEST_PAUSE", 0.0)
    agency.log.drops_answer = True
    with pytest.raises(Unavailable, match="unreachable"):
        caller.run(rows, parallel=2)
    assert not caller.got
    begun = made(agency)
    assert begun == 2
    agency.log.drops_answer = False
    agency.clock.time += 600  # too old to be admitted anew: only what is in the log is answered
    assert caller.run(rows, resume=True).left == 0
    assert made(agency) == len(rows) == len(caller.entries)


def test_row_that_met_a_busy_proxy_is_tried_again_and_not_given_up(
    agency: Agency, caller: Caller, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.machine_batch.LONGEST_PAUSE", 0.0)
    answer, busy = agency.log.answer, [2]

    def through_proxy(path: str, body: bytes | None) -> bytes:
        if path == "/v1/reads" and busy[0]:
            busy[0] -= 1
            raise Rejected("http_error", "answered with status 429", status=429)
        return answer(path, body)

    monkeypatch.setattr(agency.log, "answer", through_proxy)
    end = caller.run(rows, parallel=1)
    assert (busy[0], end.read, end.refused) == (0, len(rows), 0)
    assert made(agency) == len(rows) == len(caller.entries)


def test_caller_that_dies_gets_the_same_entries_again(agency: Agency, caller: Caller, rows: list[Row]) -> None:
    """Handed over and not noted: the same line comes twice, with one entry."""
    caller.dies_after = 2
    with pytest.raises(CrashError):
        caller.run(rows)
    restart(agency)
    caller.dies_after = None
    assert caller.run(rows, resume=True).left == 0
    assert made(agency) == len(rows) == len(caller.entries)
    indexes: dict[int, set[int | None]] = {}
    for result in caller.got:
        indexes.setdefault(result.n, set()).add(result.index)
    assert {len(found) for found in indexes.values()} == {1}


def test_resident_who_stopped_while_the_batch_was_down_is_not_opened(
    agency: Agency, wallet: Wallet, caller: Caller
) -> None:
    rid, link = agency.ask()
    granted = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, granted.form()).status_code == 200
    crash_at(agency, "batches", "close", persisted=False)
    with pytest.raises(CrashError):
        caller.run([Row(rid, CASE)])
    restart(agency)
    caller.got.clear()
    agency.desk.store.grants.end(granted.sealed.terms.lock, agency.clock.time)
    caller.run([Row(rid, CASE)], resume=True)
    (result,) = caller.got
    assert result.error is not None
    assert result.error.code == "revoked"
    assert all(row["reply_seed"] is None for row in agency.desk.store.reads.all())


def test_batch_is_begun_once_and_resumed_by_its_own_officer_only(
    agency: Agency, caller: Caller, rows: list[Row]
) -> None:
    with pytest.raises(Rejected, match="unknown_batch"):
        caller.run(rows, resume=True)
    caller.dies_after = 0
    with pytest.raises(CrashError):
        caller.run(rows)
    before = agency.stored()
    with pytest.raises(Rejected, match="batch_under_way"):
        caller.run(rows)
    with pytest.raises(Rejected, match="unknown_batch"):
        caller.run(rows[:-1], resume=True)
    other = Machine(agency.home.path, officer="somebody else", parts=agency.desk.parts)
    with pytest.raises(Rejected, match="unknown_batch"):
        other.batch(rows, caller.take, resume=True)
    with pytest.raises(Rejected, match="empty_batch"):
        caller.run([])
    assert agency.stored() == before


def test_two_runs_at_once_are_one_too_many(agency: Agency, caller: Caller, rows: list[Row]) -> None:
    with agency.home.lock("batch.lock"), pytest.raises(Unavailable, match="in_use"):
        caller.run(rows)
    assert not agency.log.requests


def test_officer_never_gets_the_read_of_a_batch(agency: Agency, caller: Caller, rids: list[str]) -> None:
    """A batch's READ that is under way is no desk's: it would open values under the wrong entry."""
    crash_at(agency, "reads", "finish", persisted=False)
    with pytest.raises(CrashError):
        caller.run([Row(rids[0], PURPOSE.case)])
    restart(agency)
    read_grant(agency.desk, rids[0], [], PURPOSE)
    assert made(agency) == 2
    caller.run([Row(rids[0], PURPOSE.case)], resume=True)
    assert made(agency) == 2


def test_grant_that_was_refreshed_meanwhile_is_not_read_twice(
    agency: Agency, caller: Caller, rids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry may be in the log under the version before: the caller hears of it and decides."""
    crash_at(agency, "reads", "finish", persisted=False)
    with pytest.raises(CrashError):
        caller.run([Row(rids[0], CASE)])
    restart(agency)
    monkeypatch.setattr("verifier.reader.is_same", lambda *_: False)
    caller.run([Row(rids[0], CASE)], resume=True)
    (result,) = caller.got
    assert result.error is not None
    assert result.error.code == "row_changed"
    assert made(agency) == 1
    (kept,) = agency.desk.store.reads.all()
    assert (kept["state"], kept["code"], kept["reply_seed"]) == ("void", "row_changed", None)


def test_row_that_is_over_takes_no_other_read(agency: Agency, caller: Caller, rows: list[Row]) -> None:
    caller.run(rows)
    (stored,) = agency.desk.store.batches.all()
    from_before = made(agency)
    with pytest.raises(Rejected, match="row_over"):
        read_grant(agency.desk, rows[0].grant, [], PURPOSE, row=RowName(stored.id, 0))
    assert made(agency) == from_before


# --- the file and the command ------------------------------------------------------------------------------


def text_of(rows: Sequence[Row]) -> bytes:
    return b"".join(json.dumps({"grant": r.grant, "case": r.case, "only": r.only}).encode() + b"\n" for r in rows)


GRANT = "0" * 31 + "a"


def test_rows_are_read_from_json_lines() -> None:
    text = (
        f'{{"grant": "{GRANT}", "case": " 123456782/Z-1 "}}\n\n{{"grant": "{GRANT}", "case": "2", "only": ["x"]}}'
    )
    assert parse_rows(text.encode()) == [Row(GRANT, "123456782/Z-1"), Row(GRANT, "2", ["x"])]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"no json", "line 2"),
        (b'{"grant": "x", "case": "1"}', "line 2"),
        (b'{"grant": "%s"}' % GRANT.encode(), "line 2"),
        (b'{"grant": "%s", "case": "123456789/CANARY"}' % GRANT.encode(), "line 2"),
        (b'{"grant": "%s", "case": "1", "CANARY": 1}' % GRANT.encode(), "line 2"),
        (b'{"grant": "%s", "case": "1"}%s' % (GRANT.encode(), b" " * MAX_LINE_BYTES), "line 2"),
    ],
)
def test_file_with_a_bad_line_is_refused_whole_by_the_number_of_the_line(line: bytes, said: str) -> None:
    good = b'{"grant": "%s", "case": "1"}' % GRANT.encode()
    with pytest.raises(Rejected) as info:
        parse_rows(good + b"\n" + line)
    assert info.value.code == "bad_batch"
    assert said in info.value.detail
    assert "CANARY" not in info.value.detail


def test_batch_has_rows_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Rejected, match="bad_batch"):
        parse_rows(b"\n \n")
    line = b'{"grant": "%s", "case": "1"}\n' % GRANT.encode()
    monkeypatch.setattr("verifier.batch.MAX_ROWS", 3)
    assert len(parse_rows(line * 3)) == 3
    with pytest.raises(Rejected, match="too_large"):
        parse_rows(line * 4)
    assert MAX_ROWS == 100_000


@pytest.fixture
def regie(agency: Agency, run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line, whose batches use the agency's network and clock too."""
    monkeypatch.setattr(machine, "Desk", lambda home, parts: Desk(home, agency.desk.parts))
    monkeypatch.setattr(cli_batch, "Desk", lambda home: Desk(home, agency.desk.parts))
    return run


def test_batch_by_command_prints_a_line_for_each_row(
    agency: Agency, regie: Any, rows: list[Row], tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(text_of([*rows, Row("0" * 32, CASE)]))
    printed = regie("batch", str(file), "--officer", SYSTEM, as_json=False)
    lines = {line["row"]: line for line in map(json.loads, printed.splitlines())}
    assert sorted(lines) == list(range(1, 9))
    assert lines[1]["values"] == {"postcode": "1234AB"}
    assert set(lines[1]["flags"]) == {"geheimhouding", "inOnderzoek", "opschorting"}
    assert (lines[1]["case"], lines[1]["out_of_date"]) == (CASE, [])
    assert lines[8]["error"]["code"] == "unknown_grant"
    assert len({line["index"] for line in lines.values() if "index" in line}) == len(rows) == made(agency)
    (listed,) = regie("batches")["batches"]
    assert (listed["size"], listed["done"], listed["refused"]) == (8, 7, 1)
    assert "finished" in regie("batches", as_json=False)
    assert "(unknown_batch)" in regie("batch", str(file), "--officer", SYSTEM, "--resume", exit_code=1)


def test_values_go_into_a_pipe_and_never_into_a_file(
    agency: Agency, regie: Any, rows: list[Row], tmp_path: Path
) -> None:
    file, pipe, plain = tmp_path / "rows.jsonl", tmp_path / "values", tmp_path / "plain"
    file.write_bytes(text_of(rows))
    plain.write_text("")
    assert "(not_a_pipe)" in regie("batch", str(file), "--to", str(plain), exit_code=1)
    assert not agency.log.requests
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    told = regie("batch", str(file), "--to", str(pipe), "--officer", SYSTEM)
    reader.join(60)
    assert (told["read"], told["refused"], told["before"]) == (7, 0, 0)
    assert [json.loads(line)["values"] for line in heard[0].splitlines()] == [{"postcode": "1234AB"}] * 7
    assert b"1234AB" not in agency.files()
    assert CASE.encode() not in agency.files()


def test_log_that_is_down_ends_the_command_and_a_resume_finishes_it(
    agency: Agency, regie: Any, rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.machine_batch.LONGEST_PAUSE", 0.0)
    file = tmp_path / "rows.jsonl"
    file.write_bytes(text_of(rows))
    agency.log.down = True
    error = regie("batch", str(file), "--officer", SYSTEM, exit_code=3)
    assert "(unreachable)" in error
    assert "7 to go" in regie("batches", as_json=False)
    agency.log.down = False
    assert "(batch_under_way)" in regie("batch", str(file), "--officer", SYSTEM, exit_code=1)
    printed = regie("batch", str(file), "--officer", SYSTEM, "--resume", as_json=False)
    assert len(printed.splitlines()) == 7 == made(agency)
