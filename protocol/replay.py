"""The rules of the log as anybody can check them, from the public leaves alone (**ours**, protocol section 6).

An auditor and an auditing cosigner feed every leaf to a `Replay`, one by one or many at a time. A leaf that breaks
a rule raises `Rejected` with a code that names the lie, and changes nothing. **Not** checked here: what only an
opening shows.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.leaf import LEAF_BYTES, Grant, Head, Leaf, LeafType, Revocation, lock_of, parse_leaf
from protocol.merkle import Frontier, leaf_hash, leaf_hashes
from protocol.status_tree import StatusTree

_BATCH = 4096
"""Leaves whose hashes are held at once: they fit the processor's cache, and a million leaves need no more room."""
_EVENTS = bytes((LeafType.READ, LeafType.REFUSAL, LeafType.MESSAGE))
_EVENT_BYTES = LEAF_BYTES[LeafType.READ]
"""Of all three: such a leaf is known by its first byte and its length, and no rule binds it."""


@dataclass(frozen=True)
class LockState:
    """What the leaves say of one lock."""

    slot: int
    grant_index: int
    revoked: bool


@dataclass(frozen=True)
class GrantRow:
    """One grant as the owner of a `Replay` stores it; in the order of slots."""

    lock: bytes
    grant_index: int
    revoked: bool


class _Locks(Mapping[bytes, LockState]):
    """All locks that ever stood in the log, in the order of their slots."""

    def __init__(self, slot_of: dict[bytes, int], grant_indexes: "array[int]", status: StatusTree) -> None:
        self._slot_of, self._grant_indexes, self._status = slot_of, grant_indexes, status

    def __getitem__(self, lock: bytes) -> LockState:
        slot = self._slot_of[lock]
        return LockState(slot, self._grant_indexes[slot], self._status.is_revoked(slot))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._slot_of)

    def __len__(self) -> int:
        return len(self._slot_of)


class Replay:
    """The state that follows from the leaves so far: tree, slots, locks and status array.

    `ends_in_head`: whether the last leaf is a head, as a published checkpoint demands.
    """

    def __init__(self) -> None:
        self._frontier = Frontier()
        self._slot_of: dict[bytes, int] = {}
        self._grant_indexes = array("Q")
        self.status = StatusTree()
        self.ends_in_head = False

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._frontier.size

    @property
    def slots(self) -> int:
        """Grants so far."""
        return self.status.slots

    @property
    def locks(self) -> Mapping[bytes, LockState]:
        """By lock, a live view."""
        return _Locks(self._slot_of, self._grant_indexes, self.status)

    def root(self) -> bytes:
        """Root of the tree of all leaves so far."""
        return self._frontier.root()

    def apply(self, data: bytes) -> Leaf:
        """Take the next leaf. Raises `Rejected` and changes nothing when it breaks a rule:

        `replay_leaf` no known form; `replay_slot` a grant skips or repeats a slot; `replay_lock_reused`;
        `replay_unknown_grant` a revocation of what is no grant of that slot; `replay_wrong_secret` r does not hash
        to the lock; `replay_revoked_twice`; `replay_head_position`, `replay_head_slots`, `replay_head_status` a
        head that tells another index, number of slots or status than follows from the leaves.
        """
        leaf = self._take(data, self.size, {})
        self._frontier.append(leaf_hash(data))
        self.ends_in_head = isinstance(leaf, Head)
        return leaf

    def apply_all(self, leaves: Iterable[bytes]) -> dict[int, GrantRow]:
        """Take all these leaves, as `apply` of each in turn; the grants that they change, by slot.

        Raises `Rejected` as `apply` does at the first that breaks a rule: then all before it are taken, it and
        what follows change nothing, and `size` is its index.
        """
        changed: dict[int, GrantRow] = {}
        source = iter(leaves)
        while batch := list(islice(source, _BATCH)):
            self._apply_batch(batch, changed)
        return changed

    def _apply_batch(self, batch: Sequence[bytes], changed: dict[int, GrantRow]) -> None:
        # Most leaves are reads: what is left of `parse_leaf` for them stands here, without the call.
        bound = [place for place, data in enumerate(batch) if len(data) != _EVENT_BYTES or data[0] not in _EVENTS]
        start, taken = self.size, 0
        try:
            for taken in bound:
                self._take(batch[taken], start + taken, changed)
            taken = len(batch)
        finally:
            if taken:
                self._frontier.extend(leaf_hashes(batch[:taken]))
                self.ends_in_head = batch[taken - 1][0] == LeafType.HEAD

    def check_checkpoint(self, checkpoint: VerifiedCheckpoint) -> None:
        """That `checkpoint` is what these leaves give. Raises `Rejected`: `checkpoint_size`, `checkpoint_root`,
        `checkpoint_without_head`.
        """
        if checkpoint.size != self.size:
            raise Rejected("checkpoint_size", "checkpoint has another size than the leaves replayed")
        if checkpoint.root != self.root():
            raise Rejected("checkpoint_root", "checkpoint has another root than follows from the leaves")
        if not self.ends_in_head:
            raise Rejected("checkpoint_without_head", "checkpoint does not end in a head leaf")

    def rows(self) -> Iterator[GrantRow]:
        """All grants in the order of slots, for the owner's store."""
        for slot, lock in enumerate(self._slot_of):
            yield GrantRow(lock, self._grant_indexes[slot], self.status.is_revoked(slot))

    def frontier_bytes(self) -> bytes:
        """The tree, for the owner's store."""
        return self._frontier.to_bytes()

    @classmethod
    def restore(cls, frontier: bytes, rows: Iterable[GrantRow], *, ends_in_head: bool) -> "Replay":
        """A replay from its owner's store. Raises `ValueError`."""
        replay = cls()
        replay._frontier = Frontier.from_bytes(frontier)
        replay.ends_in_head = ends_in_head
        for row in rows:
            if row.lock in replay._slot_of:
                raise ValueError("a lock is stored twice")
            slot = replay._add(row.lock, row.grant_index)
            if row.revoked:
                replay.status.revoke(slot)
        return replay

    def _take(self, data: bytes, index: int, changed: dict[int, GrantRow]) -> Leaf:
        """What leaf `index` does to slots and status, once it is found to obey; notes the grant in `changed`."""
        try:
            leaf = parse_leaf(data)
        except Rejected as error:
            raise Rejected("replay_leaf", f"leaf {index} has no known form") from error
        match leaf:
            case Grant():
                self._grant(leaf, index)
                changed[leaf.slot] = GrantRow(leaf.lock, index, revoked=False)
            case Revocation():
                lock = self._revocation(leaf, index)
                changed[leaf.slot] = GrantRow(lock, leaf.grant_index, revoked=True)
            case Head():
                self._check_head(leaf, index)
        return leaf

    def _add(self, lock: bytes, grant_index: int) -> int:
        slot = self.status.append_slot()
        self._slot_of[lock] = slot
        self._grant_indexes.append(grant_index)
        return slot

    def _grant(self, leaf: Grant, index: int) -> None:
        if leaf.slot != self.slots:
            raise Rejected("replay_slot", f"grant at leaf {index} does not take the next slot")
        if leaf.lock in self._slot_of:
            raise Rejected("replay_lock_reused", f"grant at leaf {index} repeats a lock")
        self._add(leaf.lock, index)

    def _revocation(self, leaf: Revocation, index: int) -> bytes:
        """The lock of the grant that is over."""
        if leaf.slot >= self.slots or self._grant_indexes[leaf.slot] != leaf.grant_index:
            raise Rejected("replay_unknown_grant", f"leaf {index} revokes what is no grant of that slot")
        lock = lock_of(leaf.r)
        if self._slot_of.get(lock) != leaf.slot:
            raise Rejected("replay_wrong_secret", f"leaf {index} revokes a grant without its secret")
        if self.status.is_revoked(leaf.slot):
            raise Rejected("replay_revoked_twice", f"leaf {index} revokes what was revoked")
        self.status.revoke(leaf.slot)
        return lock

    def _check_head(self, leaf: Head, index: int) -> None:
        if leaf.covers != index:
            raise Rejected("replay_head_position", f"head at leaf {index} names another index")
        if leaf.slots != self.slots:
            raise Rejected("replay_head_slots", f"head at leaf {index} counts other slots")
        if leaf.status_root != self.status.root():
            raise Rejected("replay_head_status", f"head at leaf {index} hides or invents a revocation")
