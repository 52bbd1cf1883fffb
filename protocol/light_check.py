"""The light check: does this grant stand, by the log and its witnesses (**ours**, protocol section 6)?

An agency runs it on what the log answers to a READ, a wallet on its own status bit; nothing is fetched. It reads
about 3 kB. Signatures and proofs are remembered by their exact bytes, the clock never.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from protocol.checkpoint import ChunkProof, Evidence, LeafProof, VerifiedCheckpoint, VerifiedStanding
from protocol.errors import Rejected
from protocol.leaf import Grant, Head, LeafType, commitment, parse_leaf
from protocol.log_keys import LogKey
from protocol.merkle import leaf_hash, verify_consistency, verify_inclusion
from protocol.policy import MAX_AGE, Policy, VerifiedQuorum, satisfied
from protocol.status_tree import SLOTS_PER_CHUNK, is_bit_set, verify_chunk

_REMEMBERED_PROOFS = 1024


@dataclass(frozen=True)
class KeptCheckpoint:
    """The largest checkpoint this party has verified before, and the proof between it and the one to check.

    `proof` goes from the smaller to the larger of the two. The caller MUST keep the larger one afterwards.
    """

    size: int
    root: bytes
    proof: Sequence[bytes] = ()


@dataclass(frozen=True)
class GrantOpening:
    """What the checker holds of its grant: `log` (origin) and `lock` as T has them, JCS(T), the opening key."""

    log: str
    lock: bytes
    terms: bytes
    opening_key: bytes


@dataclass(frozen=True)
class VerifiedStatus:
    """The bit of `slot` at a witnessed checkpoint, with `slots` and `time` as in `VerifiedStanding`.

    Made only by `verify_slot_status`.
    """

    slot: int
    is_revoked: bool
    checkpoint: VerifiedCheckpoint
    slots: int
    time: int


def verify_light_check(
    evidence: Evidence,
    grant: GrantOpening,
    *,
    log_key: LogKey,
    policy: Policy,
    now: int,
    max_age: int = MAX_AGE,
    kept: KeptCheckpoint | None = None,
) -> VerifiedStanding:
    """That the grant stands, at a checkpoint that a quorum saw at most `max_age` seconds before `now`.

    1. T.log is the origin; 2. the log signed the checkpoint, with each kind of key that it has; 3. a quorum of
    witnesses cosigned it, freshly, each key counted once; 4. the last leaf is a head; 5. the grant leaf is in the
    tree, has T's lock and opens to T; 6. its slot is one of the head's; 7. the status chunk is under the head's
    status root, and the slot's bit is 0; 8. the checkpoint is consistent with the one kept from before.
    Raises `Rejected`: `wrong_log`, `bad_signature`, `unknown_key`, `one_kind_missing`, `wrong_origin`,
    `no_quorum`, `stale_checkpoint`, `bad_head`, `bad_grant`, `bad_status`, `revoked` (410), `bad_inclusion`,
    `bad_consistency`, and those of parsing.
    """
    if grant.log != log_key.name:  # 1
        raise Rejected("wrong_log", "grant is in another log")
    quorum, time = _verify_checkpoint(evidence.checkpoint, log_key, policy, now, max_age)  # 2, 3
    checkpoint = quorum.checkpoint
    head = verify_head(checkpoint, evidence.head)  # 4
    leaf = _verify_grant(checkpoint, evidence.grant, grant)  # 5
    if verify_slot(head, leaf.slot, evidence.status):  # 6, 7
        raise Rejected("revoked", "grant was revoked", status=410)
    verify_kept(checkpoint, kept)  # 8
    return VerifiedStanding(leaf.slot, leaf.lock, evidence.grant.index, checkpoint, head.slots, time)


def verify_slot_status(
    note: str,
    head: LeafProof,
    status: ChunkProof,
    slot: int,
    *,
    log_key: LogKey,
    policy: Policy,
    now: int,
    max_age: int = MAX_AGE,
    kept: KeptCheckpoint | None = None,
) -> VerifiedStatus:
    """The bit of `slot`, revoked or not: how a wallet watches a grant whose receipt it has verified before.

    Steps 2, 3, 4, 6, 7 and 8 of `verify_light_check`, with the same refusals but `revoked`.
    """
    quorum, time = _verify_checkpoint(note, log_key, policy, now, max_age)
    verified_head = verify_head(quorum.checkpoint, head)
    is_revoked = verify_slot(verified_head, slot, status)
    verify_kept(quorum.checkpoint, kept)
    return VerifiedStatus(slot, is_revoked, quorum.checkpoint, verified_head.slots, time)


def verify_head(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> Head:
    """The head leaf, once it is found to be the last leaf of the checkpoint.

    Raises `Rejected`: `bad_head`, `bad_inclusion`.
    """
    if proof.index != checkpoint.size - 1:
        raise Rejected("bad_head", "head is not the last leaf")
    leaf = parse_leaf(verify_leaf(checkpoint, proof))
    if not isinstance(leaf, Head) or leaf.covers != proof.index:
        raise Rejected("bad_head", "last leaf is not a head of this tree")
    return leaf


def verify_leaf(checkpoint: VerifiedCheckpoint, proof: LeafProof) -> bytes:
    """The bytes of a leaf, once they are found in the tree of the checkpoint.

    Raises `Rejected`: `bad_inclusion`, `bad_base64`, `too_large`.
    """
    return _included_leaf(checkpoint.size, checkpoint.root, proof)


def verify_slot(head: Head, slot: int, status: ChunkProof) -> bool:
    """Whether `slot` is revoked. Raises `Rejected`: `bad_status`, `bad_inclusion`, `bad_base64`, `too_large`."""
    if not 0 <= slot < head.slots:
        raise Rejected("bad_status", "no grant has this slot yet")
    return is_bit_set(_included_chunk(head.status_root, head.slots, slot // SLOTS_PER_CHUNK, status), slot)


def verify_kept(checkpoint: VerifiedCheckpoint, kept: KeptCheckpoint | None) -> None:
    """That the log shows one history.

    A smaller checkpoint than the kept one is an answer that was overtaken: it must be a beginning of that tree.
    A failure is evidence against the log: both notes MUST be kept.

    Raises `Rejected`: `bad_consistency`.
    """
    if kept is None:
        return
    mine, theirs = (kept.size, kept.root), (checkpoint.size, checkpoint.root)
    small, large = (mine, theirs) if kept.size <= checkpoint.size else (theirs, mine)
    verify_consistency(*small, *large, kept.proof)


def _verify_checkpoint(
    note: str, log_key: LogKey, policy: Policy, now: int, max_age: int
) -> tuple[VerifiedQuorum, int]:
    quorum = satisfied(policy, note, now, max_age, log_keys=(log_key,))
    if quorum.time is None:
        raise Rejected("no_quorum", "a light check needs witnesses")
    return quorum, quorum.time


def _verify_grant(checkpoint: VerifiedCheckpoint, proof: LeafProof, grant: GrantOpening) -> Grant:
    """Step 5. Raises `Rejected`: `bad_grant`, `bad_inclusion`."""
    leaf = parse_leaf(verify_leaf(checkpoint, proof))
    if not isinstance(leaf, Grant) or leaf.lock != grant.lock:
        raise Rejected("bad_grant", "leaf is not the grant of these terms")
    if leaf.commit != commitment(grant.opening_key, LeafType.GRANT, grant.terms):
        raise Rejected("bad_grant", "grant leaf does not open to these terms")
    return leaf


@lru_cache(maxsize=_REMEMBERED_PROOFS)
def _included_leaf(size: int, root: bytes, proof: LeafProof) -> bytes:
    leaf = proof.leaf_bytes()
    verify_inclusion(leaf_hash(leaf), proof.index, size, proof.proof(), root)
    return leaf


@lru_cache(maxsize=_REMEMBERED_PROOFS)
def _included_chunk(root: bytes, slots: int, number: int, status: ChunkProof) -> bytes:
    chunk = status.chunk_bytes()
    verify_chunk(chunk, number, slots, status.proof(), root)
    return chunk
