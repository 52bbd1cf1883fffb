"""A followed log: a step passes whole and is stored, or nothing changes; earlier heads stay recognised."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from protocol.errors import Rejected, Unavailable
from protocol.leaf import lock_of
from protocol.revocation_code import revocation_secret
from service import replica as module
from service.database import engine_for, sqlite_url
from service.replica import Advance, Replica
from tests.auditor.history import History, lock_of_town
from tests.protocol import granting


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return engine_for(sqlite_url(tmp_path / "replica.db"))


def follow(engine: Engine, history: History, **options: object) -> Replica:
    def leaves(start: int, size: int) -> Iterator[bytes]:
        return iter(list(history.log.leaves[start:size]))

    return Replica(engine, leaves, **options)  # type: ignore[arg-type]


def test_replica_follows_and_survives_a_restart(engine: Engine, history: History) -> None:
    replica = follow(engine, history)
    first = history.checkpoint()
    step = replica.advance(first)
    assert (step.start, len(step.leaves), replica.size, replica.slots) == (0, first.size, first.size, 2)
    history.revoke()
    second = history.checkpoint()
    again = follow(engine, history)
    assert list(again.advance(second).leaves) == history.log.leaves[first.size :]
    for each in (again, follow(engine, history)):
        assert each.size == second.size
        state = each.lock(lock_of_town(history))
        assert state is not None
        assert (state.slot, state.grant_index, state.revoked) == (1, 1, True)
        assert each.lock(lock_of(bytes(32))) is None
        assert each.is_known(first)
        assert each.is_known(second)


def test_replica_knows_no_head_of_another_history(engine: Engine, history: History) -> None:
    replica = follow(engine, history)
    replica.advance(history.checkpoint())
    other = History()
    other.read(0)
    assert not replica.is_known(other.checkpoint())
    assert replica.root_at(1) is None  # no head stood there


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_replica_recognises_so_many_heads_and_no_more(
    engine: Engine, history: History, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(module, "KEPT_ROOTS", kept)
    replica, shown = follow(engine, history), []
    for _ in range(kept + 1):
        shown.append(history.checkpoint())
        replica.advance(shown[-1])
    for each in (replica, follow(engine, history)):
        assert [each.is_known(checkpoint) for checkpoint in shown] == [False] + [True] * kept


def test_replica_that_catches_up_in_one_step_keeps_the_last_heads(
    engine: Engine, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_ROOTS", 2)
    shown = [history.checkpoint() for _ in range(4)]
    replica = follow(engine, history)
    replica.advance(shown[-1])
    assert [replica.is_known(checkpoint) for checkpoint in shown] == [False, False, True, True]


def test_attack_lie_moves_nothing_and_honest_leaves_pass_after_it(engine: Engine, history: History) -> None:
    replica = follow(engine, history)
    first = history.checkpoint()
    replica.advance(first)
    honest, status = list(history.log.leaves), history.log.status.copy()
    history.log.status.append_slot()
    with pytest.raises(Rejected, match="replay_head_slots"):
        replica.advance(history.checkpoint())
    assert replica.size == first.size
    assert follow(engine, history).size == first.size
    history.log.leaves, history.log.status = honest, status
    history.revoke()
    replica.advance(history.checkpoint())
    assert replica.lock(lock_of_town(history)).revoked  # type: ignore[union-attr]


def test_attack_smaller_tree_is_refused(engine: Engine, history: History) -> None:
    replica = follow(engine, history)
    first = history.checkpoint()
    history.read(0)
    replica.advance(history.checkpoint())
    with pytest.raises(Rejected, match="checkpoint_size"):
        replica.advance(first)
    assert replica.is_known(first)


def test_same_tree_again_is_an_empty_step(engine: Engine, history: History) -> None:
    replica, checkpoint = follow(engine, history), history.checkpoint()
    replica.advance(checkpoint)
    assert replica.advance(checkpoint).leaves == []


def test_what_a_role_stores_is_stored_with_the_step_or_not_at_all(engine: Engine, history: History) -> None:
    def full(connection: object, step: Advance) -> None:
        raise Unavailable("database", "the disk is full")

    replica = follow(engine, history, in_save=full)
    with pytest.raises(Unavailable):
        replica.advance(history.checkpoint())
    assert replica.size == 0
    assert replica.lock(lock_of_town(history)) is None
    assert follow(engine, history).size == 0


def test_attack_slower_process_puts_an_older_tree_beside_newer_grants(engine: Engine, history: History) -> None:
    slow, fast = follow(engine, history), follow(engine, history)
    first = history.checkpoint()
    history.revoke()
    second = history.checkpoint()
    fast.advance(second)
    with pytest.raises(Unavailable, match="busy"):
        slow.advance(first)
    assert slow.size == second.size
    assert slow.lock(lock_of_town(history)).revoked  # type: ignore[union-attr]
    history.read(0)
    slow.advance(history.checkpoint())
    history.read(1)
    third = history.checkpoint()
    with pytest.raises(Unavailable, match="busy"):
        fast.advance(third)
    fast.advance(third)
    assert follow(engine, history).is_known(third)


def test_live_is_what_is_stored_and_unrevoked(engine: Engine, history: History) -> None:
    replica = follow(engine, history)
    with engine.connect() as connection:
        assert not replica.is_live(connection, 1)
    replica.advance(history.checkpoint())
    with engine.connect() as connection:
        assert replica.is_live(connection, 1)
    assert lock_of(revocation_secret(granting.CODE, 1)) == lock_of_town(history)
    history.revoke()
    replica.advance(history.checkpoint())
    with engine.connect() as connection:
        assert not replica.is_live(connection, 1)
