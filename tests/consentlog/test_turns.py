"""Whose turn it is to publish: one at a time, until its row stands still."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest
from sqlalchemy import Connection, Engine, text

from consentlog import turns
from consentlog.tables import create_tables
from consentlog.turns import KEEP_SECONDS, TAKE_OVER_SECONDS, News, SharedTurn
from protocol.errors import Unavailable
from service.database import engine_for, immediate, single
from tests.service import postgresql
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not postgresql.is_installed(), reason="needs PostgreSQL")


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.PostgreSQL]:
    server = postgresql.PostgreSQL()
    yield server
    server.stop()


@pytest.fixture
def engine(server: postgresql.PostgreSQL, request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = engine_for(server.database(f"turns_{abs(hash(request.node.name))}"))
    create_tables(made)
    yield made
    made.dispose()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of all, to be moved."""
    now = [1000.0]
    monkeypatch.setattr(turns, "monotonic", lambda: now[0])
    return now


def two(engine: Engine) -> tuple[SharedTurn, SharedTurn]:
    """The first one has the turn, and the second one has seen that."""
    first, second = SharedTurn(engine, "a" * 32), SharedTurn(engine, "b" * 32)
    assert first.take(first.look())
    assert not second.take(second.look())
    return first, second


def test_turn_is_taken_only_from_who_stands_still(engine: Engine, time: list[float]) -> None:
    first, second = two(engine)
    for _ in range(8):
        time[0] += KEEP_SECONDS
        first.keep()
        assert not second.take(second.look())
    time[0] += TAKE_OVER_SECONDS - 0.01
    assert not second.take(second.look())
    time[0] += 0.01
    assert second.take(second.look())
    with pytest.raises(Unavailable, match="turn_lost"):
        first.publish(1, "note", b"head", is_ready=True)
    assert not first.is_mine
    assert second.look().note == ""  # nothing changed
    second.publish(1, "note", b"head", is_ready=True)
    row = first.look()
    assert (row.holder, row.note, row.head, row.is_ready) == ("b" * 32, "note", b"head", True)
    assert first.published_size() == 1


def test_new_holder_is_not_ready(engine: Engine, time: list[float]) -> None:
    first, second = two(engine)
    first.publish(1, "note", b"head", is_ready=True)
    assert not second.take(second.look())
    time[0] += TAKE_OVER_SECONDS
    assert second.take(second.look())
    assert not second.look().is_ready


def test_turn_whose_taking_was_not_acknowledged_is_taken_anew(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unheard(engine: Engine) -> Iterator[Connection]:
        with single(engine) as connection:
            yield connection
        raise Unavailable("database", "the answer was lost")

    turn = SharedTurn(engine, "a" * 32)
    monkeypatch.setattr(turns, "single", unheard)
    with pytest.raises(Unavailable, match="database"):
        turn.take(turn.look())
    assert not turn.is_mine  # a holder that did not hear of it would skip what a new one must do
    monkeypatch.undo()
    row = turn.look()
    assert row.holder == "a" * 32
    assert turn.take(row)
    assert turn.is_mine


def test_row_that_could_not_be_seen_did_not_stand_still(
    engine: Engine, time: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two(engine)
    time[0] += TAKE_OVER_SECONDS
    second._engine = engine_for("postgresql://regie@/x?host=/nowhere")
    with pytest.raises(Unavailable):
        second.look()
    second._engine = engine
    assert not second.take(second.look())
    assert first.is_mine


def test_turn_that_is_given_up_is_taken_at_once(engine: Engine, time: list[float]) -> None:
    first, second = two(engine)
    first.give_up()
    first.give_up()
    assert second.take(second.look())
    assert not first.is_mine


def test_of_many_that_take_a_turn_at_once_one_has_it(engine: Engine) -> None:
    workers = [SharedTurn(engine, f"{number:032}") for number in range(6)]
    rows = [worker.look() for worker in workers]
    start = Barrier(6)

    def take(number: int) -> bool:
        start.wait()
        return workers[number].take(rows[number])

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(take, range(6))) == 1


def test_sign_of_life_is_given_only_when_one_is_due(engine: Engine, time: list[float]) -> None:
    first, _ = two(engine)
    moves = first.look().moves
    first.keep()
    assert first.look().moves == moves
    time[0] += KEEP_SECONDS
    first.keep()
    assert first.look().moves == moves + 1


def test_news_reaches_whom_it_concerns(engine: Engine) -> None:
    first, second = two(engine)
    heard: list[str] = []
    news = [News(engine, first, lambda: heard.append("a")), News(engine, second, lambda: heard.append("b"))]
    for thread in news:
        thread.start()
    try:
        wait_until(lambda: sorted(heard) == ["a", "b"])  # once each when it begins to listen
        with immediate(engine) as connection:
            second.tell_committed(connection)
        wait_until(lambda: len(heard) == 3)
        first.publish(1, "note", b"head", is_ready=True)
        wait_until(lambda: len(heard) == 4)
        assert heard[2:] == ["a", "b"]
        with immediate(engine) as connection:
            found = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query IN ('SELECT 1', :listen)"
            connection.execute(text(found), {"listen": 'LISTEN "regie_log"'})
        wait_until(lambda: len(heard) >= 6)  # and again when it had to begin anew
    finally:
        for thread in news:
            thread.stop()
            thread.join(60)
