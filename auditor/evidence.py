"""An agency's evidence against the log: does all it shows stand there, and does it show all that stands there?

Works without openings: the agency's own file has the keys to recognise its entries. No value is in it. What the
file says counts only as far as it is signed: by the agency about itself, by the log about the log.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.findings import Finding
from auditor.integrity import readable
from auditor.openings import AgencyAt
from protocol.canonical import b64u_fixed, parse_object
from protocol.errors import Rejected
from protocol.leaf import Grant, Leaf, LeafType, Read, commitment, event_tag
from protocol.log_keys import log_keys
from protocol.merkle import Frontier, leaf_hash
from protocol.policy import parse_policy, verify_kept_checkpoint
from protocol.reading import parse_read, verify_read
from protocol.terms import Terms, parse_terms
from protocol.trust_list import TrustList


@dataclass(frozen=True)
class GrantEvidence:
    """A grant as the agency holds it: `terms` is JCS text, `opening_key` b64u, `proof` the log's tlog-proof."""

    slot: int
    grant_index: int
    terms: str
    opening_key: str
    proof: str | None = None


@dataclass(frozen=True)
class ReadEvidence:
    """A READ as the agency made it; without an answer the last four are None."""

    slot: int
    token: str
    n: int | None
    leaf_index: int | None
    opening_key: str | None
    proof: str | None = None


@dataclass(frozen=True)
class EvidenceFile:
    """What `regie verifier evidence` exports. `checkpoints`: notes of the log that the agency kept, and those that
    it found to contradict each other.
    """

    oin: str
    log: str
    grants: Sequence[GrantEvidence]
    reads: Sequence[ReadEvidence]
    checkpoints: Sequence[str]


def check_evidence(
    evidence: EvidenceFile, leaves: Sequence[bytes], trust: TrustList, agency_at: AgencyAt
) -> list[Finding]:
    """Findings on completeness, and on integrity by 5., for `leaves` that `integrity.check_history` has looked at.

    1. each grant opens its leaf; 2. each READ is signed by the agency, and opens its leaf if it was answered;
    3. no number is used twice; 4. every read leaf under the agency's tags has its READ in the file; 5. checkpoints
    that it kept and the log signed are of this history.
    """
    return [*_Check(evidence, leaves, trust, agency_at).run()]


class _Check:
    def __init__(
        self, evidence: EvidenceFile, leaves: Sequence[bytes], trust: TrustList, agency_at: AgencyAt
    ) -> None:
        self._evidence = evidence
        self._data = leaves
        self._leaves = readable(leaves)
        self._trust = trust
        self._agency_at = agency_at
        self._terms: dict[int, Terms] = {}
        self._unanswered: dict[str, set[str]] = {}

    def run(self) -> Iterator[Finding]:
        for grant in self._evidence.grants:
            yield from self._grant(grant)  # 1.
        for read in self._evidence.reads:
            yield from self._read(read)  # 2.
        yield from self._numbers()  # 3., 4.
        yield from self._checkpoints()  # 5.

    def _leaf(self, index: int | None) -> Leaf | None:
        return self._leaves[index] if index is not None and 0 <= index < len(self._leaves) else None

    def _grant(self, grant: GrantEvidence) -> Iterator[Finding]:
        try:
            terms = parse_terms(parse_object(grant.terms))
            commit = commitment(b64u_fixed(grant.opening_key, 32), LeafType.GRANT, grant.terms.encode())
            expected = Grant(grant.slot, b64u_fixed(terms.lock, 32), commit)
        except Rejected as error:
            yield Finding("completeness", "bad_evidence", f"a grant: {error.detail}", grant.grant_index)
            return
        if self._leaf(grant.grant_index) != expected:
            yield Finding("completeness", "grant_not_in_log", "the log has no such grant", grant.grant_index)
            return
        self._terms[grant.slot] = terms

    def _read(self, read: ReadEvidence) -> Iterator[Finding]:
        terms = self._terms.get(read.slot)
        if terms is None:
            return
        try:
            self._check_signed(read, terms)
            if read.n is None:
                self._unanswered.setdefault(terms.tag_key, set()).add(read.token)
                return
            tag = event_tag(b64u_fixed(terms.tag_key, 32), LeafType.READ, read.n)
            key = b64u_fixed(read.opening_key or "", 32)
            expected = Read(tag, commitment(key, LeafType.READ, read.token.encode()))
        except Rejected as error:
            yield Finding("completeness", "bad_evidence", f"a READ: {error.detail}", read.leaf_index)
            return
        if self._leaf(read.leaf_index) != expected:
            yield Finding("completeness", "read_not_in_log", "the log has no such read", read.leaf_index)

    def _check_signed(self, read: ReadEvidence, terms: Terms) -> None:
        agency = self._agency_at(self._evidence.oin, parse_read(read.token).read.iat)
        signed = verify_read(read.token, agency, None).read
        if (signed.slot, signed.lock) != (read.slot, terms.lock):
            raise Rejected("bad_evidence", "it is about another grant")

    def _numbers(self) -> Iterator[Finding]:
        """READs without an answer may or may not have got an entry: each of them excuses one."""
        where = {leaf.tag: index for index, leaf in enumerate(self._leaves) if isinstance(leaf, Read)}
        shown: dict[str, Counter[int]] = {}
        for read in self._evidence.reads:
            if (terms := self._terms.get(read.slot)) is not None and read.n is not None:
                shown.setdefault(terms.tag_key, Counter())[read.n] += 1
        for tag_key in dict.fromkeys(terms.tag_key for terms in self._terms.values()):
            numbers = shown.get(tag_key, Counter())
            if any(count > 1 for count in numbers.values()):
                yield Finding("completeness", "number_used_twice", "two READs carry the same number")
            hidden = [index for n, index in _entries(tag_key, where) if n not in numbers]
            for index in hidden[len(self._unanswered.get(tag_key, ())) :]:
                yield Finding("completeness", "missing_in_evidence", "the agency does not show this read", index)

    def _checkpoints(self) -> Iterator[Finding]:
        """What the log did not sign tells nothing about the log: an agency could have written it itself."""
        listed = self._trust.log(self._evidence.log)
        policy, keys = parse_policy(listed.policy), log_keys(listed)
        tree = Frontier()
        roots = [tree.root()]
        for leaf in self._data:
            tree.append(leaf_hash(leaf))
            roots.append(tree.root())
        for note in self._evidence.checkpoints:
            try:
                kept = verify_kept_checkpoint(policy, note, self._trust.exp, keys)
            except Rejected as error:
                yield Finding("completeness", "bad_evidence", f"a checkpoint: {error.detail}")
                continue
            if kept.size >= len(roots):
                text = f"the agency was shown {kept.size} entries, now there are {len(self._data)}"
                yield Finding("integrity", "shrunk", text)
            elif roots[kept.size] != kept.root:
                text = f"the agency was shown another tree of {kept.size} entries"
                yield Finding("integrity", "forked", text, kept.size)


def _entries(tag_key: str, where: dict[bytes, int]) -> Iterator[tuple[int, int]]:
    """(n, index) of all read leaves under a tag key: numbers count up from 0 without a gap."""
    key, n = b64u_fixed(tag_key, 32), 0
    while (index := where.get(event_tag(key, LeafType.READ, n))) is not None:
        yield n, index
        n += 1
