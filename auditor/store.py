"""What an auditor keeps: trees it has verified; as a cosigner also its replay and the revocations it was handed.

A kept revocation outlives a crash before the resident is told so; a replay is stored only for a tree that passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from auditor.integrity import Seen
from protocol.replay import GrantRow, Replay
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.home import Home

DATABASE = "auditor.db"
_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_seen = Table(
    "seen",
    _metadata,
    Column("size", _number, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
)
_grants = Table(
    "grants",
    _metadata,
    Column("slot", _number, primary_key=True, autoincrement=False),
    Column("lock", LargeBinary, nullable=False),
    Column("grant_index", _number, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
_replay = Table(
    "replay",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("frontier", LargeBinary, nullable=False),
    Column("ends_in_head", Boolean, nullable=False),
)
_kept = Table(
    "kept_revocations",
    _metadata,
    Column("lock", LargeBinary, primary_key=True),
    Column("r", LargeBinary, nullable=False),
)


@dataclass(frozen=True)
class Kept:
    """A revocation that was handed over and is not yet in the log."""

    lock: bytes
    r: bytes


class Store:
    """The auditor's database in its home. Raises `Unavailable`: `database`."""

    def __init__(self, home: Home) -> None:
        self.engine = engine_for(sqlite_url(home.file(DATABASE)))
        _metadata.create_all(self.engine)

    def seen(self) -> list[Seen]:
        """All trees verified before, smallest first."""
        with snapshot(self.engine) as connection:
            rows = connection.execute(select(_seen.c.size, _seen.c.root).order_by(_seen.c.size))
            return [Seen(row.size, row.root) for row in rows]

    def remember(self, seen: Seen, note: str) -> None:
        """Keep a verified tree; the first root of a size stays."""
        row = {"size": seen.size, "root": seen.root, "note": note}
        with immediate(self.engine) as connection:
            connection.execute(upsert(_seen).on_conflict_do_nothing(), row)

    def load_replay(self) -> Replay:
        """The replay of the last tree that passed, or a new one. Raises `ValueError` if it was tampered with."""
        with snapshot(self.engine) as connection:
            state = connection.execute(select(_replay.c.frontier, _replay.c.ends_in_head)).one_or_none()
            if state is None:
                return Replay()
            rows = connection.execute(select(_grants).order_by(_grants.c.slot))
            grants = [GrantRow(row.lock, row.grant_index, row.revoked) for row in rows]
            return Replay.restore(state.frontier, grants, ends_in_head=state.ends_in_head)

    def save_replay(self, replay: Replay, changed: Sequence[tuple[int, GrantRow]]) -> None:
        """Store a replay that passed, with the `changed` grants by slot; drop kept revocations it holds."""
        rows = [
            {"slot": slot, "lock": row.lock, "grant_index": row.grant_index, "revoked": row.revoked}
            for slot, row in changed
        ]
        state = {"id": 1, "frontier": replay.frontier_bytes(), "ends_in_head": replay.ends_in_head}
        revoked = [{"of": row.lock} for _, row in changed if row.revoked]
        with immediate(self.engine) as connection:
            if rows:
                put = upsert(_grants)
                connection.execute(
                    put.on_conflict_do_update(index_elements=["slot"], set_={"revoked": put.excluded.revoked}),
                    rows,
                )
            put = upsert(_replay)
            update = {"frontier": put.excluded.frontier, "ends_in_head": put.excluded.ends_in_head}
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=update), state)
            if revoked:
                # One by one: a cosigner that joins late takes in more than one statement has room for.
                connection.execute(delete(_kept).where(_kept.c.lock == bindparam("of")), revoked)

    def keep_revocation(self, kept: Kept) -> None:
        """Durable when this returns; a second time changes nothing."""
        with immediate(self.engine) as connection:
            connection.execute(upsert(_kept).on_conflict_do_nothing(), {"lock": kept.lock, "r": kept.r})

    def kept_revocations(self, limit: int) -> list[Kept]:
        """What the log has not taken in yet."""
        with snapshot(self.engine) as connection:
            return [Kept(row.lock, row.r) for row in connection.execute(select(_kept).limit(limit))]

    def is_anything_kept(self, connection: Connection) -> bool:
        """The same question in the caller's transaction."""
        return connection.execute(select(_kept.c.lock).limit(1)).first() is not None
