"""Lies that the public tree alone shows: each function says, from the least evidence, that no honest log did this.

Arguments were taken out of a fraud proof; every checkpoint is one that the accused log signed. A function returns
the sentence that convicts, or raises `Rejected`: `not_shown` when the evidence shows no lie, `bad_inclusion` when
something is not in that tree. Why each is enough stands beside it.
"""

from collections.abc import Sequence

from protocol.canonical import b64u_decode, b64u_fixed
from protocol.checkpoint import ChunkProof, LeafProof, VerifiedCheckpoint, decode_hashes
from protocol.errors import Rejected
from protocol.fraud_form import MAX_TRANSCRIPT_BYTES
from protocol.leaf import Grant, Head, Leaf, Message, Read, Refusal, Revocation, lock_of, parse_leaf
from protocol.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from protocol.replay import Replay
from protocol.status_tree import SLOTS_PER_CHUNK, is_bit_set, verify_chunk


def not_shown(text: str) -> Rejected:
    """The evidence, true as it may be, convicts nobody."""
    return Rejected("not_shown", text)


def included(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> bytes:
    """The leaf, once it is found under `checkpoint`. Raises `Rejected`: `bad_inclusion`, `bad_base64`."""
    data = proof.leaf_bytes()
    verify_inclusion(leaf_hash(data), proof.index, checkpoint.size, proof.proof(), checkpoint.root)
    return data


def leaf_in(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> Leaf:
    """The same as a value. Raises also `Rejected`: `not_shown` for a leaf of no known form."""
    data = included(checkpoint, proof)
    try:
        return parse_leaf(data)
    except Rejected as error:
        raise not_shown("a leaf is not what this kind of proof is about") from error


def _grant(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> Grant:
    leaf = leaf_in(checkpoint, proof)
    if not isinstance(leaf, Grant):
        raise not_shown("a leaf is no grant")
    return leaf


def revocation_in(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> Revocation:
    """The revocation leaf that `proof` shows."""
    leaf = leaf_in(checkpoint, proof)
    if not isinstance(leaf, Revocation):
        raise not_shown("a leaf is no revocation")
    return leaf


def _head(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> Head:
    leaf = leaf_in(checkpoint, proof)
    if not isinstance(leaf, Head):
        raise not_shown("a leaf is no head")
    return leaf


def fork(first: VerifiedCheckpoint, second: VerifiedCheckpoint) -> str:
    """A log signs one root for each size."""
    if first.size != second.size or first.root == second.root:
        raise not_shown("these are not two trees of one size")
    return f"the log signed two different trees of {first.size} entries"


def inconsistent(older: VerifiedCheckpoint, newer: VerifiedCheckpoint, root: str, hashes: str) -> str:
    """A consistency proof fixes the root of the first leaves: it can lead to one value only, and it is another."""
    start = b64u_fixed(root, 32)
    if older.size >= newer.size or start == older.root:
        raise not_shown("the newer tree is not shown to begin with another one")
    verify_consistency(older.size, start, newer.size, newer.root, decode_hashes(hashes))
    return f"the tree of {newer.size} entries does not begin with the tree of {older.size} that the log signed"


def entry_changed(
    first: VerifiedCheckpoint, second: VerifiedCheckpoint, before: LeafProof, after: LeafProof
) -> str:
    """An append-only tree has one leaf for each index, for ever."""
    one, other = included(first, before), included(second, after)
    if before.index != after.index or one == other:
        raise not_shown("these are not two leaves of one index")
    return f"the log signed two different entries {before.index}"


def no_head(checkpoint: VerifiedCheckpoint, last: LeafProof) -> str:
    """Every signed tree ends in a head (protocol section 6)."""
    data = included(checkpoint, last)
    if last.index != checkpoint.size - 1:
        raise not_shown("this is not the last leaf")
    try:
        is_head = isinstance(parse_leaf(data), Head)
    except Rejected:
        is_head = False
    if is_head:
        raise not_shown("the last leaf is a head")
    return f"the tree of {checkpoint.size} entries does not end in a head"


def bad_leaf(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> str:
    """Six forms exist; a head tells its own index, a revocation an earlier one."""
    data = included(checkpoint, proof)
    try:
        leaf = parse_leaf(data)
    except Rejected:
        return f"entry {proof.index} has no known form"
    if isinstance(leaf, Head) and leaf.covers != proof.index:
        return f"the head at entry {proof.index} names another index"
    if isinstance(leaf, Revocation) and leaf.grant_index >= proof.index:
        return f"entry {proof.index} revokes what did not stand there yet"
    raise not_shown("nothing is wrong with this leaf by itself")


def head_slots(checkpoint: VerifiedCheckpoint, head: LeafProof, grant: LeafProof) -> str:
    """Slots count up without a gap, and a head counts those before it."""
    counted, slot = _head(checkpoint, head).slots, _grant(checkpoint, grant).slot
    too_few = grant.index < head.index and slot >= counted
    too_many = grant.index > head.index and slot < counted
    if not too_few and not too_many:
        raise not_shown("this head counts right as far as this grant shows")
    return f"the head at entry {head.index} counts {counted} slots, which the grant at entry {grant.index} belies"


def slot_reused(checkpoint: VerifiedCheckpoint, first: LeafProof, second: LeafProof) -> str:
    """Slots only count up."""
    one, other = _grant(checkpoint, first), _grant(checkpoint, second)
    if first.index >= second.index or one.slot < other.slot:
        raise not_shown("these grants take their slots in order")
    return f"the grant at entry {second.index} takes slot {other.slot}, which was taken before"


def slot_skipped(checkpoint: VerifiedCheckpoint, run: Sequence[LeafProof]) -> str:
    """Between leaves that follow each other nothing can hide: the next grant takes the next slot."""
    expected = 0 if run[0].index == 0 else None
    for place, proof in enumerate(run):
        if proof.index != run[0].index + place:
            raise not_shown("these leaves do not follow each other")
        leaf = _any_leaf(checkpoint, proof)
        if isinstance(leaf, Grant):
            if expected is not None and leaf.slot != expected:
                return f"the grant at entry {proof.index} does not take the next slot"
            expected = leaf.slot + 1
    raise not_shown("these grants take their slots in order")


def _any_leaf(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> Leaf | None:
    data = included(checkpoint, proof)
    try:
        return parse_leaf(data)
    except Rejected:
        return None


def lock_reused(checkpoint: VerifiedCheckpoint, first: LeafProof, second: LeafProof) -> str:
    """A lock never repeats."""
    one, other = _grant(checkpoint, first), _grant(checkpoint, second)
    if first.index == second.index or one.lock != other.lock:
        raise not_shown("these are not two grants under one lock")
    return f"the grants at entries {first.index} and {second.index} have one lock"


def forced_revocation(checkpoint: VerifiedCheckpoint, revocation: LeafProof, grant: LeafProof) -> str:
    """Only who shows r with H(r) = lock revokes, and the leaf says which grant that is."""
    leaf, data = revocation_in(checkpoint, revocation), included(checkpoint, grant)
    if leaf.grant_index != grant.index:
        raise not_shown("the revocation is of another entry")
    try:
        found: Leaf | None = parse_leaf(data)
    except Rejected:
        found = None
    if not isinstance(found, Grant) or found.slot != leaf.slot:
        return f"entry {revocation.index} revokes entry {grant.index}, which is no grant of that slot"
    if lock_of(leaf.r) == found.lock:
        raise not_shown("the secret fits the lock")
    return f"entry {revocation.index} revokes the grant at entry {grant.index} without its secret"


def revoked_twice(checkpoint: VerifiedCheckpoint, first: LeafProof, second: LeafProof) -> str:
    """A revocation is final."""
    one, other = revocation_in(checkpoint, first), revocation_in(checkpoint, second)
    if first.index == second.index or one.slot != other.slot:
        raise not_shown("these are not two revocations of one slot")
    return f"entries {first.index} and {second.index} revoke one grant"


def hidden_revocation(
    checkpoint: VerifiedCheckpoint, revocation: LeafProof, head: LeafProof, status: ChunkProof
) -> str:
    """A head commits to the status array after all leaves before it, and nothing is ever unrevoked."""
    slot = revocation_in(checkpoint, revocation).slot
    if revocation.index >= head.index:
        raise not_shown("the head stands before the revocation")
    if is_shown_revoked(_head(checkpoint, head), slot, status):
        raise not_shown("the head shows the revocation")
    return f"the head at entry {head.index} hides the revocation at entry {revocation.index}"


def is_shown_revoked(head: Head, slot: int, status: ChunkProof) -> bool:
    """The bit of `slot` under a head. Raises `Rejected`: `not_shown`, `bad_status`, `bad_inclusion`."""
    if slot >= head.slots:
        raise not_shown("the head does not count this slot")
    chunk = status.chunk_bytes()
    verify_chunk(chunk, slot // SLOTS_PER_CHUNK, head.slots, status.proof(), head.status_root)
    return is_bit_set(chunk, slot)


def overdue(
    checkpoint: VerifiedCheckpoint, lock: bytes, grant: LeafProof, head: LeafProof, status: ChunkProof
) -> int:
    """The slot of `lock`, once the last head of `checkpoint` is found to show it as live."""
    found = _grant(checkpoint, grant)
    if found.lock != lock or head.index != checkpoint.size - 1:
        raise not_shown("not the promised grant, or not the last head")
    if is_shown_revoked(_head(checkpoint, head), found.slot, status):
        raise not_shown("the revocation is in the log")
    return found.slot


def number_reused(checkpoint: VerifiedCheckpoint, first: LeafProof, second: LeafProof) -> str:
    """A tag is an HMAC of kind and number under the grant's key: two equal ones are one number."""
    one, other = leaf_in(checkpoint, first), leaf_in(checkpoint, second)
    events = isinstance(one, Read | Refusal | Message) and isinstance(other, Read | Refusal | Message)
    if first.index == second.index or not events or type(one) is not type(other) or one.tag != other.tag:  # type: ignore[union-attr]
        raise not_shown("these are not two events of one number")
    return f"entries {first.index} and {second.index} carry one number of one grant"


def transcript(checkpoint: VerifiedCheckpoint, leaves: str) -> str:
    """All leaves have the signed root, and one breaks a rule that follows from those before it."""
    entries = _entries(b64u_decode(leaves, max_bytes=MAX_TRANSCRIPT_BYTES))
    tree = Frontier()
    for data in entries:
        tree.append(leaf_hash(data))
    if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
        raise not_shown("these are not the leaves of the signed tree")
    replay = Replay()
    for data in entries:
        try:
            replay.apply(data)
        except Rejected as error:
            return f"{error.code}: {error.detail}"
    raise not_shown("these leaves break no rule")


def _entries(data: bytes) -> list[bytes]:
    """Leaves, each after its u16 length. Raises `Rejected`: `not_shown`."""
    entries, place = [], 0
    while place < len(data):
        end = place + 2 + int.from_bytes(data[place : place + 2], "big")
        entries.append(data[place + 2 : end])
        place = end
    if place != len(data):
        raise not_shown("the transcript ends within a leaf")
    return entries
