"""What an auditor of openings remembers between two looks at a log: numbers and places, no opening and no terms.

An opening is erased at the log when its holder wishes, so an auditor that kept copies would undo that. Terms of
grants are asked for again when an event needs them. About 400 bytes for each grant and 130 for each read.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from protocol.canonical import sha256
from protocol.leaf import LeafType, event_tag

EVENTS = (LeafType.READ, LeafType.REFUSAL, LeafType.MESSAGE)
_GRANT, _KEY, _UNOPENED, _READ, _TOTALS = b"g", b"k", b"u", b"r", b"t"
_NEVER = 2**64 - 1
Row = tuple[bytes, bytes]
"""(key, value) for the owner's store."""


@dataclass
class TagKey:
    """Numbers under one tag key: they run on over all versions of a grant.

    `slot`, `index`: of the latest version that was opened; `opened`: versions that were; `highest`: of those.
    `next`: number of the next event of each kind, `expected`: its tag.
    """

    slot: int
    index: int
    opened: int
    highest: int
    next: dict[LeafType, int] = field(default_factory=lambda: dict.fromkeys(EVENTS, 0))
    expected: dict[LeafType, bytes] = field(default_factory=dict)

    @property
    def has_erased_version(self) -> bool:
        """Whether a version below the highest one was never opened to us."""
        return self.opened < self.highest


def grant_row(slot: int) -> bytes:
    """Key of the row of a slot."""
    return _GRANT + slot.to_bytes(8, "big")


def numbers_row(tag_key: bytes) -> bytes:
    """Key of the row with the numbers under a tag key."""
    return _KEY + _digest(tag_key)


class Book:
    """State of an audit of openings up to leaf `opened_to`."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.opened_to = 0
        self.erased = 0
        self.grants: dict[int, int] = {}
        self.ended: dict[int, int] = {}
        self.unopened: dict[tuple[LeafType, bytes], int] = {}
        self._keys: dict[bytes, TagKey] = {}
        self._expected: dict[tuple[LeafType, bytes], bytes] = {}
        self._reads: dict[bytes, int] = {}
        self._changed: set[bytes] = set()
        for key, value in rows:
            self._load(key, value)

    # -- grants ------------------------------------------------------------------------------------------------

    def add_grant(self, slot: int, index: int) -> None:
        """A grant leaf, opened or not."""
        self.grants[slot] = index
        self._touch(grant_row(slot))

    def end_grant(self, slot: int, index: int) -> None:
        """A revocation leaf at `index`; the first one counts."""
        self.ended.setdefault(slot, index)
        self._touch(grant_row(slot))

    def open_version(self, tag_key: bytes, version: int, slot: int, index: int) -> None:
        """A grant was opened."""
        digest = _digest(tag_key)
        known = self._keys.get(digest)
        if known is None:
            known = self._keys[digest] = TagKey(slot, index, 0, 0)
        known.opened += 1
        if version >= known.highest:
            known.slot, known.index, known.highest = slot, index, version
        for kind in EVENTS:
            self.set_next(tag_key, kind, known.next[kind])

    def is_open(self, tag_key: bytes) -> bool:
        """Whether a grant with this tag key was opened."""
        return _digest(tag_key) in self._keys

    def numbers(self, tag_key: bytes) -> TagKey:
        """Of a tag key that was opened."""
        return self._keys[_digest(tag_key)]

    def set_next(self, tag_key: bytes, kind: LeafType, n: int) -> None:
        """The next event of `kind` has number `n`."""
        digest = _digest(tag_key)
        known = self._keys[digest]
        self._expected.pop((kind, known.expected.get(kind, b"")), None)
        known.next[kind], known.expected[kind] = n, event_tag(tag_key, kind, n)
        self._expected[kind, known.expected[kind]] = digest
        self._touch(_KEY + digest)

    # -- events ------------------------------------------------------------------------------------------------

    def add_unopened(self, kind: LeafType, tag: bytes, index: int) -> None:
        """An event without an opening, which may have been erased."""
        self.unopened[kind, tag] = index
        self._touch(_UNOPENED + bytes([kind]) + tag)

    def suspects(self) -> Iterator[tuple[LeafType, int, TagKey]]:
        """Events without an opening that carry the next number of a grant with one: (kind, index, its numbers)."""
        for kind, tag in self.unopened.keys() & self._expected.keys():
            yield kind, self.unopened[kind, tag], self._keys[self._expected[kind, tag]]

    def first_of_read(self, slot: int, read_id: str, index: int) -> int | None:
        """The entry that already stands for this READ; else `index` does from now on, and None."""
        key = sha256(slot.to_bytes(8, "big"), read_id.encode("utf-8"))[:16]
        if key in self._reads:
            return self._reads[key]
        self._reads[key] = index
        self._touch(_READ + key)
        return None

    # -- for the owner's store ---------------------------------------------------------------------------------

    def changed_rows(self) -> list[Row]:
        """What has changed since the last call."""
        rows = [(key, self._value(key)) for key in self._changed]
        rows.append((_TOTALS, struct.pack(">QQ", self.opened_to, self.erased)))
        self._changed.clear()
        return rows

    def _touch(self, key: bytes) -> None:
        self._changed.add(key)

    def _value(self, key: bytes) -> bytes:
        kind, rest = key[:1], key[1:]
        if kind == _GRANT:
            slot = int.from_bytes(rest, "big")
            return struct.pack(">QQ", self.grants.get(slot, _NEVER), self.ended.get(slot, _NEVER))
        if kind == _KEY:
            known = self._keys[rest]
            head = struct.pack(">QQQQ", known.slot, known.index, known.opened, known.highest)
            return head + b"".join(
                known.next[event].to_bytes(8, "big") + known.expected[event] for event in EVENTS
            )
        if kind == _UNOPENED:
            return self.unopened[LeafType(rest[0]), rest[1:]].to_bytes(8, "big")
        return self._reads[rest].to_bytes(8, "big")

    def _load(self, key: bytes, value: bytes) -> None:
        kind, rest = key[:1], key[1:]
        if kind == _TOTALS:
            self.opened_to, self.erased = struct.unpack(">QQ", value)
        elif kind == _GRANT:
            slot, (index, ended) = int.from_bytes(rest, "big"), struct.unpack(">QQ", value)
            if index != _NEVER:
                self.grants[slot] = index
            if ended != _NEVER:
                self.ended[slot] = ended
        elif kind == _KEY:
            known = self._keys[rest] = TagKey(*struct.unpack(">QQQQ", value[:32]))
            for place, event in enumerate(EVENTS):
                part = value[32 + 24 * place : 56 + 24 * place]
                known.next[event], known.expected[event] = int.from_bytes(part[:8], "big"), part[8:]
                self._expected[event, part[8:]] = rest
        elif kind == _UNOPENED:
            self.unopened[LeafType(rest[0]), rest[1:]] = int.from_bytes(value, "big")
        else:
            self._reads[rest] = int.from_bytes(value, "big")


def _digest(tag_key: bytes) -> bytes:
    """Names a tag key without keeping it."""
    return sha256(b"regie/auditor/tag-key", tag_key)[:16]
