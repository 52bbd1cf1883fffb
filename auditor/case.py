"""The file of one agreement: every entry of it, what it opens to, and the proof that it stands in the signed tree.

Made from leaves and openings that were asked for on purpose; no value is in any of them. What is wrong with an
entry is what an audit of openings (`openings`) finds wrong with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from auditor.book import EVENTS, Book
from auditor.findings import Finding
from auditor.openings import AgencyAt, OpeningsAudit, terms_in
from protocol.canonical import b64u_fixed
from protocol.checkpoint import LeafProof, VerifiedCheckpoint
from protocol.consent_api import Opening
from protocol.errors import Rejected
from protocol.fraud_reads import refused_read
from protocol.leaf import Grant, Leaf, LeafType, Message, Read, Refusal, Revocation, event_tag, parse_leaf
from protocol.merkle import NodeReader, inclusion_proof
from protocol.reading import Read as ReadPayload
from protocol.reading import ResidentMessage, parse_message, parse_read
from protocol.terms import Terms

EventKind = Literal["grant", "refresh", "read", "refusal", "stop", "message"]
_KINDS: Mapping[type, EventKind] = {
    Grant: "grant",
    Read: "read",
    Refusal: "refusal",
    Revocation: "stop",
    Message: "message",
}


@dataclass(frozen=True)
class CaseEvent:
    """One entry. `time`: what the party signed, POSIX seconds; None for a stop, which bears none.

    `leaf`: its bytes; `proof`: that it stands in the tree; `opening`: what the log opened of it, if it was not
    erased; `findings`: what is wrong with it. `attributes`: (credential type, name) that were given or read.
    """

    index: int
    kind: EventKind
    slot: int
    proof: LeafProof
    opening: Opening | None = None
    time: int | None = None
    terms: Terms | None = None
    read: ReadPayload | None = None
    reason: str = ""
    message: ResidentMessage | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def n(self) -> int | None:
        """Its number among events of its kind."""
        return None if self.opening is None else self.opening.n


@dataclass(frozen=True)
class CaseFile:
    """All entries of the agreement at `slot` (its other versions too) under one signed tree."""

    slot: int
    checkpoint: VerifiedCheckpoint
    terms: Terms | None
    events: tuple[CaseEvent, ...]
    is_whole: bool

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is wrong, in the order of the log."""
        return tuple(finding for event in self.events for finding in event.findings)

    @property
    def stop(self) -> CaseEvent | None:
        """How it was stopped; a revocation that a new version followed at once is none."""
        last = [event for event in self.events if event.kind in ("grant", "refresh", "stop")]
        return last[-1] if last and last[-1].kind == "stop" else None


def tags_of(terms: Terms, numbers: Mapping[LeafType, int]) -> dict[bytes, tuple[LeafType, int]]:
    """Tags that the events of an agreement can have, `numbers` of each kind: (kind, number) by tag."""
    key = b64u_fixed(terms.tag_key, 32)
    return {event_tag(key, kind, n): (kind, n) for kind in EVENTS for n in range(numbers.get(kind, 0))}


def make_case(
    slot: int,
    checkpoint: VerifiedCheckpoint,
    leaves: Mapping[int, bytes],
    openings: Mapping[int, Opening],
    nodes: NodeReader,
    agency_at: AgencyAt,
    *,
    is_whole: bool = True,
) -> CaseFile:
    """From the leaves of the agreement by index, its openings, and nodes of the whole tree.

    `is_whole`: whether all of them are here. Raises `Rejected`: those of parsing leaves, which were replayed.
    """
    parsed = {index: parse_leaf(data) for index, data in sorted(leaves.items())}
    findings: dict[int, list[Finding]] = {}
    audit = OpeningsAudit(Book(), agency_at, lambda index: (leaves[index], openings.get(index)))
    for finding in audit.check_some([(index, leaf, openings.get(index)) for index, leaf in parsed.items()]):
        if finding.index is not None:
            findings.setdefault(finding.index, []).append(finding)
    terms: dict[int, Terms] = {}
    events = []
    for index, leaf in parsed.items():
        proof = LeafProof.make(index, leaves[index], inclusion_proof(index, checkpoint.size, nodes))
        found = tuple(findings.get(index, ()))
        events.append(_event(index, leaf, openings.get(index), proof, found, terms))
    return CaseFile(slot, checkpoint, terms.get(slot), tuple(events), is_whole)


def _event(
    index: int,
    leaf: Leaf,
    opening: Opening | None,
    proof: LeafProof,
    findings: tuple[Finding, ...],
    terms: dict[int, Terms],
) -> CaseEvent:
    """The entry as far as it can be read; the audit says what cannot."""
    kind, slot = _KINDS[type(leaf)], _slot(leaf, opening)
    bare = CaseEvent(index, kind, slot, proof, opening, findings=findings)
    if opening is None or any(finding.code == "bad_opening" for finding in findings):
        return bare
    try:
        if isinstance(leaf, Grant):
            found = terms[leaf.slot] = terms_in(leaf, opening)
            named = tuple((claim.vct, claim.path[0]) for claim in found.claims)
            kind = "refresh" if found.version > 1 else "grant"
            return CaseEvent(
                index, kind, slot, proof, opening, found.not_before, found, attributes=named, findings=findings
            )
        if isinstance(leaf, Message):
            said = parse_message(opening.opening)
            return CaseEvent(index, kind, slot, proof, opening, said.iat, message=said, findings=findings)
        if isinstance(leaf, Refusal):
            reason, refused = refused_read(opening.opening)
            return _read_event(bare, refused, reason, terms.get(slot))
        return _read_event(bare, parse_read(opening.opening).read, "", terms.get(slot))
    except Rejected:
        return bare


def _read_event(bare: CaseEvent, read: ReadPayload, reason: str, terms: Terms | None) -> CaseEvent:
    names = {} if terms is None else {claim.digest: (claim.vct, claim.path[0]) for claim in terms.claims}
    return CaseEvent(
        bare.index,
        bare.kind,
        bare.slot,
        bare.proof,
        bare.opening,
        read.iat,
        read=read,
        reason=reason,
        attributes=tuple(names[digest] for digest in read.claims if digest in names),
        findings=bare.findings,
    )


def _slot(leaf: Leaf, opening: Opening | None) -> int:
    if isinstance(leaf, Grant | Revocation):
        return leaf.slot
    return opening.slot if opening is not None and opening.slot is not None else -1
