"""fsck, first part: every leaf in its order, and all that hashes and slots make of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from consentlog.findings import Findings
from protocol.errors import Rejected
from protocol.leaf import Grant, Head, Leaf, LeafType, Revocation, lock_of, parse_leaf
from protocol.merkle import EMPTY_ROOT, Frontier, leaf_hashes, parent_hashes
from protocol.status_tree import SLOTS_PER_CHUNK, StatusTree, chunk_count
from protocol.tiles import TILE_WIDTH

PAGE = 2048
"""Rows at a time."""
PROGRESS_LEAVES = 200_000
_LEAVES = text("SELECT idx, leaf FROM leaves WHERE idx >= :first ORDER BY idx LIMIT :limit")
_TILE = text("SELECT data FROM tiles WHERE level = :level AND n = :n")
_GRANTS = text("SELECT slot, idx, lock, revoked_idx FROM grants WHERE slot IN :slots").bindparams(
    bindparam("slots", expanding=True)
)
_CHUNKS = text("SELECT n, data FROM status_chunks ORDER BY n")


@dataclass
class Expected:
    """Roots that must come out at certain sizes; nothing may be smaller than `least` leaves."""

    least: int
    roots: dict[int, list[tuple[bytes, str, str]]] = field(default_factory=dict)
    heads: list[tuple[int, object]] = field(default_factory=list)
    tail: tuple[int, object] | None = None

    def add(self, size: int, root: bytes, code: str, place: str) -> None:
        """At `size` leaves the root must be `root`."""
        self.roots.setdefault(size, []).append((root, code, place))


class TreeCheck:
    """`run`, then `size`, `root`, `counts` (leaves of each type) and `status`; `is_whole`: no leaf is missing."""

    def __init__(self, findings: Findings, progress: Callable[[str], None]) -> None:
        self.size = 0
        self.status = StatusTree()
        self.counts: Counter[LeafType] = Counter()
        self.is_whole = False
        self._findings = findings
        self._progress = progress
        self._frontier = Frontier()
        self._levels: list[list[bytes]] = [[]]
        self._full: list[int] = [0]
        self._last: Leaf | None = None

    @property
    def root(self) -> bytes:
        """Of the leaves that were looked at."""
        return self._frontier.root() if self.size else EMPTY_ROOT

    def run(self, connection: Connection, expected: Expected) -> None:
        """All leaves, a page at a time, then what they add up to."""
        stops = sorted(size for size in expected.roots if size)
        told = 0
        while page := connection.execute(_LEAVES, {"first": self.size, "limit": PAGE}).all():
            found = self._whole(page)
            parsed = self._parse(found)
            self._check_grants(connection, parsed)
            for index, leaf in parsed:
                self._apply(index, leaf)
            self._grow(connection, found, stops, expected)
            if len(found) < len(page):
                return  # nothing behind a hole can be judged
            if self.size - told >= PROGRESS_LEAVES:
                told = self.size
                self._progress(f"{self.size} leaves")
        self.is_whole = True
        self._check_end(connection, expected)

    def _whole(self, page: Sequence[Row[Any]]) -> list[bytes]:
        """The leaves of a page up to the first one that is missing or is no bytes."""
        found: list[bytes] = []
        for row in page:
            index = self.size + len(found)
            if row.idx != index or not isinstance(row.leaf, bytes):
                self._findings.add("leaf_missing", f"leaf {index}", "is not in the store: the rest is not judged")
                break
            found.append(row.leaf)
        return found

    def _parse(self, found: Iterable[bytes]) -> list[tuple[int, Leaf]]:
        parsed = []
        for index, data in enumerate(found, self.size):
            try:
                parsed.append((index, parse_leaf(data)))
            except Rejected:
                self._findings.add("bad_leaf", f"leaf {index}", "has no form of a leaf")
        return parsed

    def _check_grants(self, connection: Connection, parsed: Sequence[tuple[int, Leaf]]) -> None:
        """Grant and revocation leaves against the rows of their slots."""
        slots = [leaf.slot for _, leaf in parsed if isinstance(leaf, Grant | Revocation)]
        if not slots:
            return
        rows = {row.slot: row for row in connection.execute(_GRANTS, {"slots": slots})}
        for index, leaf in parsed:
            if isinstance(leaf, Grant):
                row = rows.get(leaf.slot)
                is_so = row is not None and (row.idx, row.lock) == (index, leaf.lock)
                self._findings.expect(is_so, "grant_row", f"slot {leaf.slot}", f"does not fit leaf {index}")
            elif isinstance(leaf, Revocation):
                row = rows.get(leaf.slot)
                is_so = row is not None and (row.idx, row.revoked_idx) == (leaf.grant_index, index)
                is_so = is_so and row is not None and row.lock == lock_of(leaf.r)
                self._findings.expect(is_so, "revocation_row", f"slot {leaf.slot}", f"does not fit leaf {index}")

    def _apply(self, index: int, leaf: Leaf) -> None:
        """Slots, bits and heads, in the order of the leaves."""
        self.counts[leaf.type] += 1
        self._last = leaf
        place = f"leaf {index}"
        match leaf:
            case Grant():
                is_next = leaf.slot == self.status.slots
                self._findings.expect(is_next, "slot_order", place, "does not take the next slot")
                self.status.append_slot()
            case Revocation():
                known = leaf.slot < self.status.slots
                is_first = known and not self.status.is_revoked(leaf.slot)
                if self._findings.expect(is_first, "revocation_order", place, "revokes no live grant"):
                    self.status.revoke(leaf.slot)
            case Head():
                is_so = leaf == Head(index, self.status.slots, self.status.root())
                self._findings.expect(is_so, "bad_head", place, "does not fit the leaves before it")
            case _:
                pass

    def _grow(self, connection: Connection, found: Sequence[bytes], stops: list[int], expected: Expected) -> None:
        """The tree, with a look at each size whose root somebody was told."""
        hashes = leaf_hashes(found)
        self._add(connection, 0, hashes)
        done = 0
        while stops and stops[0] <= self.size + len(hashes) - done:
            stop = stops.pop(0)
            upto = done + stop - self.size
            self._frontier.extend(hashes[done:upto])
            self.size, done = stop, upto
            for root, code, place in expected.roots[stop]:
                self._findings.expect(self.root == root, code, place, f"names another tree of {stop} leaves")
        self._frontier.extend(hashes[done:])
        self.size += len(hashes) - done

    def _add(self, connection: Connection, level: int, hashes: Iterable[bytes]) -> None:
        """Hashes of a level into its tile; a full tile is compared, and its root goes up."""
        if level == len(self._levels):
            self._levels.append([])
            self._full.append(0)
        for value in hashes:
            tile = self._levels[level]
            tile.append(value)
            if len(tile) == TILE_WIDTH:
                self._check_tile(connection, level, self._full[level], tile)
                self._levels[level], row = [], tile
                self._full[level] += 1
                while len(row) > 1:
                    row = parent_hashes(row)
                self._add(connection, level + 1, row)

    def _check_tile(self, connection: Connection, level: int, n: int, hashes: Sequence[bytes]) -> None:
        data = connection.execute(_TILE, {"level": level, "n": n}).scalar()
        self._findings.expect(data == b"".join(hashes), "bad_tile", f"tile {level}/{n}", "does not fit its leaves")

    def _check_end(self, connection: Connection, expected: Expected) -> None:
        """What stands once and for all leaves: last head, edges, number of tiles, chunks, tail, lock."""
        expect = self._findings.expect
        if self.size < expected.least:
            self._findings.add(
                "restored_backup", "store", f"ends before the {expected.least} leaves that were signed"
            )
        for size in sorted(expected.roots):
            if size > self.size and size > expected.least:
                self._findings.add("other_tree", "store", f"ends before {size} leaves that were published")
        expect(self.size == 0 or isinstance(self._last, Head), "bad_head", "store", "does not end in a head")
        if expected.tail is not None:
            expect(expected.tail == (self.size, self.root), "bad_tail", "tail", "is not where the leaves end")
        for size, head in expected.heads:
            leaf = connection.execute(_LEAVES, {"first": size - 1, "limit": 1}).first()
            expect(leaf is not None and leaf.leaf == head, "other_tree", "published head", "is not the leaf")
        count = 0
        for level, hashes in enumerate(self._levels):
            count += self._full[level]
            if level and hashes:
                count += 1
                self._check_tile(connection, level, self._full[level], hashes)
        stored = connection.execute(text("SELECT count(*) FROM tiles")).scalar()
        expect(stored == count, "stray_tile", "tiles", f"are {stored}, not {count}")
        self._check_chunks({row.n: row.data for row in connection.execute(_CHUNKS)})

    def _check_chunks(self, stored: Mapping[Any, object]) -> None:
        """Chunks are kept from their first revocation on. One row for 2048 slots: they fit in memory."""
        empty = bytes(SLOTS_PER_CHUNK // 8)
        derived = {}
        for n in range(chunk_count(self.status.slots)):
            if (chunk := self.status.chunk(n)) != empty:
                derived[n] = chunk
        for n in stored.keys() | derived.keys():
            is_so = stored.get(n) == derived.get(n)
            self._findings.expect(is_so, "bad_chunk", f"status chunk {n}", "does not fit the revocations")
