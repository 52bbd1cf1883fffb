"""What of a verdict convicts the log before others: proofs for findings, and for what an agency kept of the log.

An agency's file convicts the log only by what the log signed: a receipt for an entry that is another one now, a
checkpoint of another tree. "Released without an entry" alone convicts nobody: a release bears no signature (N3).
"""

from collections.abc import Iterator, Sequence

from auditor.evidence import EvidenceFile
from auditor.findings import Finding, Verdict
from auditor.prove import Case, prove, prove_two
from auditor.proving_tree import ProvingTree
from protocol.canonical import b64u_fixed, parse_object
from protocol.checkpoint import ChunkProof, LeafProof, VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.fraud import Accused, verify_fraud_proof
from protocol.fraud_form import (
    EntryChanged,
    FraudEvidence,
    OverdueRevocation,
    encode_fraud_proof,
    make_fraud_proof,
)
from protocol.leaf import Grant, LeafType, Read, commitment, event_tag
from protocol.log_keys import LogKeys, keys_of
from protocol.note import VerifierKey
from protocol.policy import Policy, verify_kept_checkpoint
from protocol.receipt import parse_tlog_proof, verify_revocation_receipt, verify_tlog_proof
from protocol.replay import Replay
from protocol.status_tree import SLOTS_PER_CHUNK
from protocol.terms import Terms, parse_terms


def fraud_file(evidence: FraudEvidence | None, accused: Accused, now: int) -> bytes | None:
    """The file for `evidence`, once it is found to convict before whoever has the same keys; else None."""
    if evidence is None:
        return None
    proof = make_fraud_proof(keys_of(accused.log).name, evidence)
    try:
        verify_fraud_proof(proof, accused, now)
    except Rejected:
        return None
    return encode_fraud_proof(proof)


def convict_history(
    case: Case | None, verdict: Verdict, seen: Sequence[VerifiedCheckpoint]
) -> list[FraudEvidence]:
    """For the findings of `verdict`, and against trees that were seen before; each evidence once."""
    if case is None:
        return []
    found = [prove(case, finding) for finding in verdict.findings]
    if any(finding.code in ("forked", "shrunk", "bad_root") for finding in verdict.findings):
        found += [prove_two(before, case.checkpoint, case.tree) for before in seen]
    return _distinct(found)


def convict_log(
    case: Case | None, evidence: EvidenceFile, policy: Policy, keys: LogKeys, now: int
) -> list[FraudEvidence]:
    """For what an agency's file shows that the log signed."""
    return [] if case is None else _distinct([*_Kept(case, evidence, policy, keys, now).run()])


def check_promise(
    case: Case, receipt: str, key: VerifierKey, now: int
) -> tuple[list[Finding], FraudEvidence | None]:
    """Whether the log kept its signed answer to a revocation, in the tree of `case`, whose leaves were replayed.

    What it promised and did not keep, and the evidence; nothing before the deadline.
    Raises `Rejected`: `bad_receipt`, and those of `verify_revocation_receipt`; `unknown_lock`.
    """
    lines = receipt.split("\n")
    if len(lines) < 6:
        raise Rejected("bad_receipt", "not a revocation receipt of version 1")
    lock = b64u_fixed(lines[2], 32)
    promise = verify_revocation_receipt(receipt, key, origin=case.checkpoint.origin, lock=lock)
    replay = Replay()
    replay.apply_all(case.tree.leaves[: case.checkpoint.size])
    state = replay.locks.get(lock)
    if state is None:
        raise Rejected("unknown_lock", "the log has no grant with this lock", status=404)
    if state.revoked or now <= promise.deadline:
        return [], None
    number = state.slot // SLOTS_PER_CHUNK
    status = ChunkProof.make(replay.status.chunk(number), replay.status.proof(number))
    head = case.proof(case.checkpoint.size - 1)
    evidence = OverdueRevocation(case.note, receipt, case.proof(state.grant_index), head, status)
    text = f"a revocation was promised by {promise.deadline} (POSIX seconds) and is not in the log"
    return [Finding("completeness", "overdue_revocation", text, state.grant_index)], evidence


def kept_checkpoint(policy: Policy, note: str, now: int, keys: LogKeys) -> VerifiedCheckpoint | None:
    """A note that somebody kept, if the log signed it."""
    try:
        return verify_kept_checkpoint(policy, note, now, keys)
    except Rejected:
        return None


def _distinct(found: Sequence[FraudEvidence | None]) -> list[FraudEvidence]:
    distinct: list[FraudEvidence] = []
    for evidence in found:
        if evidence is not None and evidence not in distinct:
            distinct.append(evidence)
    return distinct


class _Kept:
    """Goes through an agency's file; what does not hold together is passed over: `check_evidence` tells of it."""

    def __init__(self, case: Case, evidence: EvidenceFile, policy: Policy, keys: LogKeys, now: int) -> None:
        self._case, self._evidence = case, evidence
        self._policy, self._keys, self._now = policy, keys, now

    def run(self) -> Iterator[FraudEvidence | None]:
        tree: ProvingTree = self._case.tree
        for note in self._evidence.checkpoints:
            kept = kept_checkpoint(self._policy, note, self._now, self._keys)
            if kept is not None:
                yield prove_two(kept, self._case.checkpoint, tree)
        terms: dict[int, Terms] = {}
        for grant in self._evidence.grants:
            try:
                terms[grant.slot] = parse_terms(parse_object(grant.terms))
                commit = commitment(b64u_fixed(grant.opening_key, 32), LeafType.GRANT, grant.terms.encode())
                leaf = Grant(grant.slot, b64u_fixed(terms[grant.slot].lock, 32), commit)
                yield self._changed(leaf.to_bytes(), grant.proof)
            except (Rejected, ValueError):
                continue
        for read in self._evidence.reads:
            if read.n is None or read.slot not in terms or read.opening_key is None:
                continue
            try:
                tag = event_tag(b64u_fixed(terms[read.slot].tag_key, 32), LeafType.READ, read.n)
                commit = commitment(b64u_fixed(read.opening_key, 32), LeafType.READ, read.token.encode())
                yield self._changed(Read(tag, commit).to_bytes(), read.proof)
            except (Rejected, ValueError):
                continue

    def _changed(self, leaf: bytes, receipt: str | None) -> FraudEvidence | None:
        """The receipt's tree has `leaf` where the present tree has another. Raises `Rejected`."""
        if receipt is None:
            return None
        proof = parse_tlog_proof(receipt)
        kept = verify_kept_checkpoint(self._policy, proof.checkpoint, self._now, self._keys)
        verify_tlog_proof(proof, leaf, kept)
        if proof.index >= self._case.checkpoint.size or self._case.tree.leaves[proof.index] == leaf:
            return None
        before = LeafProof.make(proof.index, leaf, proof.hashes)
        return EntryChanged(kept.note, self._case.note, before, self._case.proof(proof.index))
