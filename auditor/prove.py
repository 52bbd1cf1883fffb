"""From a finding to the smallest fraud proof that shows it to anybody: `protocol.fraud_form` written, not checked.

Works on leaves that have the signed root. Where no small evidence exists (a head that invents a revocation, say)
the whole transcript is the proof, up to its bound; where nothing signed shows the lie there is none (None).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.findings import Finding
from auditor.guess import hidden_chunk
from auditor.proving_tree import ProvingTree
from protocol.canonical import b64u_encode
from protocol.checkpoint import LeafProof, VerifiedCheckpoint, encode_hashes
from protocol.consent_api import Opening, StatusChunkAnswer
from protocol.errors import Rejected
from protocol.fraud_form import (
    MAX_RUN,
    MAX_TRANSCRIPT_BYTES,
    BadLeaf,
    ForcedRevocation,
    Fork,
    FraudEvidence,
    HeadSlots,
    HiddenRevocation,
    Inconsistent,
    LockReused,
    NoHead,
    NumberReused,
    Opened,
    ReadAfterRevocation,
    ReadBeyondTerms,
    ReadTwice,
    RevokedTwice,
    SlotReused,
    SlotSkipped,
    Transcript,
    UntrueRefusal,
)
from protocol.fraud_reads import refused_read
from protocol.leaf import Grant, Head, Leaf, Message, Read, Refusal, Revocation, parse_leaf
from protocol.merkle import NodeReader, consistency_proof, inclusion_proof, root
from protocol.reading import parse_read

ChunkSource = Callable[[int], StatusChunkAnswer | None]
"""`chunks(number)`: what the log itself answers about a chunk of its status array, if it does."""


@dataclass(frozen=True)
class Case:
    """A signed tree, all its leaves, and what the log opened of them."""

    checkpoint: VerifiedCheckpoint
    tree: ProvingTree
    openings: Mapping[int, Opening]
    chunks: ChunkSource

    @classmethod
    def of(
        cls,
        checkpoint: VerifiedCheckpoint,
        leaves: Sequence[bytes],
        openings: Mapping[int, Opening] | None = None,
        chunks: ChunkSource = lambda number: None,
    ) -> "Case | None":
        """None when the leaves are not those that were signed: what a log serves unsigned convicts nobody."""
        if len(leaves) < checkpoint.size:
            return None
        tree = ProvingTree(leaves)
        if tree.root(checkpoint.size) != checkpoint.root:
            return None
        return cls(checkpoint, tree, openings or {}, chunks)

    @property
    def note(self) -> str:
        """The signed tree."""
        return self.checkpoint.note

    def proof(self, index: int) -> LeafProof:
        """A leaf under the checkpoint."""
        hashes = inclusion_proof(index, self.checkpoint.size, self.tree.node)
        return LeafProof.make(index, self.tree.leaves[index], hashes)

    def opened(self, index: int) -> Opened | None:
        """A leaf with its opening, where the log gave one."""
        opening = self.openings.get(index)
        return None if opening is None else Opened(self.proof(index), opening.opening_key, opening.opening)

    def leaf(self, index: int) -> Leaf | None:
        """None for one of no known form, or beyond the tree."""
        if not 0 <= index < self.checkpoint.size:
            return None
        try:
            return parse_leaf(self.tree.leaves[index])
        except Rejected:
            return None

    def back(self, index: int) -> Iterator[tuple[int, Leaf]]:
        """Leaves before `index`, the nearest first."""
        for place in range(index - 1, -1, -1):
            leaf = self.leaf(place)
            if leaf is not None:
                yield place, leaf

    def transcript(self) -> Transcript | None:
        """All leaves, if they fit."""
        parts, size = [], 0
        for index in range(self.checkpoint.size):
            data = self.tree.leaves[index]
            size += 2 + len(data)
            if size > MAX_TRANSCRIPT_BYTES or len(data) >= 1 << 16:
                return None
            parts.append(len(data).to_bytes(2, "big") + data)
        return Transcript(self.note, b64u_encode(b"".join(parts)))


def prove(case: Case, finding: Finding) -> FraudEvidence | None:
    """Evidence for `finding` within one signed tree; None when nothing signed shows it."""
    if finding.code == "checkpoint_without_head":
        return NoHead(case.note, case.proof(case.checkpoint.size - 1))
    if finding.index is None or finding.index >= case.checkpoint.size:
        return None
    if finding.code.startswith("replay_"):
        return _replay(case, finding.code, finding.index) or case.transcript()
    return _opening(case, finding.code, finding.index)


def prove_two(older: VerifiedCheckpoint, newer: VerifiedCheckpoint, tree: ProvingTree) -> FraudEvidence | None:
    """Evidence that two signed trees are not one history; `tree` has at least the leaves of the larger one.

    None when they are one history, or when the larger is not the tree that the leaves give.
    """
    small, large = (older, newer) if older.size <= newer.size else (newer, older)
    if small.size == large.size:
        return None if small.root == large.root else Fork(small.note, large.note)
    return prove_ahead(small, large, tree.node) if len(tree.leaves) >= large.size else None


def prove_ahead(older: VerifiedCheckpoint, newer: VerifiedCheckpoint, nodes: NodeReader) -> FraudEvidence | None:
    """The same from nodes of the larger tree, as the log serves them: `newer` does not begin with `older`."""
    if older.size >= newer.size or root(newer.size, nodes) != newer.root:
        return None
    begins_with = root(older.size, nodes)
    if begins_with == older.root:
        return None
    hashes = encode_hashes(consistency_proof(older.size, newer.size, nodes))
    return Inconsistent(older.note, newer.note, b64u_encode(begins_with), hashes)


def _replay(case: Case, code: str, index: int) -> FraudEvidence | None:
    leaf, here = case.leaf(index), case.proof(index)
    match leaf:
        case None:
            return BadLeaf(case.note, here)
        case Grant():
            return _grant(case, leaf, here) if code == "replay_slot" else _same_lock(case, leaf, here)
        case Revocation():
            return _revocation(case, leaf, here)
        case Head():
            return _head(case, leaf, here)
    return None


def _grant(case: Case, leaf: Grant, here: LeafProof) -> FraudEvidence | None:
    run = [here]
    for index, before in case.back(here.index):
        if isinstance(before, Grant) and before.slot >= leaf.slot:
            return SlotReused(case.note, case.proof(index), here)
        if len(run) and index == run[0].index - 1 and len(run) < MAX_RUN:
            run.insert(0, case.proof(index))
        if isinstance(before, Grant):
            break
    first = case.leaf(run[0].index)
    starts = run[0].index == 0 or (isinstance(first, Grant) and len(run) > 1)
    return SlotSkipped(case.note, run) if starts else None


def _same_lock(case: Case, leaf: Grant, here: LeafProof) -> FraudEvidence | None:
    for index, before in case.back(here.index):
        if isinstance(before, Grant) and before.lock == leaf.lock:
            return LockReused(case.note, case.proof(index), here)
    return None


def _revocation(case: Case, leaf: Revocation, here: LeafProof) -> FraudEvidence | None:
    if leaf.grant_index >= here.index:
        return BadLeaf(case.note, here)
    for index, before in case.back(here.index):
        if isinstance(before, Revocation) and before.slot == leaf.slot:
            return RevokedTwice(case.note, case.proof(index), here)
    return ForcedRevocation(case.note, here, case.proof(leaf.grant_index))


def _head(case: Case, leaf: Head, here: LeafProof) -> FraudEvidence | None:
    if leaf.covers != here.index:
        return BadLeaf(case.note, here)
    for index, before in case.back(here.index):
        if isinstance(before, Grant):
            if before.slot >= leaf.slots:
                return HeadSlots(case.note, here, case.proof(index))
            break
    for index in range(here.index + 1, case.checkpoint.size):
        after = case.leaf(index)
        if isinstance(after, Grant):
            if after.slot < leaf.slots:
                return HeadSlots(case.note, here, case.proof(index))
            break
    return _hidden(case, leaf, here)


def _hidden(case: Case, leaf: Head, here: LeafProof) -> FraudEvidence | None:
    before = [case.leaf(index) for index in range(here.index)]
    revoked = {found.slot: index for index, found in enumerate(before) if isinstance(found, Revocation)}
    shown = hidden_chunk(leaf, before, case.chunks if here.index == case.checkpoint.size - 1 else None)
    if shown is None:
        return None
    slot, status = shown
    return HiddenRevocation(case.note, case.proof(revoked[slot]), here, status)


def _opening(case: Case, code: str, index: int) -> FraudEvidence | None:
    """What openings show; the log gave them, or there is no proof."""
    opening = case.openings.get(index)
    here = case.opened(index)
    leaf = case.leaf(index)
    if code in ("gap_in_n", "number_used_twice", "wrong_tag") and isinstance(leaf, Read | Refusal | Message):
        return _same_tag(case, leaf, index)
    if here is None or opening is None:
        return None
    if code == "read_booked_twice":
        return _same_read(case, opening, index)
    ended, granted = _of_slot(case, opening.slot)
    if code == "read_after_revocation":
        return ReadAfterRevocation(case.note, case.proof(ended), here) if ended is not None else None
    grant = case.opened(granted) if granted is not None else None
    if grant is None:
        return None
    if code == "untrue_refusal":
        return UntrueRefusal(case.note, grant, here)
    if code in ("read_out_of_dates", "read_out_of_scope", "read_out_of_context", "read_of_another_grant"):
        return ReadBeyondTerms(case.note, grant, here)
    return ReadBeyondTerms(case.note, grant, here, opening.n) if code == "too_many_reads" else None


def _of_slot(case: Case, slot: int | None) -> tuple[int | None, int | None]:
    """Indexes of the revocation and of the grant of a slot."""
    ended = granted = None
    for index in range(case.checkpoint.size):
        match case.leaf(index):
            case Revocation(slot=found) if found == slot:
                ended = index if ended is None else ended
            case Grant(slot=found) if found == slot:
                granted = index if granted is None else granted
    return ended, granted


def _same_tag(case: Case, leaf: Read | Refusal | Message, index: int) -> FraudEvidence | None:
    for place, before in case.back(index):
        if isinstance(before, type(leaf)) and before.tag == leaf.tag:
            return NumberReused(case.note, case.proof(place), case.proof(index))
    return None


def _same_read(case: Case, opening: Opening, index: int) -> FraudEvidence | None:
    name = _name_of_read(opening)
    for place, other in sorted(case.openings.items()):
        if place != index and other.slot == opening.slot and name is not None and _name_of_read(other) == name:
            first, second = case.opened(min(place, index)), case.opened(max(place, index))
            return ReadTwice(case.note, first, second) if first and second else None
    return None


def _name_of_read(opening: Opening) -> tuple[int, str] | None:
    """(slot, read_id) of what a read or refusal leaf opens to."""
    try:
        if opening.type == "refusal":
            read = refused_read(opening.opening)[1]
        elif opening.type == "read":
            read = parse_read(opening.opening).read
        else:
            return None
    except Rejected:
        return None
    return read.slot, read.read_id
