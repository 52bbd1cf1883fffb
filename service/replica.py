"""A log followed by its leaves, durably: what an auditing cosigner, a holder of shares or an agency knows of it.

    replica = Replica(engine, LogFiles(url, fetcher).leaves)
    replica.advance(checkpoint)              # replays, checks against the signed root, stores; or raises
    replica.lock(lock), replica.is_known(earlier_checkpoint)

One log in one database; every role may have a replica beside tables of its own (all names begin with `replica_`).
What it tells is a tree that passed and is stored. All grants are held in memory, about 170 bytes each (10^7 grants
take 1.7 GB), and a row of about 50 bytes each on disk: who knows every lock has to have every lock.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Unavailable
from protocol.leaf import LeafType
from protocol.replay import GrantRow, LockState, Replay
from service.database import immediate, snapshot
from service.migrations import prepare
from service.schema import schema_of

_HEAD = bytes([LeafType.HEAD])
KEPT_ROOTS = 4096
"""Heads whose roots stay known: an hour of a log that publishes every second. A checkpoint that is older than
that, or that ends in no head, is not recognised."""
LeafSource = Callable[[int, int], Iterator[bytes]]
"""`source(start, size)`: the log's leaves from `start` of a tree of `size`; unverified."""

_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_grants = Table(
    "replica_grants",
    _metadata,
    Column("slot", _number, primary_key=True, autoincrement=False),
    Column("lock", LargeBinary, nullable=False),
    Column("grant_index", _number, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
_state = Table(
    "replica_state",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", _number, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("ends_in_head", Boolean, nullable=False),
)
_roots = Table(
    "replica_roots",
    _metadata,
    Column("size", _number, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
)
SCHEMA = schema_of(__file__, "replica", ("replica_grants", "replica_roots", "replica_state"))


@dataclass(frozen=True)
class Advance:
    """One step that passed: `leaves` from index `start` on, up to `checkpoint`; the grants they change by slot."""

    start: int
    leaves: Sequence[bytes]
    checkpoint: VerifiedCheckpoint
    changed: Mapping[int, GrantRow]


InSave = Callable[[Connection, Advance], None]
"""Called in the transaction that stores a step, for what a role has to store with it. What it raises undoes it."""


class Replica:
    """Thread-safe. Of several processes on one database the slower one gets `busy` and reads anew."""

    def __init__(self, engine: Engine, leaves: LeafSource, *, in_save: InSave | None = None) -> None:
        self.engine = engine
        self._leaves = leaves
        self._in_save = in_save
        prepare(engine, SCHEMA)
        self._replay, self._roots = self._load()
        self._is_ahead = False
        self._lock = threading.Lock()
        self._fetching = threading.Lock()

    @property
    def size(self) -> int:
        """Leaves of the tree that passed last."""
        with self._lock:
            return self._known().size

    @property
    def slots(self) -> int:
        """Its grants."""
        with self._lock:
            return self._known().slots

    def lock(self, lock: bytes) -> LockState | None:
        """What the leaves say of a lock; None for one that never stood in the log."""
        with self._lock:
            return self._known().locks.get(lock)

    def is_live(self, connection: Connection, slot: int) -> bool:
        """Whether the grant at `slot` is stored and unrevoked, in the caller's transaction on this database."""
        revoked = connection.execute(select(_grants.c.revoked).where(_grants.c.slot == slot)).scalar_one_or_none()
        return revoked is not None and not revoked

    def root_at(self, size: int) -> bytes | None:
        """Root of the tree of `size` leaves, if it ended in one of the last `KEPT_ROOTS` heads."""
        with self._lock:
            self._known()
            return self._roots.get(size)

    def is_known(self, checkpoint: VerifiedCheckpoint) -> bool:
        """Whether `checkpoint` is of this very history, as far as `root_at` tells."""
        return self.root_at(checkpoint.size) == checkpoint.root

    def advance(self, checkpoint: VerifiedCheckpoint) -> Advance:
        """Replay up to `checkpoint` and store the step; of the same tree again, an empty step.

        Raises `Rejected`: the broken rule (`protocol.replay`), `checkpoint_size` also for a smaller tree than is
        known, and nothing changes; `Unavailable`: `busy` when another caller was faster; errors of fetching.
        """
        start = self.size
        if checkpoint.size <= start:
            return self._step([], start, checkpoint)
        if not self._fetching.acquire(blocking=False):
            raise Unavailable("busy", "another checkpoint is being replayed")
        try:
            # One at a time and before the lock is taken: a log that answers slowly must neither take all threads
            # nor hold up those who ask what is known.
            return self._step(list(self._leaves(start, checkpoint.size)), start, checkpoint)
        finally:
            self._fetching.release()

    def _known(self) -> Replay:
        """The replay of the last tree that passed and is stored. With the lock held."""
        if self._is_ahead:
            self._replay, self._roots = self._load()
            self._is_ahead = False
        return self._replay

    def _step(self, leaves: Sequence[bytes], start: int, checkpoint: VerifiedCheckpoint) -> Advance:
        with self._lock:
            replay = self._known()
            if replay.size != start:
                raise Unavailable("busy", "another checkpoint was faster")
            self._is_ahead = bool(leaves)  # until they are stored, whatever is raised here
            changed, roots = _apply(replay, leaves)
            replay.check_checkpoint(checkpoint)
            step = Advance(start, leaves, checkpoint, changed)
            if leaves:
                self._save(step, roots)
                self._roots = dict([*self._roots.items(), *roots][-KEPT_ROOTS:])
                self._is_ahead = False
            return step

    def _load(self) -> tuple[Replay, dict[int, bytes]]:
        """Raises `ValueError` if the store was tampered with."""
        with snapshot(self.engine) as connection:
            state = connection.execute(select(_state)).one_or_none()
            if state is None:
                return Replay(), {}
            rows = connection.execute(select(_grants).order_by(_grants.c.slot))
            grants = (GrantRow(bytes(row.lock), row.grant_index, row.revoked) for row in rows)
            replay = Replay.restore(bytes(state.frontier), grants, ends_in_head=state.ends_in_head)
            roots = connection.execute(select(_roots).order_by(_roots.c.size))
            return replay, {row.size: bytes(row.root) for row in roots}

    def _save(self, step: Advance, roots: Sequence[tuple[int, bytes]]) -> None:
        with immediate(self.engine) as connection:
            self._move(connection, step.start)
            _put_grants(connection, step.changed)
            if roots:
                connection.execute(_roots.insert(), [{"size": size, "root": root} for size, root in roots])
                kept = select(_roots.c.size).order_by(_roots.c.size.desc()).offset(KEPT_ROOTS - 1).limit(1)
                connection.execute(delete(_roots).where(_roots.c.size < kept.scalar_subquery()))
            if self._in_save is not None:
                self._in_save(connection, step)

    def _move(self, connection: Connection, start: int) -> None:
        """The stored state moves on if it still is the one that this step began from.

        The comparison stands in the statement that writes: without it a slower process would put an older
        frontier beside newer grants, and the next start would find neither tree.
        """
        replay = self._replay
        values = {"frontier": replay.frontier_bytes(), "ends_in_head": replay.ends_in_head, "size": replay.size}
        if start == 0:
            first = _upsert(connection, _state).values(id=1, **values).on_conflict_do_nothing()
            moved = connection.execute(first).rowcount
        else:
            swap = update(_state).where(_state.c.id == 1, _state.c.size == start)
            moved = connection.execute(swap.values(**values)).rowcount
        if moved != 1:
            raise Unavailable("busy", "another process was faster")


def _upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _put_grants(connection: Connection, changed: Mapping[int, GrantRow]) -> None:
    if not changed:
        return
    put = _upsert(connection, _grants)
    rows = [
        {"slot": slot, "lock": row.lock, "grant_index": row.grant_index, "revoked": row.revoked}
        for slot, row in sorted(changed.items())
    ]
    statement = put.on_conflict_do_update(index_elements=["slot"], set_={"revoked": put.excluded.revoked})
    connection.execute(statement, rows)


def _apply(replay: Replay, leaves: Sequence[bytes]) -> tuple[dict[int, GrantRow], Sequence[tuple[int, bytes]]]:
    """Replay `leaves`; the grants that they change, by slot, and the roots at their last heads."""
    changed: dict[int, GrantRow] = {}
    roots: list[tuple[int, bytes]] = []
    start = 0
    for end in _ends_of_heads(leaves):
        changed |= replay.apply_all(leaves[start:end])
        roots.append((replay.size, replay.root()))
        start = end
    changed |= replay.apply_all(leaves[start:])
    return changed, roots


def _ends_of_heads(leaves: Sequence[bytes]) -> list[int]:
    """Where the last `KEPT_ROOTS` heads end, in order."""
    ends: list[int] = []
    for index in range(len(leaves) - 1, -1, -1):
        if leaves[index][:1] == bytes([LeafType.HEAD]):
            ends.append(index + 1)
            if len(ends) == KEPT_ROOTS:
                break
    return ends[::-1]
