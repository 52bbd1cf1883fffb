"""The global lock: which tree was signed last, in a store of its own, moved by compare-and-swap before signing.

It outlives a restored backup of the log and a second copy of the log started by mistake: whoever holds an older or
another tree cannot move it, and signs nothing. Keep it on another disk than the log, and never in the same backup.
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from protocol.errors import Rejected, Unavailable
from protocol.merkle import EMPTY_ROOT
from service.database import immediate, snapshot
from service.migrations import prepare
from service.schema import schema_of

LOCK_MOVED = "lock_moved"
"""Code of the one refusal after which a process never signs again."""
_metadata = MetaData()
_lock = Table(
    "global_lock",
    _metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("time", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("note", Text, nullable=False),
)
SCHEMA = schema_of(__file__, "lock", ("global_lock",))


@dataclass(frozen=True)
class Locked:
    """The tree that was or is about to be signed, and when; `note`: a checkpoint published before, or empty."""

    size: int
    root: bytes
    time: int
    note: str


class GlobalLock:
    """The one row of this origin."""

    def __init__(self, engine: Engine, origin: str) -> None:
        self._engine = engine
        self._origin = origin

    def create(self, now: int) -> None:
        """For a new log only: the lock of an empty tree. A log whose lock is lost must not sign."""
        prepare(self._engine, SCHEMA)
        with immediate(self._engine) as connection:
            values = {"origin": self._origin, "size": 0, "root": EMPTY_ROOT, "time": now, "note": ""}
            connection.execute(insert(_lock), values)

    def prepare(self) -> None:
        """Bring the lock's table to the newest revision; never make it. Raises `Rejected`: `lock_missing`."""
        with snapshot(self._engine) as connection:
            if not self._engine.dialect.has_table(connection, "global_lock"):
                raise Rejected("lock_missing", "the global lock is gone: this log must not sign again")
        prepare(self._engine, SCHEMA)

    def read(self) -> Locked:
        """Raises `Rejected`: `lock_missing`."""
        self.prepare()
        with snapshot(self._engine) as connection:
            row = connection.execute(select(_lock).where(_lock.c.origin == self._origin)).first()
        if row is None:
            raise Rejected("lock_missing", "the global lock is of another log")
        return Locked(row.size, bytes(row.root), row.time, row.note)

    def advance(self, old: Locked, size: int, root: bytes, time: int, note: str) -> Locked:
        """From `old` to a larger tree, durably; only then may that tree be signed.

        `note`: the checkpoint published last, for who asks for one after a restart.

        Raises `Unavailable`: `lock_moved` when somebody else has moved it: this process must never sign again.
        """
        if size < old.size:
            raise ValueError("the lock never goes back")
        with immediate(self._engine) as connection:
            # The compare-and-swap. Without `size` and `root` in the condition two processes that each extended
            # the same tree would both sign, and the log would have two histories.
            moved = connection.execute(
                update(_lock)
                .where(_lock.c.origin == self._origin, _lock.c.size == old.size, _lock.c.root == old.root)
                .values(size=size, root=root, time=time, note=note)
            )
            if moved.rowcount != 1:
                raise Unavailable(LOCK_MOVED, "another process has signed a tree of this log")
        return Locked(size, root, time, note)
