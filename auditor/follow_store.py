"""What a follower keeps, in a file of its own (`follow.db`): the log's leaves, its replica, a book, notes, alarms.

The leaves cost about 55 bytes each (10^7 take 550 MB). They are what a fraud proof is made from when the log lies:
who had to ask the liar for them then would get others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import overload

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from auditor.book import Book, grant_row
from auditor.findings import Finding
from auditor.tally import Tally
from auditor.tally_store import SCHEMA as TALLY_SCHEMA
from auditor.tally_store import clear_tally, load_tally, save_tally
from protocol.leaf import MAX_SLOTS
from protocol.tiles import TILE_WIDTH, encode_entries, parse_entries, tile_width
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.home import Home
from service.migrations import prepare
from service.replica import Advance
from service.schema import schema_of

DATABASE = "follow.db"
LAST = "published"
"""Name of the note of the last tree that passed; notes of witnesses are kept under their own names."""
_CACHED_BUNDLES = 64
_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_bundles = Table(
    "follow_bundles",
    _metadata,
    Column("n", _number, primary_key=True, autoincrement=False),
    Column("entries", LargeBinary, nullable=False),
)
_book = Table(
    "follow_book",
    _metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
_notes = Table(
    "follow_notes",
    _metadata,
    Column("name", Text, primary_key=True),
    Column("note", Text, nullable=False),
    Column("since", _number, nullable=False),
)
_alarms = Table(
    "follow_alarms",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("time", _number, nullable=False),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("leaf", _number),
    Column("text", Text, nullable=False),
    Column("proof", LargeBinary),
)
SCHEMA = schema_of(__file__, "follow", ("follow_alarms", "follow_book", "follow_bundles", "follow_notes"))


@dataclass(frozen=True)
class Entries:
    """`grants` and `stops` in the log; `erased`: grants whose opening is gone; `unopened`: events without one."""

    grants: int
    stops: int
    erased: int
    unopened: int


class FollowStore:
    """The follower's database. Raises `Unavailable`: `database`."""

    def __init__(self, home: Home) -> None:
        self.engine = engine_for(sqlite_url(home.file(DATABASE)))
        prepare(self.engine, SCHEMA)
        prepare(self.engine, TALLY_SCHEMA)

    def keep_step(self, connection: Connection, step: Advance) -> None:
        """With the step of the replica: its note, and bundles of 256, the last of which is partial and grows."""
        put = upsert(_notes).values(name=LAST, note=step.checkpoint.note, since=0)
        connection.execute(put.on_conflict_do_update(index_elements=["name"], set_={"note": put.excluded.note}))
        first, width = divmod(step.start, TILE_WIDTH)
        leaves = list(step.leaves)
        if width:
            begun = connection.execute(select(_bundles.c.entries).where(_bundles.c.n == first)).scalar_one()
            leaves = parse_entries(bytes(begun), width) + leaves
        rows = [
            {"n": first + place // TILE_WIDTH, "entries": encode_entries(leaves[place : place + TILE_WIDTH])}
            for place in range(0, len(leaves), TILE_WIDTH)
        ]
        put = upsert(_bundles)
        connection.execute(
            put.on_conflict_do_update(index_elements=["n"], set_={"entries": put.excluded.entries}), rows
        )

    def book(self) -> tuple[Book, Tally]:
        """Where the audit of openings stands, and what it has counted.

        Both stand at the same leaf, or it begins again: a book of before there was a tally.
        """
        with snapshot(self.engine) as connection:
            rows = connection.execute(select(_book))
            book, tally = Book((bytes(row.key), bytes(row.value)) for row in rows), load_tally(connection)
        if book.opened_to == tally.counted_to:
            return book, tally
        with immediate(self.engine) as connection:
            connection.execute(delete(_book))
            clear_tally(connection)
        return Book(), Tally()

    def entries(self) -> Entries:
        """Counted in the book."""
        grants = select(func.count()).where(_book.c.key.between(b"g", b"h"))
        stops = grants.where(func.substr(_book.c.value, 9) != b"\xff" * 8)
        unopened = select(func.count()).where(_book.c.key.between(b"u", b"v"))
        with snapshot(self.engine) as connection:
            counts = [connection.execute(wanted).scalar_one() for wanted in (grants, stops, unopened)]
            totals = connection.execute(select(_book.c.value).where(_book.c.key == b"t")).scalar()
        erased = 0 if totals is None else int.from_bytes(bytes(totals)[8:], "big")
        return Entries(counts[0], counts[1], erased, counts[2])

    def agreements(self, start: int, limit: int) -> list[tuple[int, int, int | None]]:
        """(slot, entry of the grant, entry of its end if there is one) from the `start`-th newest on."""
        rows = select(_book).where(_book.c.key.between(b"g", b"h")).order_by(_book.c.key.desc())
        with snapshot(self.engine) as connection:
            found = connection.execute(rows.offset(start).limit(limit))
            book = Book((bytes(row.key), bytes(row.value)) for row in found)
        return [(slot, book.grants[slot], book.ended.get(slot)) for slot in sorted(book.grants, reverse=True)]

    def has_agreement(self, slot: int) -> bool:
        """Whether the book has a grant of this slot."""
        return 0 <= slot < MAX_SLOTS and slot in self.book_of([grant_row(slot)]).grants

    def book_of(self, keys: Sequence[bytes]) -> Book:
        """The rows of these keys only (`book.grant_row`, `book.numbers_row`): to look at, not to go on from."""
        with snapshot(self.engine) as connection:
            rows = connection.execute(select(_book).where(_book.c.key.in_(keys)))
            return Book((bytes(row.key), bytes(row.value)) for row in rows)

    def save_book(
        self, book: Book, tally: Tally, alarms: Sequence[tuple[int, Finding, bytes | None]] = ()
    ) -> None:
        """What has changed in the book and in the tally, and what was found with it, in one transaction."""
        rows = [{"key": key, "value": value} for key, value in book.changed_rows()]
        put = upsert(_book)
        with immediate(self.engine) as connection:
            connection.execute(
                put.on_conflict_do_update(index_elements=["key"], set_={"value": put.excluded.value}), rows
            )
            save_tally(connection, tally)
            _add_alarms(connection, alarms)

    def add_alarms(self, alarms: Sequence[tuple[int, Finding, bytes | None]]) -> None:
        """(time, finding, fraud proof) that stay until somebody has looked at them; one of a kind and place."""
        with immediate(self.engine) as connection:
            _add_alarms(connection, alarms)

    def alarms(self) -> list[tuple[int, Finding, bytes | None]]:
        """All of them, the first one first."""
        with snapshot(self.engine) as connection:
            return [
                (row.time, Finding(row.kind, row.code, row.text, row.leaf), row.proof and bytes(row.proof))
                for row in connection.execute(select(_alarms).order_by(_alarms.c.id))
            ]

    def notes(self) -> dict[str, tuple[str, int]]:
        """Signed trees to come back to, by name: (note, since when)."""
        with snapshot(self.engine) as connection:
            return {row.name: (row.note, row.since) for row in connection.execute(select(_notes))}

    def keep_note(self, name: str, note: str, since: int) -> None:
        """Remember a signed tree under a name, in place of an earlier one."""
        with immediate(self.engine) as connection:
            _put_note(connection, name, note, since)

    def drop_note(self, name: str) -> None:
        """It was compared."""
        with immediate(self.engine) as connection:
            connection.execute(delete(_notes).where(_notes.c.name == name))


def _put_note(connection: Connection, name: str, note: str, since: int) -> None:
    put = upsert(_notes)
    update = {"note": put.excluded.note, "since": put.excluded.since}
    row = {"name": name, "note": note, "since": since}
    connection.execute(put.on_conflict_do_update(index_elements=["name"], set_=update), row)


def _add_alarms(connection: Connection, alarms: Sequence[tuple[int, Finding, bytes | None]]) -> None:
    for time, found, proof in alarms:
        same = select(_alarms.c.id).where(_alarms.c.code == found.code, _alarms.c.leaf.is_(found.index))
        if connection.execute(same).first() is None:
            row = {"time": time, "kind": found.kind, "code": found.code, "leaf": found.index, "text": found.text}
            connection.execute(_alarms.insert(), {**row, "proof": proof})


class Archive(Sequence[bytes]):
    """The first `size` leaves that were kept, read as they are asked for."""

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine, self._size = engine, size
        self._bundle = lru_cache(maxsize=_CACHED_BUNDLES)(self._read)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._size))]
        if not 0 <= index < self._size:
            raise IndexError("no such leaf")
        return self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def __iter__(self) -> Iterator[bytes]:
        for n in range(-(-self._size // TILE_WIDTH)):
            yield from self._bundle(n)[: tile_width(0, n, self._size)]

    def after(self, start: int) -> Iterator[tuple[int, bytes]]:
        """(index, leaf) from `start` on."""
        for n in range(start // TILE_WIDTH, -(-self._size // TILE_WIDTH)):
            first = n * TILE_WIDTH
            for place, leaf in enumerate(self._bundle(n)[: tile_width(0, n, self._size)], first):
                if place >= start:
                    yield place, leaf

    def _read(self, n: int) -> list[bytes]:
        with snapshot(self._engine) as connection:
            data = bytes(connection.execute(select(_bundles.c.entries).where(_bundles.c.n == n)).scalar_one())
        width, place = 0, 0
        while place < len(data):  # a bundle may have grown since
            place += 2 + int.from_bytes(data[place : place + 2], "big")
            width += 1
        return parse_entries(data, width)
