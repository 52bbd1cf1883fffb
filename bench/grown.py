"""A log of a given size, by rows written straight into the database of a stopped one: 10^7 leaves take minutes.

Leaves, tiles, status chunks and heads are those of an honest history (`bench.replay.history`): an auditor replays
them. Grants, shares, openings, reads and counters have the sizes and keys of real ones with random contents, so
that tables and indexes are as deep as they would be; nobody can read under such a grant.
"""

import os
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench.replay import history
from consentlog.rows import counter_key, read_key
from consentlog.tree import Draft, Tree
from protocol.leaf import Grant, Head, LeafType, Revocation, parse_leaf
from protocol.merkle import leaf_hashes
from protocol.status_tree import SLOTS_PER_CHUNK, StatusTree

BATCH = 65_536
LONG_AGO = 1_600_000_000
LONG_AHEAD = 4_000_000_000
EPOCH = 1
GRANT_OPENING_BYTES = 2_000
READ_OPENING_BYTES = 1_200
"""Of T of a dozen attributes, and of a READ with its certificate."""
_TABLES = {
    "leaves": "idx, leaf",
    "tiles": "level, n, data",
    "status_chunks": "n, data",
    "grants": "slot, idx, lock, tag_hash, view_hash, post_hash, version, granted_at, not_after, represented,"
    " revoked_idx, revoked_at, erased",
    "shares": "slot, epoch, not_after, wrapped",
    "openings": "idx, slot, type, n, time, opening_key, opening",
    "reads": "key, read_hash, idx, n, reason",
    "messages": "key, slot, message_hash, idx, n",
    "counters": "key, n",
}
_INDEX = "openings_of_slot"
Row = tuple[Any, ...]


class Filler:
    """Adds leaves to the SQLite file `path` of a log that is stopped and holds no grant yet."""

    def __init__(self, path: Path, *, read_opening_bytes: int = READ_OPENING_BYTES) -> None:
        self._connection = sqlite3.connect(path)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        # In the order of their keys rows go in ten times as fast, once there are more than fit the cache.
        self._connection.execute("ATTACH DATABASE '' AS side")
        self._connection.execute(f"CREATE TABLE side.reads ({_TABLES['reads']})")
        (self._index,) = self._connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = ?", (_INDEX,)
        ).fetchone()
        self._connection.execute(f"DROP INDEX {_INDEX}")
        self._tree = Tree(self._tile)
        self._dice = random.Random(5)
        self._tags: list[bytes] = []
        self._counts: defaultdict[bytes, int] = defaultdict(int)
        self._revoked: dict[int, int] = {}
        self._opening = bytes(read_opening_bytes)
        self._status = StatusTree()

    def fill(self, leaves: int) -> None:
        """Until there are `leaves` of them, the last a head."""
        known = [leaf for (leaf,) in self._connection.execute("SELECT leaf FROM leaves ORDER BY idx")]
        self._extend(known)
        source = history(leaves, start=len(known))
        while batch := list(islice(source, BATCH)):
            first = self._tree.size
            rows: dict[str, list[Row]] = {name: [] for name in _TABLES}
            rows["leaves"] = list(enumerate(batch, first))
            rows["tiles"] = self._extend(batch)
            for index, data in enumerate(batch, first):
                self._note(index, data, rows)
            self._write(rows)
        self._finish()

    def _extend(self, batch: list[bytes]) -> list[Row]:
        draft = Draft(self._tree)
        draft.extend(leaf_hashes(batch))
        tiles: list[Row] = list(draft.tiles())
        self._tree.extend(draft)
        return tiles

    def _note(self, index: int, data: bytes, rows: dict[str, list[Row]]) -> None:
        leaf = parse_leaf(data)
        match leaf:
            case Head():
                return
            case Grant():
                self._grant(index, leaf, rows)
            case Revocation():
                self._revoked[leaf.slot] = index
                self._status.revoke(leaf.slot)
            case _ if self._tags:
                self._event(index, leaf.type, rows)

    def _grant(self, index: int, leaf: Grant, rows: dict[str, list[Row]]) -> None:
        draw, slot = self._dice.randbytes, self._status.append_slot()
        self._tags.append(draw(32))
        rows["grants"].append(
            (
                slot,
                index,
                leaf.lock,
                self._tags[slot],
                draw(32),
                draw(32),
                1,
                LONG_AGO,
                LONG_AHEAD,
                0,
                None,
                None,
                0,
            )
        )
        rows["shares"].append((slot, EPOCH, LONG_AHEAD, draw(72)))
        opening = (index, slot, LeafType.GRANT.value, None, LONG_AGO, draw(32), bytes(GRANT_OPENING_BYTES))
        rows["openings"].append(opening)

    def _event(self, index: int, kind: LeafType, rows: dict[str, list[Row]]) -> None:
        draw, slot = self._dice.randbytes, self._dice.randrange(len(self._tags))
        counter = counter_key(self._tags[slot], kind)
        n = self._counts[counter]
        self._counts[counter] += 1
        rows["openings"].append((index, slot, kind.value, n, LONG_AGO, draw(32), self._opening))
        if kind is LeafType.MESSAGE:
            rows["messages"].append((draw(32), slot, draw(32), index, n))
        else:
            reason = "revoked" if kind is LeafType.REFUSAL else None
            rows["reads"].append((read_key(slot, draw(16)), draw(32), index, n, reason))

    def _write(self, rows: dict[str, list[Row]]) -> None:
        for name, values in rows.items():
            places = ", ".join("?" * (_TABLES[name].count(",") + 1))
            place = "side.reads" if name == "reads" else name
            statement = f"INSERT OR REPLACE INTO {place} ({_TABLES[name]}) VALUES ({places})"
            self._connection.executemany(statement, values)
        self._connection.commit()

    def _finish(self) -> None:
        """What is only known at the end."""
        columns = _TABLES["reads"]
        self._connection.execute(f"INSERT INTO reads ({columns}) SELECT {columns} FROM side.reads ORDER BY key")
        self._connection.execute(self._index)
        chunks = sorted({slot // SLOTS_PER_CHUNK for slot in self._revoked})
        self._write(
            {
                "counters": sorted(self._counts.items()),
                "status_chunks": [(n, self._status.chunk(n)) for n in chunks],
            }
        )
        ended = [(index, LONG_AGO, slot) for slot, index in self._revoked.items()]
        self._connection.executemany("UPDATE grants SET revoked_idx = ?, revoked_at = ? WHERE slot = ?", ended)
        self._connection.executemany("DELETE FROM shares WHERE slot = ?", [(slot,) for _, _, slot in ended])
        self._connection.commit()
        size = self._tree.size
        self._connection.execute("UPDATE tail SET size = ?, root = ?", (size, self._tree.root(size)))
        self._connection.commit()
        self._connection.execute("PRAGMA journal_mode=WAL").fetchall()
        self._connection.close()

    def _tile(self, level: int, n: int) -> bytes:
        found = self._connection.execute("SELECT data FROM tiles WHERE level = ? AND n = ?", (level, n)).fetchone()
        return bytes(found[0])


def sizes_up_to(largest: int) -> Iterator[int]:
    """10^3, 10^4 ... `largest`."""
    size = 1000
    while size <= largest:
        yield size
        size *= 10


def bytes_on_disk(path: Path) -> int:
    """Of a database with its write-ahead log."""
    return sum(
        os.path.getsize(file) for file in path.parent.glob(f"{path.name}*") if not file.name.endswith("-shm")
    )
