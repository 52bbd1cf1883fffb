"""What a group reads before it decides and writes when it has: a handful of statements, however large the group.

Both run in one writing transaction (`service.database.immediate`), so that what was decided on is still so when
it is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Row,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from consentlog.rows import Changes, GrantRow, Keys, MessageRow, OpeningRow, ReadRow, Rows, read_key
from consentlog.tables import (
    beats,
    counters,
    grants,
    leaves,
    messages,
    openings,
    reads,
    shares,
    status_chunks,
    tail,
    tickets,
    tiles,
)
from consentlog.tree import CorruptTree
from protocol.leaf import LeafType


def _among(column: Column[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("keys", expanding=True))


GRANTS = select(grants, shares.c.epoch, shares.c.wrapped).select_from(
    grants.outerjoin(shares, grants.c.slot == shares.c.slot)
)
_GRANTS_BY_SLOT = GRANTS.where(_among(grants.c.slot))
_GRANTS_BY_LOCK = GRANTS.where(_among(grants.c.lock))
_TAGS = select(grants.c.tag_hash).distinct().where(_among(grants.c.tag_hash))
_READS = (
    select(reads, openings.c.opening_key)
    .select_from(reads.outerjoin(openings, reads.c.idx == openings.c.idx))
    .where(_among(reads.c.key))
)
_MESSAGES = (
    select(messages, openings.c.opening_key)
    .select_from(messages.outerjoin(openings, messages.c.idx == openings.c.idx))
    .where(_among(messages.c.key))
)
_COUNTERS = select(counters.c.key, counters.c.n).where(_among(counters.c.key))
_TICKETS = select(tickets.c.key).where(_among(tickets.c.key))
_RECENT = (
    select(openings.c.slot, openings.c.type, func.count())
    .where(
        _among(openings.c.slot),
        openings.c.type.in_((int(LeafType.REFUSAL), int(LeafType.MESSAGE))),
        openings.c.time > bindparam("since"),
    )
    .group_by(openings.c.slot, openings.c.type)
)


def grant_row(row: Row[Any]) -> GrantRow:
    """A row of `GRANTS` as the rules see it: the columns stand in the order of its fields."""
    return GrantRow(*tuple(row))


def load_rows(connection: Connection, keys: Keys, *, since: int) -> Rows:
    """The rows that a group decides on; MUST run in the transaction that writes the group's changes."""
    rows = Rows()
    for wanted, statement in ((keys.slots, _GRANTS_BY_SLOT), (keys.locks, _GRANTS_BY_LOCK)):
        if wanted:
            for row in connection.execute(statement, {"keys": list(wanted)}):
                rows.grants[row.slot] = grant_row(row)
    if keys.tags:
        rows.tags.update(connection.scalars(_TAGS, {"keys": list(keys.tags)}))
    if keys.reads:
        for row in connection.execute(_READS, {"keys": list(keys.reads)}):
            rows.reads[row.key] = ReadRow(row.read_hash, row.idx, row.n, row.reason, row.opening_key)
    if keys.messages:
        for row in connection.execute(_MESSAGES, {"keys": list(keys.messages)}):
            rows.messages[row.key] = MessageRow(row.message_hash, row.idx, row.n, row.opening_key)
    if keys.counters:
        rows.counters.update(
            (row.key, row.n) for row in connection.execute(_COUNTERS, {"keys": list(keys.counters)})
        )
    if keys.tickets:
        rows.tickets.update(connection.scalars(_TICKETS, {"keys": list(keys.tickets)}))
    if keys.events_of:
        for slot, kind, count in connection.execute(_RECENT, {"keys": list(keys.events_of), "since": since}):
            rows.recent[slot, kind] = count
    return rows


_SHARES_OF = delete(shares).where(_among(shares.c.slot))
_OPENINGS_OF = delete(openings).where(_among(openings.c.slot))
_MESSAGES_OF = delete(messages).where(_among(messages.c.slot))
_READS_OF = delete(reads).where(reads.c.key >= bindparam("low"), reads.c.key < bindparam("high"))
_ERASE = update(grants).where(_among(grants.c.slot)).values(erased=True, post_hash=None)
_REVOKE = (
    update(grants)
    .where(grants.c.slot == bindparam("of"))
    .values(revoked_idx=bindparam("at_index"), revoked_at=bindparam("at_time"))
)
_COUNT = update(counters).where(counters.c.key == bindparam("of")).values(n=bindparam("to"))
_TILE = delete(tiles).where(tiles.c.level == bindparam("at_level"), tiles.c.n == bindparam("at_n"))
_CHUNK = delete(status_chunks).where(_among(status_chunks.c.n))


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Whole rows, by the driver itself: SQLAlchemy's look at each value costs more than SQLite's work with it.

    PostgreSQL gets them as one array a column: a message for each row costs four times as much.
    """
    if not rows:
        return
    statement = _insert_into(table, connection.dialect)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(statement, list(rows))


@lru_cache
def _insert_into(table: Table, dialect: Dialect) -> str:
    names = ", ".join(table.c.keys())
    if dialect.name == "postgresql":
        types = [column.type.compile(dialect).partition("(")[0] for column in table.c]
        arrays = ", ".join(f"%b::{kind}[]" for kind in types)
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our own names
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(table.c))})"  # noqa: S608


def append_leaves(
    connection: Connection, first: int, new: Sequence[bytes], wider: Sequence[tuple[int, int, bytes]]
) -> None:
    """Leaves from index `first` on, with the tiles that they fill or make wider: (level, n, hashes).

    A leaf whose index is taken fails: two sequencers cannot both commit. Raises `IntegrityError`.
    """
    _insert(connection, leaves, list(enumerate(new, first)))
    for level, n, _ in wider:
        if level:
            connection.execute(_TILE, {"at_level": level, "at_n": n})
    _insert(connection, tiles, wider)


def save_changes(connection: Connection, changes: Changes) -> None:
    """Write all of a group. Raises `IntegrityError` as `append_leaves`."""
    append_leaves(connection, changes.first, changes.leaves, changes.tiles)
    _save_grants(connection, changes)
    _insert(connection, openings, [_opening_values(row) for row in changes.openings])
    _insert(
        connection,
        reads,
        [(key, row.read_hash, row.index, row.n, row.reason) for key, row in changes.reads.items()],
    )
    _insert(
        connection,
        messages,
        [(key, slot, row.message_hash, row.index, row.n) for key, (slot, row) in changes.messages.items()],
    )
    _insert(connection, counters, [(key, changes.counters[key]) for key in changes.new_counters])
    if known := changes.counters.keys() - changes.new_counters:
        connection.execute(_COUNT, [{"of": key, "to": changes.counters[key]} for key in known])
    _insert(connection, tickets, [(ticket.key, ticket.exp) for ticket in changes.tickets])
    _save_chunks(connection, changes.chunks)
    _erase(connection, changes.erased)


def _opening_values(row: OpeningRow) -> tuple[Any, ...]:
    return row.index, row.slot, int(row.type), row.n, row.time, row.opening_key, row.opening


def _grant_values(row: GrantRow) -> tuple[Any, ...]:
    return (
        row.slot,
        row.index,
        row.lock,
        row.tag_hash,
        row.view_hash,
        row.post_hash,
        row.version,
        row.granted_at,
        row.not_after,
        row.represented,
        row.revoked_index,
        row.revoked_at,
        row.erased,
    )


def _save_grants(connection: Connection, changes: Changes) -> None:
    new = list(changes.grants.values())
    _insert(connection, grants, [_grant_values(row) for row in new])
    kept = [row for row in new if row.wrapped is not None]
    _insert(connection, shares, [(row.slot, row.epoch, row.not_after, row.wrapped) for row in kept])
    ended = [row for slot, row in changes.revoked.items() if slot not in changes.grants]
    if ended:
        connection.execute(
            _REVOKE, [{"of": row.slot, "at_index": row.revoked_index, "at_time": row.revoked_at} for row in ended]
        )
        # In the transaction of the revocation leaf: from its commit on there is nothing left to release.
        connection.execute(_SHARES_OF, {"keys": [row.slot for row in ended]})


def _save_chunks(connection: Connection, chunks: dict[int, bytes]) -> None:
    if chunks:
        connection.execute(_CHUNK, {"keys": list(chunks)})
        _insert(connection, status_chunks, list(chunks.items()))


def _erase(connection: Connection, slots: set[int]) -> None:
    if not slots:
        return
    keys = {"keys": list(slots)}
    for statement in (_OPENINGS_OF, _MESSAGES_OF, _SHARES_OF, _ERASE):
        connection.execute(statement, keys)
    for slot in slots:
        connection.execute(_READS_OF, {"low": read_key(slot, b""), "high": read_key(slot + 1, b"")})


_BEAT = update(beats).values(n=beats.c.n + 1)


def beat(connection: Connection) -> None:
    """Write something, so that the commit tells whether this is still the database that decides.

    A server that has been replaced by its standby still answers reads, and after a crash rows can be visible that
    no other disk holds: what was only read may be relied on once a later write has been acknowledged.
    """
    if connection.execute(_BEAT).rowcount == 0:
        connection.execute(insert(beats).values(id=1, n=1))


@dataclass(frozen=True)
class Tail:
    """Where the store ends: `size` leaves under `root`. Each group moves it."""

    size: int
    root: bytes


_TAIL = select(tail.c.size, tail.c.root)
_MOVE = (
    update(tail)
    .where(tail.c.size == bindparam("from_size"), tail.c.root == bindparam("from_root"))
    .values(size=bindparam("to_size"), root=bindparam("to_root"))
)


def load_tail(connection: Connection) -> Tail | None:
    """None in a store that is new or was made before there were tails."""
    row = connection.execute(_TAIL).first()
    return None if row is None else Tail(row.size, bytes(row.root))


def make_tail(connection: Connection, at: Tail) -> None:
    """The first one."""
    connection.execute(insert(tail).values(id=1, size=at.size, root=at.root))


def move_tail(connection: Connection, old: Tail, new: Tail) -> None:
    """In the transaction of the leaves between. Raises `CorruptTree` when `old` is not where the store ends."""
    # The compare-and-swap: without it a group could be appended to another tree than the one it was hashed on,
    # by a writer whose turn was not its turn, or on a server that holds another history.
    values = {"from_size": old.size, "from_root": old.root, "to_size": new.size, "to_root": new.root}
    if connection.execute(_MOVE, values).rowcount != 1:
        raise CorruptTree("the store ends elsewhere than the group begins")
