"""What the store holds, as the rules see it, and what a group reads and writes. Plain values, no SQL."""

from dataclasses import dataclass, field

from protocol.leaf import LeafType
from protocol.reading import Reason
from protocol.terms import Terms


@dataclass(frozen=True)
class GrantRow:
    """One slot as the store holds it. `wrapped` is the share at rest; None once it is destroyed.

    `index`: of the grant leaf. Times in POSIX seconds. `represented`: T has `on_behalf_of`.
    """

    slot: int
    index: int
    lock: bytes
    tag_hash: bytes
    view_hash: bytes
    post_hash: bytes | None
    version: int
    granted_at: int
    not_after: int
    represented: bool
    revoked_index: int | None = None
    revoked_at: int | None = None
    erased: bool = False
    epoch: int | None = None
    wrapped: bytes | None = field(default=None, repr=False)

    @property
    def revoked(self) -> bool:
        """Whether its bit is set."""
        return self.revoked_index is not None


@dataclass(frozen=True)
class StoredGrant:
    """A grant as it was committed. `terms` is None once its opening is erased; all but `row` never changes."""

    row: GrantRow
    leaf: bytes
    terms: Terms | None = field(repr=False)


@dataclass(frozen=True)
class ReadRow:
    """A READ that got a leaf: `reason` is None when it was admitted. `opening_key` is None once erased."""

    read_hash: bytes
    index: int
    n: int
    reason: Reason | None
    opening_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class MessageRow:
    """A message that got a leaf. `opening_key` is None once erased."""

    message_hash: bytes
    index: int
    n: int
    opening_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SpentTicket:
    """`key` = H(issuer, jti); it may be forgotten once `exp` has passed, since no ticket is accepted after it."""

    key: bytes
    exp: int


@dataclass(frozen=True)
class OpeningRow:
    """What an entry commits to, beside the tree; deleted at erasure. `n` is None for grants."""

    index: int
    slot: int
    type: LeafType
    n: int | None
    time: int
    opening_key: bytes = field(repr=False)
    opening: bytes = field(repr=False)


def counter_key(tag_hash: bytes, leaf_type: LeafType) -> bytes:
    """Key of the counter of a tag_key and a kind of event: H(tag_key) || u8 leaf type."""
    return tag_hash + bytes([leaf_type])


def read_key(slot: int, read_id: bytes) -> bytes:
    """Key of a READ: u40 slot || read_id, so that the READs of a slot stand together."""
    return slot.to_bytes(5, "big") + read_id


@dataclass(frozen=True)
class Keys:
    """What a group needs to see before it decides."""

    slots: frozenset[int] = frozenset()
    locks: frozenset[bytes] = frozenset()
    tags: frozenset[bytes] = frozenset()
    reads: frozenset[bytes] = frozenset()
    messages: frozenset[bytes] = frozenset()
    counters: frozenset[bytes] = frozenset()
    tickets: frozenset[bytes] = frozenset()
    events_of: frozenset[int] = frozenset()


@dataclass
class Rows:
    """What is there under those keys. `recent[slot, type]`: leaves of a kind under a slot in the last hour."""

    grants: dict[int, GrantRow] = field(default_factory=dict)
    tags: set[bytes] = field(default_factory=set)
    reads: dict[bytes, ReadRow] = field(default_factory=dict)
    messages: dict[bytes, MessageRow] = field(default_factory=dict)
    counters: dict[bytes, int] = field(default_factory=dict)
    tickets: set[bytes] = field(default_factory=set)
    recent: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass
class Changes:
    """What one group writes, all of it or nothing."""

    first: int = 0
    leaves: list[bytes] = field(default_factory=list)
    tiles: list[tuple[int, int, bytes]] = field(default_factory=list)
    chunks: dict[int, bytes] = field(default_factory=dict)
    grants: dict[int, GrantRow] = field(default_factory=dict)
    revoked: dict[int, GrantRow] = field(default_factory=dict)
    openings: list[OpeningRow] = field(default_factory=list)
    reads: dict[bytes, ReadRow] = field(default_factory=dict)
    messages: dict[bytes, tuple[int, MessageRow]] = field(default_factory=dict)
    counters: dict[bytes, int] = field(default_factory=dict)
    new_counters: set[bytes] = field(default_factory=set)
    tickets: list[SpentTicket] = field(default_factory=list)
    erased: set[int] = field(default_factory=set)

    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.leaves and not self.erased
