"""The entries of the consent log: six short binary leaves, and what they commit to (protocol section 6).

No personal data, no free text and no agency name is ever in a leaf. What a leaf means to those it concerns is its
*opening*, kept beside the tree; deleting opening and key is erasure, and the tree still verifies.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, TypeAlias

from protocol.canonical import hmac_sha256, sha256
from protocol.errors import Rejected

MAX_SLOTS = 2**40
"""Slots are u40: more grants than people alive will give."""
MAX_TREE_SIZE = 2**63
"""An index is below this, so that no proof is longer than 63 hashes (C2SP tlog-witness)."""
TAG_BYTES = 16
_COMMIT_PREFIX = b"regie/commit/v1"
_EVENT_PREFIX = b"regie/event/v1"


class LeafType(IntEnum):
    """First byte of a leaf."""

    GRANT = 1
    REVOCATION = 2
    READ = 3
    REFUSAL = 4
    HEAD = 5
    MESSAGE = 6


def _uint(value: int, length: int) -> bytes:
    """Big-endian unsigned integer of our own."""
    if not 0 <= value < 1 << 8 * length:
        raise ValueError(f"number does not fit {length} bytes")
    return value.to_bytes(length, "big")


def _check_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise ValueError(f"{name} is {length} bytes")


@dataclass(frozen=True)
class Grant:
    """A grant was given: `lock` (32) is H(r) of who may revoke it, `commit` (32) opens to JCS(T)."""

    slot: int
    lock: bytes
    commit: bytes
    type: ClassVar[LeafType] = LeafType.GRANT

    def __post_init__(self) -> None:
        _check_length("lock", self.lock, 32)
        _check_length("commit", self.commit, 32)

    def to_bytes(self) -> bytes:
        """70 bytes."""
        return bytes([self.type]) + _uint(self.slot, 5) + self.lock + self.commit


@dataclass(frozen=True)
class Revocation:
    """The grant at `grant_index` is over: `r` (32) hashes to its lock."""

    grant_index: int
    slot: int
    r: bytes
    type: ClassVar[LeafType] = LeafType.REVOCATION

    def __post_init__(self) -> None:
        _check_length("r", self.r, 32)

    def to_bytes(self) -> bytes:
        """46 bytes."""
        return bytes([self.type]) + _uint(self.grant_index, 8) + _uint(self.slot, 5) + self.r


@dataclass(frozen=True)
class _Event:
    """What read, refusal and message have in common: `tag` (16) is known to the parties, `commit` (32) opens."""

    tag: bytes
    commit: bytes
    type: ClassVar[LeafType]

    def __post_init__(self) -> None:
        _check_length("tag", self.tag, TAG_BYTES)
        _check_length("commit", self.commit, 32)

    def to_bytes(self) -> bytes:
        """49 bytes."""
        return bytes([self.type]) + self.tag + self.commit


@dataclass(frozen=True)
class Read(_Event):
    """Keys were asked for and may have been released; opens to the READ (compact JWS)."""

    type: ClassVar[LeafType] = LeafType.READ


@dataclass(frozen=True)
class Refusal(_Event):
    """A validly signed READ was refused; opens to JCS({read, reason})."""

    type: ClassVar[LeafType] = LeafType.REFUSAL


@dataclass(frozen=True)
class Message(_Event):
    """Erasure asked, acknowledged, done, or a complaint; opens to the signed message."""

    type: ClassVar[LeafType] = LeafType.MESSAGE


@dataclass(frozen=True)
class Head:
    """The state after all leaves before it: `covers` is its own index, `status_root` (32) of the status tree."""

    covers: int
    slots: int
    status_root: bytes
    type: ClassVar[LeafType] = LeafType.HEAD

    def __post_init__(self) -> None:
        _check_length("status_root", self.status_root, 32)

    def to_bytes(self) -> bytes:
        """46 bytes."""
        return bytes([self.type]) + _uint(self.covers, 8) + _uint(self.slots, 5) + self.status_root


Leaf: TypeAlias = Grant | Revocation | Read | Refusal | Head | Message

LEAF_BYTES = {
    LeafType.GRANT: 70,
    LeafType.REVOCATION: 46,
    LeafType.READ: 49,
    LeafType.REFUSAL: 49,
    LeafType.HEAD: 46,
    LeafType.MESSAGE: 49,
}
"""Exact length of each leaf, type byte included."""
_EVENTS: dict[int, type[Read] | type[Refusal] | type[Message]] = {
    LeafType.READ: Read,
    LeafType.REFUSAL: Refusal,
    LeafType.MESSAGE: Message,
}


def parse_leaf(data: bytes) -> Leaf:
    """The leaf that `data` is; each leaf has exactly one form. Raises `Rejected`: `bad_leaf`."""
    if not data or LEAF_BYTES.get(data[0]) != len(data):  # type: ignore[call-overload]
        raise Rejected("bad_leaf", "not one of the six leaves of this log")
    kind = data[0]
    if kind in _EVENTS:
        return _EVENTS[kind](data[1:17], data[17:])
    if kind == LeafType.GRANT:
        return Grant(int.from_bytes(data[1:6], "big"), data[6:38], data[38:])
    number, slots = int.from_bytes(data[1:9], "big"), int.from_bytes(data[9:14], "big")
    if number >= MAX_TREE_SIZE:
        raise Rejected("bad_leaf", "index is out of range")
    return (Head if kind == LeafType.HEAD else Revocation)(number, slots, data[14:])


def commitment(opening_key: bytes, leaf_type: LeafType, opening: bytes) -> bytes:
    """`commit` of a leaf: HMAC(opening_key, "regie/commit/v1" || u8 leaf type || opening), 32 bytes."""
    return hmac_sha256(opening_key, _COMMIT_PREFIX, bytes([leaf_type]), opening)


def event_tag(tag_key: bytes, leaf_type: LeafType, n: int) -> bytes:
    """`tag` of event `n` of a kind under a grant: HMAC(tag_key, "regie/event/v1" || u8 type || u64 n)[:16]."""
    return hmac_sha256(tag_key, _EVENT_PREFIX, bytes([leaf_type]), _uint(n, 8))[:TAG_BYTES]


def lock_of(r: bytes) -> bytes:
    """The lock that the revocation secret `r` opens: H(r), 32 bytes."""
    return sha256(r)
