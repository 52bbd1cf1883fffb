"""What may be appended: each operation decided on the rows of the transaction that will write it.

Every function gets the rows, the log's time and an operation, and answers with what is to be written, or with the
earlier answer to the same request, or raises. None of them changes anything. Codes: protocol section 8.
"""

from dataclasses import dataclass
from typing import Protocol

from consentlog.operations import (
    Admitted,
    Delivered,
    Erased,
    EraseOperation,
    Granted,
    GrantOperation,
    MessageOperation,
    ReadOperation,
    ReleaseOperation,
    RepeatOperation,
    RevocationOperation,
    Revoked,
)
from consentlog.rows import GrantRow, MessageRow, ReadRow
from protocol.errors import Rejected
from protocol.leaf import LeafType
from protocol.reading import Admit, GrantState, Reason, Refusal, decide_read

REFUSALS_PER_HOUR = 60
"""Refusal leaves an hour and grant: beyond that an agency is refused with the same code, but writes nothing."""
MESSAGES_PER_HOUR = 60
"""Message leaves an hour and grant, by either side: no log fills up by talk."""
HOUR = 3600
REFRESH_INTERVAL = 24 * HOUR
REPRESENTED_DELAY = 90 * 24 * HOUR
"""Seconds after the end of a grant made for somebody else: so long the represented person can look back."""


class State(Protocol):
    """The rows of the transaction, with what earlier operations of the group have already changed."""

    def by_slot(self, slot: int) -> GrantRow | None:
        """The grant of a slot."""

    def by_lock(self, lock: bytes) -> GrantRow | None:
        """The grant with a lock."""

    def is_tag_used(self, tag_hash: bytes) -> bool:
        """Whether any grant has this tag_key."""

    def is_ticket_spent(self, key: bytes) -> bool:
        """Whether a grant was made with this ticket."""

    def read(self, key: bytes) -> ReadRow | None:
        """The READ with this slot and read_id."""

    def message(self, key: bytes) -> MessageRow | None:
        """The message with this slot and jti."""

    def count(self, tag_hash: bytes, leaf_type: LeafType) -> int:
        """Leaves of a kind under a tag_key so far: the next n."""

    def recent(self, slot: int, leaf_type: LeafType) -> int:
        """Leaves of a kind under a slot in the last hour."""


@dataclass(frozen=True)
class NewGrant:
    """Append a grant; `replaces` is revoked in the same breath, before it."""

    operation: GrantOperation
    replaces: GrantRow | None


@dataclass(frozen=True)
class NewRevocation:
    """Append a revocation of `grant`, set its bit, destroy its share."""

    grant: GrantRow
    r: bytes


@dataclass(frozen=True)
class NewRead:
    """Append a read as number `n`."""

    operation: ReadOperation
    n: int


@dataclass(frozen=True)
class NewRefusal:
    """Append a refusal as number `n`, and answer with `refusal`."""

    operation: ReadOperation
    n: int
    refusal: Refusal


@dataclass(frozen=True)
class NewMessage:
    """Append a message as number `n`."""

    operation: MessageOperation
    n: int


def admit_grant(operation: GrantOperation, state: State, now: int) -> Granted | NewGrant:
    """Section 7.3, and section 9 for a refresh:

    1. a byte-equal request got its answer before; 2. the lock is new; 3. a refresh replaces a live lock, once a
    day, with the same reader; 4. the terms hold now; 5. else the ticket is unspent and the tag_key unused.
    Raises `Rejected`: `lock_used` 409, `bad_terms`, `bad_ticket` 403, `revoked` 410, `too_soon` 429, `widened`.
    """
    earlier = state.by_lock(operation.lock)
    if earlier is not None:
        if earlier.post_hash == operation.post_hash:  # 1.
            return Granted(earlier.slot, earlier.index)
        raise Rejected("lock_used", "a lock never repeats", status=409)  # 2.
    replaces, replaced_lock = None, operation.replaced_lock
    if replaced_lock is not None:  # 3.
        replaces = _replaced(operation, state.by_lock(replaced_lock), now)
    if not operation.terms.not_before <= now < operation.terms.not_after:  # 4.
        raise Rejected("bad_terms", "the log's time is not between not_before and not_after")
    if replaces is not None:
        return NewGrant(operation, replaces)
    ticket = operation.ticket  # 5.
    if ticket is None or now >= ticket.exp or state.is_ticket_spent(ticket.key):  # it may have ended in the queue
        raise Rejected("bad_ticket", "a ticket makes one grant", status=403)
    if state.is_tag_used(operation.tag_hash):
        # Two grants with one tag_key would share their numbers, and each recipient could count the other's events.
        raise Rejected("bad_terms", "tag_key belongs to another grant")
    return NewGrant(operation, None)


def admit_repeat(operation: RepeatOperation, state: State) -> Granted:
    """A byte-equal request that came after its ticket ended, or after its grant did: the same answer.

    Raises `Rejected`: `lock_used` 409 when the grant was erased meanwhile.
    """
    earlier = state.by_lock(operation.lock)
    if earlier is None or earlier.post_hash != operation.post_hash:
        raise Rejected("lock_used", "a lock never repeats", status=409)
    return Granted(earlier.slot, earlier.index)


def _replaced(operation: GrantOperation, old: GrantRow | None, now: int) -> GrantRow:
    """Step 3. `intake` has compared T' with the old T."""
    if old is None or old.revoked or now >= old.not_after:
        raise Rejected("revoked", "the grant to be refreshed is over", status=410)
    if old.version > 1 and now < old.granted_at + REFRESH_INTERVAL:
        raise Rejected("too_soon", "a grant is refreshed once a day", status=429)
    if old.view_hash != operation.view_hash or old.tag_hash != operation.tag_hash:
        raise Rejected("widened", "a refresh changes no more than the protocol names", status=403)
    return old


def admit_revocation(operation: RevocationOperation, state: State) -> Revoked | NewRevocation:
    """Section 9: who shows r revokes. No date, no count and no limit stands in its way; again is the same answer.

    Raises `Rejected`: `unknown_lock` 404.
    """
    grant = state.by_lock(operation.lock)
    if grant is None:
        raise Rejected("unknown_lock", "no grant has this lock", status=404)
    if grant.revoked_index is None or grant.revoked_at is None:
        return NewRevocation(grant, operation.r)
    return Revoked(grant.lock, grant.slot, grant.revoked_index, grant.revoked_at)


def admit_read(operation: ReadOperation, state: State, now: int) -> Admitted | NewRead | NewRefusal:
    """Section 8.2:

    1. a byte-equal READ has its entry: the same again, refused ones too, before the iat check; 2. its read_id is
    new; 3. everything that `decide_read` asks; 4. of refusals at most 60 an hour become leaves.
    Raises `Rejected`: `read_id_used` 409, those of `decide_read`, and a refusal that gets no leaf (any more).
    """
    grant = state.by_slot(operation.slot)
    if grant is None or grant.erased or grant.tag_hash != operation.tag_hash:
        raise Rejected("unknown_lock", "no grant has this slot", status=404)
    earlier = state.read(operation.key)
    if earlier is not None:
        if earlier.read_hash != operation.read_hash:  # 2.
            raise Rejected("read_id_used", "another READ has this read_id", status=409)
        return _same_read(earlier)  # 1.
    has_share = grant.wrapped is not None or operation.terms.operators is not None
    done = state.count(grant.tag_hash, LeafType.READ)
    decision = decide_read(  # 3.
        operation.terms,
        operation.read,
        state=GrantState(grant.slot, grant.revoked, has_share, done),
        reply_key=operation.reply_key,
        now=now,
    )
    if isinstance(decision, Admit):
        return NewRead(operation, decision.n)
    if state.recent(grant.slot, LeafType.REFUSAL) >= REFUSALS_PER_HOUR:  # 4.
        raise decision.error()
    return NewRefusal(operation, state.count(grant.tag_hash, LeafType.REFUSAL), decision)


def _same_read(row: ReadRow) -> Admitted:
    if row.reason is not None:
        raise Refusal(row.reason).error()
    if row.opening_key is None:
        raise Rejected("unknown_lock", "the entry has been erased", status=404)
    return Admitted(row.index, row.n, row.opening_key)


def admit_release(operation: ReleaseOperation, state: State, now: int) -> GrantRow:
    """Section 8.3: once more, in the transaction that is held until the shares are sealed: not revoked, not over.

    Raises `Rejected`: `revoked`, `expired`, `no_share`, all 410: no share, no leaf, n stays spent.
    """
    grant = state.by_slot(operation.request.slot)
    reason: Reason | None = None
    if grant is None or grant.revoked:
        reason = "revoked"
    elif now >= grant.not_after:
        reason = "expired"
    elif grant.wrapped is None and operation.request.terms.operators is None:
        reason = "no_share"
    if reason is not None or grant is None:
        raise Rejected(reason or "revoked", "the grant ended after the read was logged", status=410)
    return grant


def admit_message(operation: MessageOperation, state: State) -> Delivered | NewMessage:
    """Section 9: also after the grant's end, until its openings are erased.

    Raises `Rejected`: `unknown_lock` 404, `message_id_used` 409, `too_soon` 429.
    """
    grant = state.by_slot(operation.slot)
    if grant is None or grant.erased or grant.tag_hash != operation.tag_hash:
        raise Rejected("unknown_lock", "no grant has this slot", status=404)
    earlier = state.message(operation.key)
    if earlier is not None:
        if earlier.message_hash != operation.message_hash:
            raise Rejected("message_id_used", "another message has this jti", status=409)
        if earlier.opening_key is None:
            raise Rejected("unknown_lock", "the entry has been erased", status=404)
        return Delivered(earlier.index, earlier.n, earlier.opening_key)
    if state.recent(grant.slot, LeafType.MESSAGE) >= MESSAGES_PER_HOUR:
        raise Rejected("too_soon", "too many messages about this grant in an hour", status=429)
    return NewMessage(operation, state.count(grant.tag_hash, LeafType.MESSAGE))


def admit_erasure(operation: EraseOperation, state: State, now: int) -> Erased:
    """Section 9: after the end of a grant; 90 days later when it was given for somebody else. Again is no error.

    Raises `Rejected`: `unknown_lock` 404, `not_ended` 409.
    """
    grant = state.by_slot(operation.slot)
    if grant is None:
        raise Rejected("unknown_lock", "no grant has this slot", status=404)
    ended_at = min(grant.not_after, grant.revoked_at if grant.revoked_at is not None else grant.not_after)
    if now < ended_at + (REPRESENTED_DELAY if grant.represented else 0):
        raise Rejected("not_ended", "openings can be erased only after the end of the grant", status=409)
    return Erased(grant.slot)
