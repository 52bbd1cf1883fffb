"""Verifying a fraud proof: offline, by anybody, trusting nothing in the file but what signatures and hashes prove.

The accused log's keys come from the verifier, never from the file. What convicts stands in `fraud_tree` (the
public tree) and `fraud_reads` (openings); here every note is verified and the kind finds its rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.checkpoint import VerifiedCheckpoint, verify_checkpoint
from protocol.errors import Rejected
from protocol.fraud_form import (
    BadLeaf,
    EntryChanged,
    ForcedRevocation,
    Fork,
    FraudEvidence,
    FraudProof,
    HeadSlots,
    HiddenRevocation,
    Inconsistent,
    LockReused,
    NoHead,
    NumberReused,
    OverdueRevocation,
    ReadAfterRevocation,
    ReadBeyondTerms,
    ReadTwice,
    RevokedTwice,
    SlotReused,
    SlotSkipped,
    Transcript,
    UntrueRefusal,
)
from protocol.fraud_reads import read_after_revocation, read_beyond_terms, read_booked_twice, untrue_refusal
from protocol.fraud_tree import (
    bad_leaf,
    entry_changed,
    forced_revocation,
    fork,
    head_slots,
    hidden_revocation,
    inconsistent,
    lock_reused,
    no_head,
    not_shown,
    number_reused,
    overdue,
    revoked_twice,
    slot_reused,
    slot_skipped,
    transcript,
)
from protocol.leaf import Grant
from protocol.log_keys import LogKey, keys_of
from protocol.note import VerifierKey, verify_note
from protocol.policy import MAX_CLOCK_SKEW, Policy, satisfied, verify_kept_checkpoint
from protocol.receipt import verify_revocation_receipt


@dataclass(frozen=True)
class Accused:
    """The log as the verifier knows it. Without `policy` no cosigner is named and nothing overdue can be judged;
    without `receipt_key` no promise can.
    """

    log: LogKey
    policy: Policy | None = None
    receipt_key: VerifierKey | None = None


@dataclass(frozen=True)
class VerifiedFraud:
    """What a log did: `kind`, a sentence, and who cosigned each of the signed trees (size, names of the policy).

    Made only by `verify_fraud_proof`.
    """

    kind: str
    text: str
    origin: str
    trees: tuple[tuple[int, tuple[str, ...]], ...]


def verify_fraud_proof(proof: FraudProof, accused: Accused, now: int) -> VerifiedFraud:
    """That the accused log did what `proof` says. `now` (POSIX seconds) only bounds cosignatures from the future.

    1. the file is about that log; 2. the log signed every checkpoint in it; 3. the rule of its kind convicts.
    Raises `Rejected`: `wrong_origin`, `not_shown`, `no_policy` (an overdue promise without policy or receipt key),
    and those of `verify_checkpoint`, of proofs and of parsing.
    """
    evidence = proof.evidence
    if proof.origin != keys_of(accused.log).name:  # 1.
        raise Rejected("wrong_origin", "the proof is about another log")
    notes = [getattr(evidence, name) for name in ("checkpoint", "first", "second", "older", "newer")
             if isinstance(getattr(evidence, name, None), str)]  # fmt: skip
    trees = [_signed(note, accused, now) for note in notes]  # 2.
    text = _of_two(evidence, trees) if len(trees) == 2 else _of_one(evidence, trees[0], accused, now)  # 3.
    kind = str(evidence.__struct_config__.tag)
    cosigned = tuple((tree.size, _cosigners(tree, accused.policy)) for tree in trees)
    return VerifiedFraud(kind, text, proof.origin, cosigned)


def _signed(note: str, accused: Accused, now: int) -> VerifiedCheckpoint:
    if accused.policy is None:
        return verify_checkpoint(note, accused.log)
    return verify_kept_checkpoint(accused.policy, note, now, keys_of(accused.log))


def _cosigners(tree: VerifiedCheckpoint, policy: Policy | None) -> tuple[str, ...]:
    """Names in the policy whose cosignatures verify: they saw that tree, and an auditing one answers for it."""
    names = []
    for witness in policy.witnesses if policy else ():
        try:
            verify_note(tree.note, [witness.key])
        except Rejected:
            continue
        names.append(witness.name)
    return tuple(names)


def _of_two(evidence: FraudEvidence, trees: Sequence[VerifiedCheckpoint]) -> str:
    """Kinds that hold two signed trees against each other."""
    first, second = trees
    match evidence:
        case Fork():
            return fork(first, second)
        case Inconsistent(root=root, hashes=hashes):
            return inconsistent(first, second, root, hashes)
        case EntryChanged(before=before, after=after):
            return entry_changed(first, second, before, after)
    raise TypeError("not a kind with two checkpoints")


def _of_one(evidence: FraudEvidence, tree: VerifiedCheckpoint, accused: Accused, now: int) -> str:
    """Kinds that show a lie within one signed tree."""
    match evidence:
        case NoHead(last=last):
            return no_head(tree, last)
        case BadLeaf(leaf=leaf):
            return bad_leaf(tree, leaf)
        case HeadSlots(head=head, grant=grant):
            return head_slots(tree, head, grant)
        case SlotReused(first=first, second=second):
            return slot_reused(tree, first, second)
        case SlotSkipped(run=run):
            return slot_skipped(tree, run)
        case LockReused(first=first, second=second):
            return lock_reused(tree, first, second)
        case ForcedRevocation(revocation=revocation, grant=grant):
            return forced_revocation(tree, revocation, grant)
        case RevokedTwice(first=first, second=second):
            return revoked_twice(tree, first, second)
        case HiddenRevocation(revocation=revocation, head=head, status=status):
            return hidden_revocation(tree, revocation, head, status)
        case NumberReused(first=first, second=second):
            return number_reused(tree, first, second)
        case Transcript(leaves=leaves):
            return transcript(tree, leaves)
        case OverdueRevocation():
            return _overdue(evidence, tree, accused, now)
        case _:
            return _of_openings(evidence, tree)


def _of_openings(evidence: FraudEvidence, tree: VerifiedCheckpoint) -> str:
    """Kinds that need what leaves commit to."""
    match evidence:
        case ReadAfterRevocation(revocation=revocation, read=read):
            return read_after_revocation(tree, revocation, read)
        case ReadTwice(first=first, second=second):
            return read_booked_twice(tree, first, second)
        case ReadBeyondTerms(grant=grant, read=read, n=n):
            return read_beyond_terms(tree, grant, read, n)
        case UntrueRefusal(grant=grant, refusal=refusal):
            return untrue_refusal(tree, grant, refusal)
    raise TypeError("not a kind of fraud proof")


def _overdue(evidence: OverdueRevocation, tree: VerifiedCheckpoint, accused: Accused, now: int) -> str:
    """A whole quorum had seen no larger tree when the deadline, and a skew of clocks, had passed.

    As good as the quorum: where two quorums need not share a witness, a witness that lags behind could have been
    asked to cosign an old tree late. It convicts of a broken promise, which an outage can break as well as a lie.
    """
    if accused.policy is None or accused.receipt_key is None:
        raise Rejected("no_policy", "a promise is judged by the log's receipt key and the witnesses' clocks")
    lock = _lock_of(evidence.grant.leaf_bytes())
    promise = verify_revocation_receipt(evidence.receipt, accused.receipt_key, origin=tree.origin, lock=lock)
    slot = overdue(tree, lock, evidence.grant, evidence.head, evidence.status)
    time = satisfied(accused.policy, tree.note, now, None, log_keys=(accused.log,)).time
    if time is None or time <= promise.deadline + MAX_CLOCK_SKEW:
        raise not_shown("the deadline had not passed for a whole quorum")
    late = time - promise.deadline
    return f"the revocation of slot {slot} was promised, and {late} seconds after the deadline not in the log"


def _lock_of(leaf: bytes) -> bytes:
    """The lock in a grant leaf, in its place in that form; `overdue` looks whether it is one."""
    return leaf[6:38] if leaf[:1] == bytes([Grant.type]) else b""
