"""What the log looks up outside the writing transaction: committed rows, one consistent state a call.

Nothing here decides an operation: what was read may be out of date by the time it is used, but for what never
changes (leaves, full tiles, the terms of a grant).
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select

from consentlog.rows import GrantRow, OpeningRow, StoredGrant
from consentlog.store import GRANTS, grant_row, load_tail
from consentlog.tables import grants, leaves, openings, shares, status_chunks, tiles
from consentlog.tree import TILE_HEIGHT, TILE_WIDTH, CorruptTree
from protocol.canonical import parse_json
from protocol.leaf import LeafType
from protocol.merkle import leaf_hash
from protocol.status_tree import CHUNK_BYTES, StatusTree, chunk_count
from protocol.terms import parse_terms
from service.database import snapshot


@dataclass(frozen=True)
class Stored:
    """The committed tree: what `Tree.restore` takes, and the leaves' own account of their end."""

    size: int
    edges: list[bytes]
    last_leaf: bytes | None


def load_tree(engine: Engine) -> Stored:
    """The right-hand edge of the tree. Raises `CorruptTree` when rows are missing."""
    with snapshot(engine) as connection:
        return tree_in(connection)


def tree_in(connection: Connection) -> Stored:
    """`load_tree` inside a transaction."""
    last = connection.scalar(select(func.max(leaves.c.idx)))
    size = 0 if last is None else last + 1
    edges = []
    level = 0
    while count := size >> (TILE_HEIGHT * level):
        edges.append(_edge(connection, level, count))
        level += 1
    return Stored(size, edges, _leaf(connection, size - 1) if size else None)


def _edge(connection: Connection, level: int, count: int) -> bytes:
    first = count // TILE_WIDTH * TILE_WIDTH
    if first == count:
        return b""
    if level:
        data = connection.scalar(
            select(tiles.c.data).where(tiles.c.level == level, tiles.c.n == first // TILE_WIDTH)
        )
        return bytes(data or b"")
    return b"".join(leaf_hash(leaf) for leaf in leaves_in(connection, first, count))


def load_status(engine: Engine) -> StatusTree:
    """The status array of all committed leaves: slots from the grants, bits from the chunks that have any."""
    with snapshot(engine) as connection:
        return status_in(connection)


def status_in(connection: Connection) -> StatusTree:
    """`load_status` inside a transaction."""
    last = connection.scalar(select(func.max(grants.c.slot)))
    slots = 0 if last is None else last + 1
    bits = bytearray(chunk_count(slots) * CHUNK_BYTES)
    for row in connection.execute(select(status_chunks)):
        bits[row.n * CHUNK_BYTES : (row.n + 1) * CHUNK_BYTES] = row.data
    return StatusTree.from_bytes(slots.to_bytes(5, "big") + bytes(bits))


def load_tile(engine: Engine, level: int, n: int) -> bytes:
    """The 256 hashes of a full tile. Raises `CorruptTree` when it is missing."""
    with snapshot(engine) as connection:
        data = connection.scalar(select(tiles.c.data).where(tiles.c.level == level, tiles.c.n == n))
    if data is None:
        raise CorruptTree("a full tile is not in the store")
    return bytes(data)


def leaves_between(engine: Engine, start: int, end: int) -> list[bytes]:
    """Leaves [start, end). Raises `CorruptTree` when one is missing."""
    with snapshot(engine) as connection:
        return leaves_in(connection, start, end)


def leaves_in(connection: Connection, start: int, end: int) -> list[bytes]:
    """`leaves_between` inside a transaction."""
    statement = select(leaves.c.leaf).where(leaves.c.idx >= start, leaves.c.idx < end).order_by(leaves.c.idx)
    found = [bytes(leaf) for leaf in connection.scalars(statement)]
    if len(found) != end - start:
        raise CorruptTree("a leaf is not in the store")
    return found


def _leaf(connection: Connection, index: int) -> bytes:
    return leaves_in(connection, index, index + 1)[0]


def committed_size(engine: Engine) -> int:
    """Leaves that are committed, whoever appended them."""
    with snapshot(engine) as connection:
        found = load_tail(connection)
    return 0 if found is None else found.size


def count_shares(engine: Engine) -> int:
    """Shares held: goes over all of them."""
    with snapshot(engine) as connection:
        return int(connection.scalar(select(func.count()).select_from(shares)) or 0)


def grant_of_slot(engine: Engine, slot: int) -> StoredGrant | None:
    """The grant of a slot."""
    with snapshot(engine) as connection:
        return _grant(connection, connection.execute(GRANTS.where(grants.c.slot == slot)).first())


def grant_of_lock(engine: Engine, lock: bytes) -> StoredGrant | None:
    """The grant with a lock."""
    with snapshot(engine) as connection:
        return _grant(connection, connection.execute(GRANTS.where(grants.c.lock == lock)).first())


def _grant(connection: Connection, found: Row[Any] | None) -> StoredGrant | None:
    if found is None:
        return None
    row = grant_row(found)
    opening = connection.scalar(select(openings.c.opening).where(openings.c.idx == row.index))
    terms = None if opening is None else parse_terms(parse_json(bytes(opening)))
    return StoredGrant(row, _leaf(connection, row.index), terms)


@dataclass(frozen=True)
class EventRow:
    """A leaf of a grant; `opening` is None for a revocation and once erased."""

    index: int
    type: LeafType
    leaf: bytes
    opening: OpeningRow | None


def events_of(engine: Engine, row: GrantRow, *, start: int, size: int, limit: int) -> list[EventRow]:
    """Leaves [start, size) that belong to a grant, in their order, at most `limit`."""
    statement = (
        select(openings, leaves.c.leaf)
        .select_from(openings.join(leaves, openings.c.idx == leaves.c.idx))
        .where(openings.c.slot == row.slot, openings.c.idx >= start, openings.c.idx < size)
        .order_by(openings.c.idx)
        .limit(limit)
    )
    with snapshot(engine) as connection:
        events = {
            found.idx: EventRow(found.idx, LeafType(found.type), found.leaf, _opening(found))
            for found in connection.execute(statement)
        }
        ends = ((row.index, LeafType.GRANT), (row.revoked_index, LeafType.REVOCATION))
        for index, kind in ends:
            if index is not None and start <= index < size and index not in events:
                events[index] = EventRow(index, kind, _leaf(connection, index), None)
    return [events[index] for index in sorted(events)][:limit]


def openings_between(engine: Engine, start: int, end: int, limit: int) -> list[OpeningRow]:
    """What is left of the openings of leaves [start, end), at most `limit`."""
    statement = (
        select(openings).where(openings.c.idx >= start, openings.c.idx < end).order_by(openings.c.idx).limit(limit)
    )
    with snapshot(engine) as connection:
        return [_opening(found) for found in connection.execute(statement)]


def _opening(found: Row[Any]) -> OpeningRow:
    return OpeningRow(
        found.idx, found.slot, LeafType(found.type), found.n, found.time, found.opening_key, found.opening
    )
