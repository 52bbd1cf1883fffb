"""More than the log can do: reads and grants are told to come again, a revocation is taken all the same."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import WITNESS_NAME
from tests.waiting import wait_until

PLACES = 3


@pytest.fixture
def hands() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@contextmanager
def writer_held_up(town: SmallTown) -> Iterator[None]:
    """Somebody else holds the database's write lock: a slow disk, as the writer sees it."""
    with closing(sqlite3.connect(town.home.file("log.db"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def told_to_come_again(answer: TestResponse) -> bool:
    """Whether this is a 503 that says when."""
    if answer.status_code != 503:
        return False
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.get_json()["code"] in ("busy", "no_quorum")
    return True


def test_full_waiting_room_takes_revocations_first_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hands: ThreadPoolExecutor
) -> None:
    monkeypatch.setattr("consentlog.waiting.MAX_WAITING", PLACES)
    town = SmallTown(tmp_path)
    with town.running():
        given, stopped = town.grant(), town.grant()
        town.settle()
        room = town.node.writer.room
        with writer_held_up(town):
            reads = [hands.submit(town.post_read, town.make_read(given)) for _ in range(3 * PLACES)]
            wait_until(lambda: room.counts()[1] == PLACES)
            grant = hands.submit(town.send, "POST", "/v1/grants", town.grant_request()[2])
            stop = hands.submit(town.post_revocation, stopped.r)
            late = hands.submit(town.post_read, town.make_read(stopped))
            assert told_to_come_again(grant.result(60))
            assert told_to_come_again(late.result(60))
            wait_until(lambda: room.counts()[0] == 1)
        assert stop.result(60).status_code == 200
        answers = [read.result(60) for read in reads]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert sum(told_to_come_again(answer) for answer in answers) >= PLACES
        assert code_of(town.post_read(town.make_read(stopped))) == (410, "revoked")
        town.settle()
        town.replayed()


def test_parties_who_wait_for_witnesses_leave_threads_for_stops_and_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hands: ThreadPoolExecutor
) -> None:
    monkeypatch.setattr("consentlog.web.MAX_PARTIES", PLACES)
    monkeypatch.setattr("consentlog.node.ANSWER_SECONDS", 60.0)
    town = SmallTown(tmp_path)
    with town.running():
        stopped = town.grant()
        town.settle()
        town.wires.cut |= {WITNESS_NAME}
        requests = [town.grant_request()[2] for _ in range(PLACES)]
        waiting: list[Future[TestResponse]] = [
            hands.submit(town.send, "POST", "/v1/grants", request) for request in requests
        ]
        wait_until(lambda: town.node.writer.room.counts()[2] == PLACES)
        assert told_to_come_again(town.send("POST", "/v1/grants", town.grant_request()[2]))
        assert told_to_come_again(town.post_read(town.make_read(stopped)))
        assert town.revoke(stopped).slot == stopped.answer.slot
        assert town.send("GET", "/checkpoint").status_code == 200
        assert len(town.leaves()) == town.node.tree.size
        assert not any(request.done() for request in waiting)
        town.wires.cut.clear()
        assert [request.result(60).status_code for request in waiting] == [201] * PLACES


def test_stop_answers_who_waits_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hands: ThreadPoolExecutor
) -> None:
    monkeypatch.setattr("consentlog.node.ANSWER_SECONDS", 120.0)
    town = SmallTown(tmp_path)
    with town.running():
        given = town.grant()
        town.settle()
        town.wires.cut |= {WITNESS_NAME}
        sent = [town.make_read(given) for _ in range(PLACES)]
        waiting = [hands.submit(town.post_read, each) for each in sent]
        wait_until(lambda: town.node.writer.room.counts()[2] == PLACES)
        town.node.stop()
        assert all(told_to_come_again(answer.result(60)) for answer in waiting)
        size = town.node.tree.size
    town.wires.cut.clear()
    with town.running():
        assert len(town.leaves()) >= size
        answers = [town.post_read(each).get_json() for each in sent]
        assert sorted(answer["n"] for answer in answers) == list(range(PLACES))
        assert all(answer["index"] < size for answer in answers)
