"""Lies about reads that openings show: read after the revocation, beyond the terms, booked twice, untruly refused.

An opening binds: it is what the leaf commits to, under a key of exactly 32 bytes, so nobody can open a leaf to
something else. Functions as in `fraud_tree`. What the log knew and a proof cannot is its own clock: it lies within
`READ_SKEW` of a READ's `iat`, and only what is wrong at every such moment convicts.
"""

from protocol.canonical import b64u_fixed, canonical_bytes, parse_object
from protocol.checkpoint import LeafProof, VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.fraud_form import Opened
from protocol.fraud_tree import leaf_in, not_shown, revocation_in
from protocol.leaf import Grant, Leaf, LeafType, Refusal, commitment, event_tag, lock_of
from protocol.leaf import Read as ReadLeaf
from protocol.reading import READ_SKEW, Read, is_in_scope, parse_read
from protocol.terms import Terms, in_context, parse_terms


def _opened(checkpoint: VerifiedCheckpoint, opened: Opened) -> Leaf:
    """The leaf, once it is found to open to this text. Raises `Rejected`: `not_shown`, `bad_inclusion`."""
    leaf = leaf_in(checkpoint, opened.leaf)
    if not isinstance(leaf, Grant | ReadLeaf | Refusal):
        raise not_shown("this leaf opens to no grant and no READ")
    key = b64u_fixed(opened.opening_key, 32)
    if commitment(key, leaf.type, opened.opening.encode("utf-8")) != leaf.commit:
        raise not_shown("the opening is not what the leaf commits to")
    return leaf


def _granted(checkpoint: VerifiedCheckpoint, grant: Opened) -> tuple[Grant, Terms]:
    leaf = _opened(checkpoint, grant)
    if not isinstance(leaf, Grant):
        raise not_shown("this leaf is no grant")
    terms = parse_terms(parse_object(grant.opening))
    if b64u_fixed(terms.lock, 32) != leaf.lock:
        raise not_shown("the terms are of another grant")
    return leaf, terms


def _read_of(checkpoint: VerifiedCheckpoint, opened: Opened) -> tuple[ReadLeaf, Read]:
    leaf = _opened(checkpoint, opened)
    if not isinstance(leaf, ReadLeaf):
        raise not_shown("this leaf is no read")
    return leaf, parse_read(opened.opening).read


def _refusal_of(checkpoint: VerifiedCheckpoint, opened: Opened) -> tuple[str, Read]:
    """(reason, READ)."""
    if not isinstance(_opened(checkpoint, opened), Refusal):
        raise not_shown("this leaf is no refusal")
    return refused_read(opened.opening)


def refused_read(opening: str) -> tuple[str, Read]:
    """(reason, READ) of what a refusal leaf opens to. Raises `Rejected`: `bad_opening`, `bad_read`."""
    members = parse_object(opening)
    token, reason = members.get("read"), members.get("reason")
    is_whole = set(members) == {"read", "reason"} and canonical_bytes(members) == opening.encode("utf-8")
    if not isinstance(token, str) or not isinstance(reason, str) or not is_whole:
        raise Rejected("bad_opening", "a refusal opens to its READ and a reason")
    return reason, parse_read(token).read


def read_after_revocation(checkpoint: VerifiedCheckpoint, revocation: LeafProof, read: Opened) -> str:
    """The READ names slot and lock; who revoked that lock did so in an earlier leaf (G2)."""
    ended, (_, found) = revocation_in(checkpoint, revocation), _read_of(checkpoint, read)
    if (found.slot, b64u_fixed(found.lock, 32)) != (ended.slot, lock_of(ended.r)):
        raise not_shown("the READ is about another grant")
    if read.leaf.index < revocation.index:
        raise not_shown("the read came first")
    return f"entry {read.leaf.index} is a read under a grant that entry {revocation.index} had revoked"


def read_booked_twice(checkpoint: VerifiedCheckpoint, first: Opened, second: Opened) -> str:
    """A READ gets one entry, however often it is sent; another with its read_id gets none (section 8.2)."""
    one, other = (_any_read(checkpoint, opened) for opened in (first, second))
    if first.leaf.index == second.leaf.index or (one.slot, one.read_id) != (other.slot, other.read_id):
        raise not_shown("these are two READs")
    return f"entries {first.leaf.index} and {second.leaf.index} are one READ"


def _any_read(checkpoint: VerifiedCheckpoint, opened: Opened) -> Read:
    if isinstance(_opened(checkpoint, opened), Refusal):
        return refused_read(opened.opening)[1]
    return _read_of(checkpoint, opened)[1]


def read_beyond_terms(checkpoint: VerifiedCheckpoint, grant: Opened, read: Opened, n: int | None) -> str:
    """The log admits what T admits and nothing else, and every read leaf was admitted."""
    leaf, terms = _granted(checkpoint, grant)
    read_leaf, found = _read_of(checkpoint, read)
    if (found.slot, found.lock) != (leaf.slot, terms.lock):
        raise not_shown("the READ is about another grant")
    excess = excess_of(terms, found)
    if excess is None and n is not None and _is_one_too_many(terms, read_leaf, n):
        excess = "too_many_reads"
    if excess is None:
        raise not_shown("the grant admits this read")
    return f"{excess}: entry {read.leaf.index} is a read that the grant at entry {grant.leaf.index} does not admit"


def excess_of(terms: Terms, read: Read) -> str | None:
    """What a READ of this grant asks beyond it at every moment at which the log can have judged it; None: nothing.

    `read_of_another_log`, `read_out_of_dates`, `read_out_of_scope`, `read_out_of_context`.
    """
    if read.aud != terms.log:
        return "read_of_another_log"
    if read.iat + READ_SKEW < terms.not_before or read.iat - READ_SKEW >= terms.not_after:
        return "read_out_of_dates"
    if not is_in_scope(terms, read):
        return "read_out_of_scope"
    return None if _contexts(terms, read) & {True} else "read_out_of_context"


def _contexts(terms: Terms, read: Read) -> set[bool]:
    """Whether the context admits the READ, at all moments: days and hours last longer than the skew."""
    times = (max(0, read.iat - READ_SKEW), read.iat, read.iat + READ_SKEW)
    return {in_context(terms.context, time, read.zone) for time in times}


def _is_one_too_many(terms: Terms, leaf: ReadLeaf, n: int) -> bool:
    if terms.max_reads is None or n < terms.max_reads or n >= 2**63:
        return False
    return event_tag(b64u_fixed(terms.tag_key, 32), LeafType.READ, n) == leaf.tag


def untrue_refusal(checkpoint: VerifiedCheckpoint, grant: Opened, refusal: Opened) -> str:
    """A refusal is signed work too: its reason must be true of the grant."""
    leaf, terms = _granted(checkpoint, grant)
    reason, read = _refusal_of(checkpoint, refusal)
    if (read.slot, read.lock) != (leaf.slot, terms.lock):
        raise not_shown("the refusal is about another grant")
    if not is_untrue(terms, read, reason):
        raise not_shown("the grant does not contradict this reason")
    return f"entry {refusal.leaf.index} refuses a read for a reason that its grant contradicts: {reason}"


def is_untrue(terms: Terms, read: Read, reason: str) -> bool:
    """Whether T and the READ alone contradict `reason`; **not** `revoked`, `no_share` or the number of reads."""
    match reason:
        case "not_yet":
            return read.iat - READ_SKEW >= terms.not_before
        case "expired":
            return read.iat + READ_SKEW < terms.not_after
        case "reads_spent":
            return terms.max_reads is None
        case "out_of_scope":
            return is_in_scope(terms, read)
        case "out_of_context":
            return _contexts(terms, read) == {True}
    return False
