"""A group of operations becomes leaves: slots, tags, commitments, numbers, and the head that closes the group.

A `Group` is one transaction in memory. `decide` asks `admit` with all that the group has done so far, `apply`
makes the leaf and the rows, `close` adds the head and hands over what is to be written. Nothing outside changes
before the transaction is durable, but the status tree given to `close`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from consentlog import admit
from consentlog.admit import NewGrant, NewMessage, NewRead, NewRefusal, NewRevocation
from consentlog.operations import (
    Admitted,
    Delivered,
    Erased,
    EraseOperation,
    Granted,
    GrantOperation,
    MessageOperation,
    Operation,
    Outcome,
    ReadOperation,
    ReleaseOperation,
    RepeatOperation,
    RevocationOperation,
    Revoked,
)
from consentlog.rows import Changes, GrantRow, Keys, MessageRow, OpeningRow, ReadRow, Rows, counter_key
from consentlog.tree import Draft
from protocol.leaf import Grant, Head, LeafType, Message, Read, Refusal, Revocation, commitment, event_tag
from protocol.merkle import leaf_hashes
from protocol.reading import refusal_opening
from protocol.status_tree import SLOTS_PER_CHUNK, StatusTree

OPENING_KEY_BYTES = 32
Decision: TypeAlias = NewGrant | NewRevocation | NewRead | NewRefusal | NewMessage | Outcome
Wrap: TypeAlias = Callable[[int, bytes, bytes], tuple[int, bytes]]
"""`wrap(slot, lock, b)`: the current epoch and the share as it rests."""


def keys_of(operations: list[Operation]) -> Keys:
    """What the store must show before these operations can be decided."""
    slots: set[int] = set()
    locks: set[bytes] = set()
    tags: set[bytes] = set()
    reads: set[bytes] = set()
    messages: set[bytes] = set()
    counters: set[bytes] = set()
    tickets: set[bytes] = set()
    talkative: set[int] = set()
    for operation in operations:
        match operation:
            case GrantOperation():
                locks.add(operation.lock)
                tags.add(operation.tag_hash)
                if operation.ticket is not None:
                    tickets.add(operation.ticket.key)
                if operation.replaced_lock is not None:
                    locks.add(operation.replaced_lock)
            case RevocationOperation() | RepeatOperation():
                locks.add(operation.lock)
            case ReadOperation():
                slots.add(operation.slot)
                reads.add(operation.key)
                counters.add(counter_key(operation.tag_hash, LeafType.READ))
                counters.add(counter_key(operation.tag_hash, LeafType.REFUSAL))
                talkative.add(operation.slot)
            case MessageOperation():
                slots.add(operation.slot)
                messages.add(operation.key)
                counters.add(counter_key(operation.tag_hash, LeafType.MESSAGE))
                talkative.add(operation.slot)
            case ReleaseOperation():
                slots.add(operation.request.slot)
            case EraseOperation():
                slots.add(operation.slot)
    return Keys(
        frozenset(slots),
        frozenset(locks),
        frozenset(tags),
        frozenset(reads),
        frozenset(messages),
        frozenset(counters),
        frozenset(tickets),
        frozenset(talkative),
    )


class Group:
    """The rows of one transaction with what the group adds to them: the `admit.State` of its operations."""

    def __init__(
        self, rows: Rows, draft: Draft, slots: int, *, now: int, random: Callable[[int], bytes], wrap: Wrap
    ) -> None:
        self._rows = rows
        self._draft = draft
        self._slots = slots
        self._now = now
        self._random = random
        self._wrap = wrap
        self._locks = {row.lock: slot for slot, row in rows.grants.items()}
        self._known_counters = frozenset(rows.counters)
        self.changes = Changes(first=draft.size)

    # What `admit` asks.

    def by_slot(self, slot: int) -> GrantRow | None:
        """The grant of a slot."""
        return self._rows.grants.get(slot)

    def by_lock(self, lock: bytes) -> GrantRow | None:
        """The grant with a lock."""
        slot = self._locks.get(lock)
        return None if slot is None else self._rows.grants[slot]

    def is_tag_used(self, tag_hash: bytes) -> bool:
        """Whether any grant has this tag_key."""
        return tag_hash in self._rows.tags

    def is_ticket_spent(self, key: bytes) -> bool:
        """Whether a grant was made with this ticket."""
        return key in self._rows.tickets

    def read(self, key: bytes) -> ReadRow | None:
        """The READ with this slot and read_id."""
        return self._rows.reads.get(key)

    def message(self, key: bytes) -> MessageRow | None:
        """The message with this slot and jti."""
        return self._rows.messages.get(key)

    def count(self, tag_hash: bytes, leaf_type: LeafType) -> int:
        """The next n of a kind under a tag_key."""
        return self._rows.counters.get(counter_key(tag_hash, leaf_type), 0)

    def recent(self, slot: int, leaf_type: LeafType) -> int:
        """Leaves of a kind under a slot in the last hour."""
        return self._rows.recent.get((slot, leaf_type), 0)

    # What the sequencer asks.

    def decide(self, operation: Operation) -> Decision:
        """What is to be written, or the earlier answer. Raises `Rejected` as `admit` does."""
        match operation:
            case RevocationOperation():
                return admit.admit_revocation(operation, self)
            case GrantOperation():
                return admit.admit_grant(operation, self, self._now)
            case RepeatOperation():
                return admit.admit_repeat(operation, self)
            case ReadOperation():
                return admit.admit_read(operation, self, self._now)
            case MessageOperation():
                return admit.admit_message(operation, self)
            case EraseOperation():
                return admit.admit_erasure(operation, self, self._now)
            case ReleaseOperation():
                raise TypeError("a release writes nothing: the sequencer seals it")

    def apply(self, decision: Decision) -> Outcome:
        """Take a decision into the group. Raises `Rejected`: a refusal, after its leaf is made."""
        match decision:
            case NewGrant():
                return self._grant(decision)
            case NewRevocation():
                return self._revoke(decision.grant, decision.r)
            case NewRead():
                return self._read(decision.operation, decision.n)
            case NewRefusal():
                self._refuse(decision)
                raise decision.refusal.error()
            case NewMessage():
                return self._message(decision.operation, decision.n)
            case Erased():
                self._rows.grants[decision.slot] = replace(self._rows.grants[decision.slot], erased=True)
                self.changes.erased.add(decision.slot)
                return decision
            case _:
                return decision

    def close(self, status: StatusTree) -> Changes:
        """The head after the last leaf, and all that is to be written. Brings `status` up to date.

        An empty log gets its first head. When the transaction fails afterwards the caller MUST read `status` anew
        from the store.
        """
        changes = self.changes
        if not changes.leaves and changes.first:
            return changes
        for _ in range(status.slots, self._slots):
            status.append_slot()
        ended = [row.slot for row in (*changes.grants.values(), *changes.revoked.values()) if row.revoked]
        for slot in ended:
            status.revoke(slot)
        changes.chunks = {n: status.chunk(n) for n in {slot // SLOTS_PER_CHUNK for slot in ended}}
        head = Head(changes.first + len(changes.leaves), self._slots, status.root())
        changes.leaves.append(head.to_bytes())
        self._draft.extend(leaf_hashes(changes.leaves))
        changes.tiles = list(self._draft.tiles())
        return changes

    # How a leaf is made.

    def _append(self, leaf: Grant | Revocation | Read | Refusal | Message) -> int:
        self.changes.leaves.append(leaf.to_bytes())
        return self.changes.first + len(self.changes.leaves) - 1

    def _grant(self, decision: NewGrant) -> Granted:
        operation = decision.operation
        slot = self._slots
        # First, since it may fail. Without a share operators hold it, and this log keeps none.
        epoch, wrapped = (None, None) if operation.b is None else self._wrap(slot, operation.lock, operation.b)
        if decision.replaces is not None and operation.replaced_r is not None:
            self._revoke(decision.replaces, operation.replaced_r)
        self._slots += 1
        commit = commitment(operation.opening_key, LeafType.GRANT, operation.opening)
        index = self._append(Grant(slot, operation.lock, commit))
        row = GrantRow(
            slot,
            index,
            operation.lock,
            operation.tag_hash,
            operation.view_hash,
            operation.post_hash,
            operation.terms.version,
            self._now,
            operation.terms.not_after,
            operation.terms.on_behalf_of is not None,
            epoch=epoch,
            wrapped=wrapped,
        )
        self._rows.grants[slot] = self.changes.grants[slot] = row
        self._locks[row.lock] = slot
        self._rows.tags.add(row.tag_hash)
        if operation.ticket is not None:
            self._rows.tickets.add(operation.ticket.key)
            self.changes.tickets.append(operation.ticket)
        self._open(index, slot, LeafType.GRANT, None, operation.opening_key, operation.opening)
        return Granted(slot, index)

    def _revoke(self, grant: GrantRow, r: bytes) -> Revoked:
        index = self._append(Revocation(grant.index, grant.slot, r))
        row = replace(grant, revoked_index=index, revoked_at=self._now, epoch=None, wrapped=None)
        self._rows.grants[grant.slot] = row
        (self.changes.grants if grant.slot in self.changes.grants else self.changes.revoked)[grant.slot] = row
        return Revoked(grant.lock, grant.slot, index, self._now)

    def _read(self, operation: ReadOperation, n: int) -> Admitted:
        opening = operation.read.opening
        index, key = self._event(Read, operation.slot, operation.tag_hash, operation.tag_key, n, opening)
        self._remember(operation, ReadRow(operation.read_hash, index, n, None, key))
        return Admitted(index, n, key)

    def _refuse(self, decision: NewRefusal) -> None:
        operation, reason = decision.operation, decision.refusal.reason
        opening = refusal_opening(operation.read.token, reason)
        index, key = self._event(
            Refusal, operation.slot, operation.tag_hash, operation.tag_key, decision.n, opening
        )
        self._remember(operation, ReadRow(operation.read_hash, index, decision.n, reason, key))

    def _message(self, operation: MessageOperation, n: int) -> Delivered:
        opening = operation.token.encode("ascii")
        index, key = self._event(Message, operation.slot, operation.tag_hash, operation.tag_key, n, opening)
        row = MessageRow(operation.message_hash, index, n, key)
        self._rows.messages[operation.key] = row
        self.changes.messages[operation.key] = (operation.slot, row)
        return Delivered(index, n, key)

    def _remember(self, operation: ReadOperation, row: ReadRow) -> None:
        self._rows.reads[operation.key] = self.changes.reads[operation.key] = row

    def _event(
        self,
        kind: type[Read] | type[Refusal] | type[Message],
        slot: int,
        tag_hash: bytes,
        tag_key: bytes,
        n: int,
        opening: bytes,
    ) -> tuple[int, bytes]:
        """Append event `n` of a kind with a fresh opening key; (index, opening key)."""
        opening_key = self._random(OPENING_KEY_BYTES)
        tag = event_tag(tag_key, kind.type, n)
        index = self._append(kind(tag, commitment(opening_key, kind.type, opening)))
        counter = counter_key(tag_hash, kind.type)
        self._rows.counters[counter] = self.changes.counters[counter] = n + 1
        if counter not in self._known_counters:
            self.changes.new_counters.add(counter)
        recent = (slot, int(kind.type))
        self._rows.recent[recent] = self._rows.recent.get(recent, 0) + 1
        self._open(index, slot, kind.type, n, opening_key, opening)
        return index, opening_key

    def _open(
        self, index: int, slot: int, leaf_type: LeafType, n: int | None, opening_key: bytes, opening: bytes
    ) -> None:
        self.changes.openings.append(OpeningRow(index, slot, leaf_type, n, self._now, opening_key, opening))
