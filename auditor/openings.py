"""The openings, with the auditor's token: is every entry accounted for, and was every read allowed?

An opening holds digests, salted hashes and signatures, never a value. What was erased at the holder's wish has
none; then only counts remain. Time is what the parties signed: a READ's own `iat`, which the log accepts within
a minute.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.findings import Finding
from auditor.integrity import readable
from protocol.canonical import b64u_fixed, canonical_bytes, parse_object
from protocol.consent_api import Opening
from protocol.errors import Rejected
from protocol.leaf import Grant, LeafType, Message, Read, Refusal, Revocation, commitment, event_tag
from protocol.reading import READ_SKEW, UnverifiedRead, is_in_scope, parse_read, verify_read
from protocol.terms import Terms, in_context, parse_terms
from protocol.trust_list import TrustList

Event = Read | Refusal | Message
_TYPES = {Grant: LeafType.GRANT, Read: LeafType.READ, Refusal: LeafType.REFUSAL, Message: LeafType.MESSAGE}


@dataclass(frozen=True)
class _Grant:
    """An opened grant: its place in the log and its terms. `ended`: index of the revocation leaf."""

    index: int
    terms: Terms
    ended: int | None


def check_openings(leaves: Sequence[bytes], openings: Mapping[int, Opening], trust: TrustList) -> list[Finding]:
    """Findings on completeness and policy for `leaves` that `integrity.check_history` has looked at.

    1. every grant, read, refusal and message opens to its commitment; 2. terms are those of the leaf's lock; 3.
    a READ is signed by the recipient and about its grant; 4. dates, scope, context and count; 5. never after the
    revocation; 6. tags and numbers leave no gap; 7. nor does an entry of an opened grant hide among erased ones.
    """
    return [*_Audit(leaves, openings, trust).run()]


class _Audit:
    """One pass over the log; findings come out in the order of the leaves."""

    def __init__(self, leaves: Sequence[bytes], openings: Mapping[int, Opening], trust: TrustList) -> None:
        self._leaves = readable(leaves)
        self._openings = openings
        self._trust = trust
        self._ended = {
            leaf.grant_index: index for index, leaf in enumerate(self._leaves) if isinstance(leaf, Revocation)
        }
        self._grants: dict[int, _Grant] = {}
        self._versions: dict[str, dict[int, _Grant]] = defaultdict(dict)
        self._next: dict[tuple[str, LeafType], int] = defaultdict(int)
        self._erased = 0
        self._unopened: dict[tuple[LeafType, bytes], int] = {}

    def run(self) -> Iterator[Finding]:
        """All findings."""
        for index, leaf in enumerate(self._leaves):
            if not isinstance(leaf, Grant | Read | Refusal | Message):
                continue
            opening = self._openings.get(index)
            if opening is None:
                yield from self._without_opening(index, leaf)
                continue
            try:
                text = _opened(leaf, opening)  # 1.
                if isinstance(leaf, Grant):
                    self._keep_grant(index, leaf, text)
                else:
                    yield from self._event(index, leaf, opening, text)
            except Rejected as error:
                yield Finding(
                    "completeness", "bad_opening", f"{_TYPES[type(leaf)].name.lower()}: {error.detail}", index
                )
        yield from self._hidden()  # 7.

    def _without_opening(self, index: int, leaf: Grant | Event) -> Iterator[Finding]:
        """Erased openings belong to ended grants whose own opening is gone too; anything else is hidden."""
        if isinstance(leaf, Grant):
            self._erased += 1
        elif self._erased:
            self._unopened[_TYPES[type(leaf)], leaf.tag] = index
        else:
            yield _not_accounted_for(_TYPES[type(leaf)], index)

    def _hidden(self) -> Iterator[Finding]:
        """Unopened entries that carry the next numbers of a grant with an opening: nobody erased those."""
        for tag_key in dict.fromkeys(grant.terms.tag_key for grant in self._grants.values()):
            for leaf_type in (LeafType.READ, LeafType.REFUSAL, LeafType.MESSAGE):
                self._pass_erased(tag_key, leaf_type)
                while (index := self._next_unopened(tag_key, leaf_type)) is not None:
                    self._next[tag_key, leaf_type] += 1
                    yield _not_accounted_for(leaf_type, index)

    def _next_unopened(self, tag_key: str, leaf_type: LeafType) -> int | None:
        """Index of the unopened entry with the next number, if there is one so far."""
        tag = event_tag(b64u_fixed(tag_key, 32), leaf_type, self._next[tag_key, leaf_type])
        return self._unopened.get((leaf_type, tag))

    def _pass_erased(self, tag_key: str, leaf_type: LeafType) -> None:
        """Versions of a grant share their numbers: pass over those that an erased version may have used.

        After its end that version could get refusals and messages, but no read.
        """
        opened = self._versions[tag_key]
        if len(opened) >= max(opened):
            return
        last = opened[max(opened)].index
        while (index := self._next_unopened(tag_key, leaf_type)) is not None:
            if leaf_type is LeafType.READ and index > last:
                return
            self._next[tag_key, leaf_type] += 1

    def _keep_grant(self, index: int, leaf: Grant, text: str) -> None:
        terms = parse_terms(parse_object(text))
        if b64u_fixed(terms.lock, 32) != leaf.lock:  # 2.
            raise Rejected("bad_opening", "terms have another lock than their leaf")
        grant = self._grants[leaf.slot] = _Grant(index, terms, self._ended.get(index))
        self._versions[terms.tag_key][terms.version] = grant

    def _event(self, index: int, leaf: Event, opening: Opening, text: str) -> Iterator[Finding]:
        grant = self._grants.get(opening.slot) if opening.slot is not None else None
        if grant is None:
            yield Finding("completeness", "unknown_grant", "belongs to no grant before it", index)
            return
        yield from self._number(index, leaf, opening, grant.terms)  # 6.
        if isinstance(leaf, Read):
            yield from self._read(index, text, opening, grant)
        elif isinstance(leaf, Refusal):
            self._signed_read(_read_of_refusal(text), grant.terms)

    def _number(self, index: int, leaf: Event, opening: Opening, terms: Terms) -> Iterator[Finding]:
        leaf_type = _TYPES[type(leaf)]
        tag_key = b64u_fixed(terms.tag_key, 32)
        self._pass_erased(terms.tag_key, leaf_type)
        if opening.n is None or event_tag(tag_key, leaf_type, opening.n) != leaf.tag:
            yield Finding("completeness", "wrong_tag", "tag is not that of its grant and number", index)
        elif opening.n != self._next[terms.tag_key, leaf_type]:
            yield Finding(
                "completeness", "gap_in_n", "numbers of a grant's events do not follow each other", index
            )
        self._next[terms.tag_key, leaf_type] += 1

    def _signed_read(self, token: str, terms: Terms) -> UnverifiedRead:
        return UnverifiedRead(token, verify_read(token, self._trust.agency(terms.recipient), None).read)

    def _read(self, index: int, token: str, opening: Opening, grant: _Grant) -> Iterator[Finding]:
        terms = grant.terms
        try:
            read = self._signed_read(token, terms).read  # 3.
        except Rejected as error:
            yield Finding("policy", "read_not_by_recipient", error.detail, index)
            return
        if (read.slot, read.lock, read.aud) != (opening.slot, terms.lock, terms.log):
            yield Finding("policy", "read_of_another_grant", "the READ names another grant", index)
        if not terms.not_before - READ_SKEW <= read.iat < terms.not_after + READ_SKEW:  # 4.
            yield Finding("policy", "read_out_of_dates", "the READ lies outside the dates of its grant", index)
        if not is_in_scope(terms, read):
            yield Finding("policy", "read_out_of_scope", "the READ names what was not granted", index)
        if not in_context(terms.context, read.iat, read.zone):
            yield Finding("policy", "read_out_of_context", "day, hour or place was not granted", index)
        if terms.max_reads is not None and opening.n is not None and opening.n >= terms.max_reads:
            yield Finding("policy", "too_many_reads", "more reads than were granted", index)
        if grant.ended is not None and index > grant.ended:  # 5.
            yield Finding(
                "policy", "read_after_revocation", f"the grant was revoked by entry {grant.ended}", index
            )


def _not_accounted_for(leaf_type: LeafType, index: int) -> Finding:
    text = f"a {leaf_type.name.lower()} is not accounted for"
    return Finding("completeness", "leaf_without_opening", text, index)


def _opened(leaf: Grant | Event, opening: Opening) -> str:
    """The opening as text, once it is found to be what the leaf commits to. Raises `Rejected`: `bad_opening`."""
    text = opening.opening
    key = b64u_fixed(opening.opening_key, 32)
    if commitment(key, _TYPES[type(leaf)], text.encode("utf-8")) != leaf.commit:
        raise Rejected("bad_opening", "the opening is not what was committed to")
    return text


def _read_of_refusal(text: str) -> str:
    members = parse_object(text)
    token = members.get("read")
    if (
        not isinstance(token, str)
        or set(members) != {"read", "reason"}
        or canonical_bytes(members) != text.encode()
    ):
        raise Rejected("bad_opening", "a refusal opens to its READ and a reason")
    parse_read(token)
    return token
