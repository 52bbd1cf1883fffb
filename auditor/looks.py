"""Every look into an agreement, written down before anything is opened: who, when, which and why.

In a file of its own (`looks.db`), to which rows are only added: triggers refuse a change, and each row carries a
hash over itself and the row before it, so that what was changed around the triggers shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    func,
    select,
)

from protocol.canonical import canonical_bytes, sha256
from protocol.errors import Rejected
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.home import Home
from service.migrations import prepare
from service.schema import schema_of

DATABASE = "looks.db"
MAX_NOTE_CHARS = 300
MAX_WHO_CHARS = 128
Why: TypeAlias = Literal["finding", "complaint", "sample", "request", "other"]
REASONS: tuple[Why, ...] = get_args(Why)
"""A finding of ours; a complaint; a sample; a court or supervisor asked; another one, told in the note."""
_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_looks = Table(
    "case_looks",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("time", _number, nullable=False),
    Column("who", Text, nullable=False),
    Column("slot", _number, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("chain", LargeBinary, nullable=False),
)
SCHEMA = schema_of(__file__, "looks", ("case_looks",))


@dataclass(frozen=True)
class CaseLook:
    """One look. `time` in POSIX seconds; `slot`: the agreement; `note`: own words and the file number."""

    id: int
    time: int
    who: str
    slot: int
    reason: Why
    note: str


def check_look(reason: str, note: str) -> tuple[Why, str]:
    """Reason and note as they are kept. Raises `Rejected`: `no_reason`, `no_note`, `note_too_long`."""
    text, known = " ".join(note.split()), dict(zip(REASONS, REASONS, strict=True)).get(reason)  # type: ignore[call-overload]
    if known is None:
        raise Rejected("no_reason", "say why this agreement is opened")
    if len(text) > MAX_NOTE_CHARS or not text.isprintable():
        raise Rejected("note_too_long", f"a note has at most {MAX_NOTE_CHARS} printable characters")
    if not text:
        raise Rejected("no_note", "a reason comes with a file number or a few words")
    return known, text


class Looks:
    """The home's register of looks. Raises `Unavailable`: `database`."""

    def __init__(self, home: Home) -> None:
        self._engine: Engine = engine_for(sqlite_url(home.file(DATABASE)))
        prepare(self._engine, SCHEMA)

    def add(self, now: int, who: str, slot: int, reason: Why, note: str) -> CaseLook:
        """Written durably when this returns; the number of the row is one more than that of the last."""
        with immediate(self._engine) as connection:
            last = connection.execute(select(_looks).order_by(_looks.c.id.desc()).limit(1)).one_or_none()
            look = CaseLook(1 if last is None else last.id + 1, now, who[:MAX_WHO_CHARS], slot, reason, note)
            before = b"" if last is None else bytes(last.chain)
            connection.execute(_looks.insert(), {**vars(look), "chain": _link(before, look)})
        return look

    def count(self) -> int:
        """All of them."""
        with snapshot(self._engine) as connection:
            return connection.execute(select(func.count()).select_from(_looks)).scalar_one()

    def page(self, start: int, limit: int) -> Sequence[CaseLook]:
        """The newest first, from the `start`-th."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_looks).order_by(_looks.c.id.desc()).offset(start).limit(limit))
            return [_look(row) for row in rows]

    def of(self, slot: int, limit: int) -> Sequence[CaseLook]:
        """Those into one agreement, the newest first."""
        with snapshot(self._engine) as connection:
            wanted = select(_looks).where(_looks.c.slot == slot).order_by(_looks.c.id.desc()).limit(limit)
            return [_look(row) for row in connection.execute(wanted)]

    def first_broken(self) -> int | None:
        """The number of the first row that is not what was written, or is missing; None when all are whole."""
        before, due = b"", 1
        with snapshot(self._engine) as connection:
            for row in connection.execute(select(_looks).order_by(_looks.c.id)):
                if row.id != due or bytes(row.chain) != _link(before, _look(row)):
                    return due
                before, due = bytes(row.chain), due + 1
        return None


def _look(row: Row[Any]) -> CaseLook:
    return CaseLook(row.id, row.time, row.who, row.slot, row.reason, row.note)


def _link(before: bytes, look: CaseLook) -> bytes:
    return sha256(b"regie/looks/v1", before, canonical_bytes(vars(look)))
