"""What an auditor keeps: trees it has verified; as a cosigner also the revocations it was handed.

A kept revocation outlives a crash before the resident is told so. Beside these tables a cosigner has a replica.
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
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
from service.ballast import Ballast
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.home import Home
from service.migrations import prepare
from service.replica import Advance
from service.schema import schema_of

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
_kept = Table(
    "kept_revocations",
    _metadata,
    Column("lock", LargeBinary, primary_key=True),
    Column("r", LargeBinary, nullable=False),
)
SCHEMA = schema_of(__file__, "auditor", ("grants", "kept_revocations", "replay", "seen"))


@dataclass(frozen=True)
class Kept:
    """A revocation that was handed over and is not yet in the log."""

    lock: bytes
    r: bytes


class Store:
    """The auditor's database in its home. Raises `Unavailable`: `database`."""

    def __init__(self, home: Home) -> None:
        self.engine = engine_for(sqlite_url(home.file(DATABASE)))
        self.ballast = Ballast(home)
        prepare(self.engine, SCHEMA)

    def seen(self) -> list[Seen]:
        """All trees verified before, smallest first."""
        with snapshot(self.engine) as connection:
            rows = connection.execute(select(_seen.c.size, _seen.c.root).order_by(_seen.c.size))
            return [Seen(row.size, row.root) for row in rows]

    def seen_notes(self) -> list[str]:
        """The notes of those trees, smallest first."""
        with snapshot(self.engine) as connection:
            return [row.note for row in connection.execute(select(_seen.c.note).order_by(_seen.c.size))]

    def remember(self, seen: Seen, note: str) -> None:
        """Keep a verified tree; the first root of a size stays."""
        row = {"size": seen.size, "root": seen.root, "note": note}
        with immediate(self.engine) as connection:
            connection.execute(upsert(_seen).on_conflict_do_nothing(), row)

    def drop_taken(self, connection: Connection, step: Advance) -> None:
        """Forget kept revocations that the log has taken in, with the step that shows them."""
        revoked = [{"of": row.lock} for row in step.changed.values() if row.revoked]
        if revoked:
            # One by one: a cosigner that joins late takes in more than one statement has room for.
            connection.execute(delete(_kept).where(_kept.c.lock == bindparam("of")), revoked)

    def keep_revocation(self, connection: Connection, kept: Kept) -> None:
        """In the caller's writing transaction; a second time changes nothing."""
        connection.execute(upsert(_kept).on_conflict_do_nothing(), {"lock": kept.lock, "r": kept.r})

    def kept_revocations(self, limit: int) -> list[Kept]:
        """What the log has not taken in yet."""
        with snapshot(self.engine) as connection:
            return [Kept(row.lock, row.r) for row in connection.execute(select(_kept).limit(limit))]

    def is_kept(self, connection: Connection, lock: bytes) -> bool:
        """Whether a revocation of this lock waits for the log, in the caller's transaction."""
        return connection.execute(select(_kept.c.lock).where(_kept.c.lock == lock)).first() is not None

    def is_anything_kept(self, connection: Connection) -> bool:
        """The same question in the caller's transaction."""
        return connection.execute(select(_kept.c.lock).limit(1)).first() is not None
