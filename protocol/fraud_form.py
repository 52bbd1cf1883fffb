"""`regie/fraud-proof/v1`: one self-contained file that convicts a log (**ours**, docs/decisions/0009).

JSON in its canonical form: `format`, `origin`, `sha256` (over the canonical form without that member: two copies
of one file are the same, and a damaged one says so) and `evidence`, whose `kind` names the lie. Notes are as the
log signed them; proofs are as everywhere (`LeafProof`, `ChunkProof`). Here is the form; nothing is verified.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from protocol.canonical import b64u_encode, canonical_bytes, parse_struct, sha256, to_builtins
from protocol.checkpoint import ChunkProof, LeafProof
from protocol.errors import Rejected

FORMAT: Literal["regie/fraud-proof/v1"] = "regie/fraud-proof/v1"
MAX_FRAUD_BYTES = 12 * 1024 * 1024
"""A transcript of the largest size in base64url, with its checkpoint."""
MAX_TRANSCRIPT_BYTES = 8 * 1024 * 1024
"""Leaves of a transcript, about 150,000: they are replayed in a second or two."""
MAX_RUN = 256
"""Leaves in a row that show a slot to be skipped."""

Note: TypeAlias = Annotated[str, msgspec.Meta(max_length=65536)]
B64u: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]


class Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leaf with what it commits to: digests, hashes and signatures, never a value (protocol section 6)."""

    leaf: LeafProof
    opening_key: B64u
    opening: Annotated[str, msgspec.Meta(max_length=131072)]


class _Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    """One lie with the least that shows it."""


class Fork(_Evidence, frozen=True, tag="fork"):
    """Two signed trees of one size."""

    first: Note
    second: Note


class Inconsistent(_Evidence, frozen=True, tag="inconsistent"):
    """The tree of `newer` begins with another one than `older`: with `root`, shown by `hashes`."""

    older: Note
    newer: Note
    root: B64u
    hashes: B64u


class EntryChanged(_Evidence, frozen=True, tag="entry_changed"):
    """Under two signed trees two leaves stand at one index."""

    first: Note
    second: Note
    before: LeafProof
    after: LeafProof


class NoHead(_Evidence, frozen=True, tag="no_head"):
    """A signed tree whose last leaf is no head."""

    checkpoint: Note
    last: LeafProof


class BadLeaf(_Evidence, frozen=True, tag="bad_leaf"):
    """A leaf of no known form, a head that names another index, a revocation of a later leaf."""

    checkpoint: Note
    leaf: LeafProof


class HeadSlots(_Evidence, frozen=True, tag="head_slots"):
    """A head that counts fewer slots than a grant before it takes, or more than a grant after it leaves."""

    checkpoint: Note
    head: LeafProof
    grant: LeafProof


class SlotReused(_Evidence, frozen=True, tag="slot_reused"):
    """A later grant with the same or a lower slot."""

    checkpoint: Note
    first: LeafProof
    second: LeafProof


class SlotSkipped(_Evidence, frozen=True, tag="slot_skipped"):
    """Leaves without a gap, from a grant (or the first leaf of all) to one that does not take the next slot."""

    checkpoint: Note
    run: Annotated[list[LeafProof], msgspec.Meta(min_length=1, max_length=MAX_RUN)]


class LockReused(_Evidence, frozen=True, tag="lock_reused"):
    """Two grants under one lock."""

    checkpoint: Note
    first: LeafProof
    second: LeafProof


class ForcedRevocation(_Evidence, frozen=True, tag="forced_revocation"):
    """A revocation whose secret does not fit the lock of its grant, or that is of no such grant."""

    checkpoint: Note
    revocation: LeafProof
    grant: LeafProof


class RevokedTwice(_Evidence, frozen=True, tag="revoked_twice"):
    """Two revocations of one slot."""

    checkpoint: Note
    first: LeafProof
    second: LeafProof


class HiddenRevocation(_Evidence, frozen=True, tag="hidden_revocation"):
    """A head after a revocation, whose status array shows the grant as live."""

    checkpoint: Note
    revocation: LeafProof
    head: LeafProof
    status: ChunkProof


class OverdueRevocation(_Evidence, frozen=True, tag="overdue_revocation"):
    """A signed promise to take in a revocation, and a later tree, seen by a quorum, that lacks it."""

    checkpoint: Note
    receipt: Note
    grant: LeafProof
    head: LeafProof
    status: ChunkProof


class NumberReused(_Evidence, frozen=True, tag="number_reused"):
    """Two events of one kind with one tag: one number of one grant used twice."""

    checkpoint: Note
    first: LeafProof
    second: LeafProof


class ReadAfterRevocation(_Evidence, frozen=True, tag="read_after_revocation"):
    """A read leaf after the revocation of the grant that its READ names."""

    checkpoint: Note
    revocation: LeafProof
    read: Opened


class ReadTwice(_Evidence, frozen=True, tag="read_booked_twice"):
    """Two leaves for one READ, or for two with one read_id."""

    checkpoint: Note
    first: Opened
    second: Opened


class ReadBeyondTerms(_Evidence, frozen=True, tag="read_beyond_terms"):
    """A read that its grant does not admit. `n`: its number, where that is what is wrong. Names T and the READ."""

    checkpoint: Note
    grant: Opened
    read: Opened
    n: Annotated[int, msgspec.Meta(ge=0)] | None = None


class UntrueRefusal(_Evidence, frozen=True, tag="untrue_refusal"):
    """A refusal whose reason the grant contradicts. Names T and the READ."""

    checkpoint: Note
    grant: Opened
    refusal: Opened


class Transcript(_Evidence, frozen=True, tag="transcript"):
    """All leaves of a signed tree (b64u; each after its u16 length), one of which breaks a rule of the log."""

    checkpoint: Note
    leaves: Annotated[str, msgspec.Meta(max_length=(MAX_TRANSCRIPT_BYTES * 4 + 2) // 3)]


FraudEvidence: TypeAlias = (
    Fork
    | Inconsistent
    | EntryChanged
    | NoHead
    | BadLeaf
    | HeadSlots
    | SlotReused
    | SlotSkipped
    | LockReused
    | ForcedRevocation
    | RevokedTwice
    | HiddenRevocation
    | OverdueRevocation
    | NumberReused
    | ReadAfterRevocation
    | ReadTwice
    | ReadBeyondTerms
    | UntrueRefusal
    | Transcript
)


class FraudProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file, unverified."""

    format: Literal["regie/fraud-proof/v1"]
    origin: Annotated[str, msgspec.Meta(max_length=255)]
    sha256: B64u
    evidence: FraudEvidence


def make_fraud_proof(origin: str, evidence: FraudEvidence) -> FraudProof:
    """The file for `evidence` against the log `origin`."""
    return FraudProof(FORMAT, origin, _digest(origin, evidence), evidence)


def encode_fraud_proof(proof: FraudProof) -> bytes:
    """Its one form."""
    return canonical_bytes(proof)


def parse_fraud_proof(data: bytes) -> FraudProof:
    """Form only, in its one form and undamaged. Raises `Rejected`: `bad_fraud_proof`, those of `parse_struct`."""
    proof = parse_struct(data, FraudProof, max_bytes=MAX_FRAUD_BYTES)
    if canonical_bytes(proof) != data or proof.sha256 != _digest(proof.origin, proof.evidence):
        raise Rejected("bad_fraud_proof", "not the canonical form, or damaged")
    return proof


def _digest(origin: str, evidence: FraudEvidence) -> str:
    members = {"format": FORMAT, "origin": origin, "evidence": to_builtins(evidence)}
    return b64u_encode(sha256(canonical_bytes(members)))
