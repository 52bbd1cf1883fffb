"""What one worker makes of the leaves of another: the same tree and status, whatever failed on the way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from consentlog import follow, queries
from consentlog.follow import FarBehind, Memory, deltas_of
from consentlog.lock import Locked
from consentlog.publish import Committed, Delta, Published
from consentlog.rows import GrantRow, Rows
from consentlog.sequence import Group
from consentlog.store import load_tail, save_changes
from consentlog.tables import create_tables
from consentlog.tree import CorruptTree, Draft, Tree
from protocol.canonical import sha256
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Unavailable
from protocol.leaf import Grant, Head, Read, Revocation, lock_of, parse_leaf
from protocol.merkle import EMPTY_ROOT
from protocol.status_tree import StatusTree
from service.database import engine_for, immediate, snapshot, sqlite_url
from tests import oracle_tree
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.consentlog.test_restart import change, refusal
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.waiting import wait_until

EMPTY = Locked(0, EMPTY_ROOT, NOW, "")


class Worker:
    """A memory with what a writer does around it: groups of grants, reads and stops."""

    def __init__(self, path: Path) -> None:
        self.engine = engine_for(sqlite_url(path))
        create_tables(self.engine)
        self.tree = Tree(lambda level, n: queries.load_tile(self.engine, level, n))
        self.published = Published(StatusTree())
        self.memory = Memory(self.engine, self.tree, self.published, lambda: None)
        self.memory.restore(EMPTY)

    def append(self, kind: str, count: int, fate: str = "acknowledged") -> None:
        """One group. `failed`: nothing was committed; `unheard`: it was, and nobody was told."""
        with self.memory.alone:
            try:
                with immediate(self.engine) as connection:
                    self._append(connection, kind, count)
                    if fate == "failed":
                        connection.execute(text("INSERT INTO nowhere VALUES (1)"))
            except Unavailable:
                return
            if fate == "acknowledged":
                self.memory.settle()

    def _append(self, connection: Any, kind: str, count: int) -> None:
        tree, status = self.memory.begin(connection)
        draft, slots = Draft(tree), status.slots
        group = Group(Rows(), draft, slots, now=NOW, random=builders.random_of("x"), wrap=lambda *_: (1, b""))
        changes = group.changes
        for _ in range(count):
            if kind == "grant":
                row = grant_row(group._slots, draft.size + len(changes.leaves))
                changes.grants[row.slot] = row
                changes.leaves.append(Grant(row.slot, row.lock, bytes(32)).to_bytes())
                group._slots += 1
            elif kind == "read":
                changes.leaves.append(Read(sha256(bytes([draft.size % 256]))[:16], bytes(32)).to_bytes())
            else:
                ended = changes.revoked.keys()
                live = [slot for slot in range(slots) if not status.is_revoked(slot) and slot not in ended]
                if live:
                    row = grant_row(live[0], 0)
                    changes.revoked[live[0]] = replace(row, revoked_index=draft.size, revoked_at=NOW)
                    changes.leaves.append(Revocation(row.index, row.slot, secret(row.slot)).to_bytes())
        revoked = tuple(changes.revoked)
        group.close(status)
        if changes.leaves:
            save_changes(connection, changes)
            self.memory.extend(connection, draft, revoked, changes.leaves[-1])

    def catch_up(self) -> None:
        with self.memory.alone:
            with immediate(self.engine) as connection:
                self.memory.begin(connection)
            self.memory.settle()


def secret(slot: int) -> bytes:
    return sha256(b"r", slot.to_bytes(5, "big"))


def grant_row(slot: int, index: int) -> GrantRow:
    lock = lock_of(secret(slot))
    return GrantRow(slot, index, lock, sha256(lock), bytes(32), None, 1, NOW, NOW + 9, represented=False)


STEPS = st.tuples(
    st.integers(0, 1),
    st.sampled_from(["grant", "read", "stop"]),
    st.integers(0, 70),
    st.sampled_from(["acknowledged", "acknowledged", "failed", "unheard"]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=14))
def test_two_workers_end_with_the_tree_of_the_store(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int, str]]
) -> None:
    path = tmp_path_factory.mktemp("shared") / "log.db"
    workers = Worker(path), Worker(path)
    for which, kind, count, fate in steps:
        workers[which].append(kind, count, fate)
    for worker in workers:
        worker.catch_up()
    size = queries.committed_size(workers[0].engine)
    leaves = queries.leaves_between(workers[0].engine, 0, size)
    root = oracle_tree.NaiveTree(leaves).root(size)
    for worker in (*workers, Worker(path)):
        assert worker.tree.size == size
        assert worker.tree.root(size) == root
        if size:
            assert worker.memory.committed == Committed(size, root, leaves[-1])
            status = worker.memory._status
            assert parse_leaf(leaves[-1]) == Head(size - 1, status.slots, status.root())
    for worker in workers:  # and what is published later is right too
        if size:
            checkpoint = VerifiedCheckpoint(LOG_ORIGIN, size, root, "note")
            worker.published.publish(checkpoint, leaves[-1], NOW)
            assert worker.published.view(0).chunk == worker.memory._status.chunk(0)
        worker.engine.dispose()


def head(covers: int, slots: int = 0) -> bytes:
    return Head(covers, slots, bytes(32)).to_bytes()


def test_leaves_are_cut_after_each_head() -> None:
    leaves = [
        Grant(0, bytes(32), bytes(32)).to_bytes(),
        head(6, 1),
        Revocation(5, 0, bytes(32)).to_bytes(),
        head(8, 1),
        head(9, 1),
    ]
    assert deltas_of(5, leaves) == (Delta(7, 1, ()), Delta(9, 1, (0,)), Delta(10, 1, ()))


@pytest.mark.parametrize("leaves", [[], [head(5), Read(bytes(16), bytes(32)).to_bytes()]])
def test_leaves_that_end_in_no_head_are_no_groups(leaves: list[bytes]) -> None:
    with pytest.raises(CorruptTree):
        deltas_of(5, leaves)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Worker, Worker]:
    """The first one has appended what the second one has not seen."""
    first, second = (Worker(tmp_path / "log.db") for _ in range(2))
    first.append("grant", 3)
    first.append("stop", 1)
    return first, second


def checkpoint_of(worker: Worker, root: bytes | None = None) -> VerifiedCheckpoint:
    size = worker.tree.size
    return VerifiedCheckpoint(LOG_ORIGIN, size, root or worker.tree.root(size), "note")


def test_worker_reaches_what_another_has_published(pair: tuple[Worker, Worker]) -> None:
    first, second = pair
    second.memory.reach(checkpoint_of(first))
    second.memory.reach(checkpoint_of(first))  # again changes nothing
    assert second.tree.root(first.tree.size) == first.tree.root(first.tree.size)
    second.append("grant", 1)
    first.catch_up()
    assert first.memory.committed == second.memory.committed


def test_status_of_later_leaves_is_not_shown_under_an_older_checkpoint(
    pair: tuple[Worker, Worker], tmp_path: Path
) -> None:
    first, second = pair
    older = checkpoint_of(first)
    first.append("stop", 1)
    newer = checkpoint_of(first)
    started = Worker(tmp_path / "log.db")  # finds the stop, which no checkpoint covers yet
    second.memory.reach(newer)
    second.published.publish(newer, b"head", NOW)
    for worker in (started, second):  # the other one is shown an old row by a server that was replaced
        size = worker.published.size
        with pytest.raises(Unavailable, match="no_quorum"):
            worker.published.publish(older, b"head", NOW)
        assert worker.published.size == size
    started.published.publish(newer, b"head", NOW)
    assert started.published.view(0) == second.published.view(0)


def test_leaves_that_do_not_make_the_published_root_are_not_taken(pair: tuple[Worker, Worker]) -> None:
    first, second = pair
    with pytest.raises(Unavailable):
        second.memory.reach(checkpoint_of(first, root=bytes(32)))
    assert second.tree.size == 0
    with pytest.raises(CorruptTree):  # what it has taken itself is another history
        first.memory.reach(checkpoint_of(first, root=bytes(32)))


def test_worker_that_is_far_behind_comes_nearer_by_whole_groups(
    pair: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    for _ in range(5):
        first.append("read", 7)
    first.append("stop", 1)
    monkeypatch.setattr(follow, "MAX_FOLLOWED", 10)
    with pytest.raises(FarBehind):
        second.catch_up()
    sizes = []
    while first.tree.size - second.tree.size > 10:
        second.memory.come_nearer()
        sizes.append(second.tree.size)
    assert sizes == [6, 14, 22, 30, 38]
    second.append("grant", 1)
    first.catch_up()
    assert first.memory.committed == second.memory.committed
    assert first.memory._status.to_bytes() == second.memory._status.to_bytes()


def test_attack_group_is_appended_to_another_tree_than_it_was_hashed_on(pair: tuple[Worker, Worker]) -> None:
    """The store's end moves between a group's first read and its last write: as on a server that was replaced."""
    first, _ = pair

    def append() -> None:
        with immediate(first.engine) as connection:
            tree, _ = first.memory.begin(connection)
            draft = Draft(tree)
            draft.append(sha256(b"leaf"))
            connection.execute(text("UPDATE tail SET root = zeroblob(32)"))
            first.memory.extend(connection, draft, (), b"")

    with pytest.raises(CorruptTree):
        append()
    assert queries.committed_size(first.engine) == first.tree.size


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tail SET root = zeroblob(32)",
        "UPDATE tail SET size = size - 1",
        "UPDATE tail SET size = size + 1",
        "DELETE FROM tail",
    ],
)
def test_store_that_ends_elsewhere_is_not_gone_on_with(pair: tuple[Worker, Worker], statement: str) -> None:
    first, _ = pair
    with immediate(first.engine) as connection:
        connection.execute(text(statement))
    size = first.tree.size
    with pytest.raises(CorruptTree):
        first.append("grant", 1)
    assert first.tree.size == size


def test_log_stops_when_its_store_is_changed_under_it(town: SmallTown) -> None:
    change(town, "UPDATE tail SET root = zeroblob(32)")
    assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2]))[0] == 503
    wait_until(lambda: not town.node.publisher.is_alive())
    assert code_of(town.send("GET", "/healthz")) == (503, "stopped")


def test_tail_that_does_not_fit_is_refused_at_the_start(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
    change(town, "UPDATE tail SET root = zeroblob(32)")
    assert refusal(town) == "corrupt_store"


def test_store_of_before_there_were_tails_gets_one(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
    change(town, "DELETE FROM tail")
    with town.running():
        town.grant()
        with snapshot(town.node.engine) as connection:
            found = load_tail(connection)
        assert found is not None
        assert found.size == town.node.tree.size


def test_status_that_is_not_that_of_the_leaves_is_found(pair: tuple[Worker, Worker]) -> None:
    _, second = pair
    for _ in range(3):
        second.memory._status.append_slot()
    second.memory._status.revoke(2)
    with pytest.raises(CorruptTree):
        second.catch_up()
    assert second.tree.size == 0
