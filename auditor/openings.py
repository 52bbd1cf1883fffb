"""The openings, with the auditor's token: is every entry accounted for, and was every read allowed?

An opening holds digests, salted hashes and signatures, never a value. What was erased at the holder's wish has
none; then only counts remain. Time is what the parties signed: a READ's own `iat`, which the log accepts within
a minute; only what is wrong at every moment within that minute is a finding.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from auditor.book import Book
from auditor.findings import Finding
from auditor.integrity import readable
from auditor.tally import Observer
from protocol.canonical import b64u_fixed, parse_object
from protocol.consent_api import Opening
from protocol.errors import Rejected
from protocol.fraud_reads import excess_of, is_untrue, refused_read
from protocol.leaf import (
    Grant,
    Leaf,
    LeafType,
    Message,
    Read,
    Refusal,
    Revocation,
    commitment,
    event_tag,
    parse_leaf,
)
from protocol.reading import (
    UnverifiedRead,
    parse_message,
    parse_read,
    verify_agency_message,
    verify_read,
)
from protocol.rights import RESIDENT_KINDS
from protocol.terms import Terms, parse_terms
from protocol.trust_list import Agency

Event = Read | Refusal | Message
AgencyAt = Callable[[str, int], Agency]
"""`agency(oin, time)`: the agency as it was listed then. Raises `Rejected`: `not_listed`."""
GrantSource = Callable[[int], tuple[bytes, Opening | None]]
"""`grant(index)`: a grant leaf, and what the log opens of it, asked again; None when it was erased."""


def check_openings(leaves: Sequence[bytes], openings: Mapping[int, Opening], agency_at: AgencyAt) -> list[Finding]:
    """Findings on completeness and policy for `leaves` that `integrity.check_history` has looked at."""
    audit = OpeningsAudit(Book(), agency_at, lambda index: (leaves[index], openings.get(index)))
    return [*audit.check(leaves, openings)]


class OpeningsAudit:
    """Goes through a log in steps, with a `Book` for what it has to remember; findings in the order of leaves.

    1. every grant, read, refusal and message opens to its commitment; 2. terms are those of the leaf's lock; 3.
    a READ is signed by the recipient and about its grant; 4. dates, scope, context and count; 5. never after the
    revocation; 6. tags and numbers leave no gap; 7. nor does an entry of an opened grant hide among erased ones;
    8. a READ has one entry; 9. the reason of a refusal is true as far as terms and leaves tell.
    `observer` is told what passed 1. to 3., whatever is wrong with it otherwise.
    """

    def __init__(
        self, book: Book, agency_at: AgencyAt, grant_of: GrantSource, observer: Observer | None = None
    ) -> None:
        self._book = book
        self._observer = observer
        self._agency_at = agency_at
        self._grant_of = grant_of
        self._terms: dict[int, Terms] = {}

    def check(self, leaves: Sequence[bytes], openings: Mapping[int, Opening]) -> Iterator[Finding]:
        """The leaves that come next, with their openings by index."""
        start = self._book.opened_to
        for index, leaf in enumerate(readable(leaves), start):
            yield from self._leaf(index, leaf, openings.get(index))
        self._book.opened_to = start + len(leaves)
        if self._observer is not None:
            self._observer.finished(self._book.opened_to)
        yield from self._hidden()  # 7.

    def check_some(self, entries: Iterable[tuple[int, Leaf, Opening | None]]) -> Iterator[Finding]:
        """All entries of some agreements by themselves: (index, leaf, its opening), in the order of the log."""
        for index, leaf, opening in entries:
            yield from self._leaf(index, leaf, opening)

    def _leaf(self, index: int, leaf: Leaf | None, opening: Opening | None) -> Iterator[Finding]:
        if isinstance(leaf, Revocation):
            if self._observer is not None and leaf.slot not in self._book.ended:
                self._observer.stopped(leaf.slot)
            self._book.end_grant(leaf.slot, index)
        if isinstance(leaf, Grant):
            self._book.add_grant(leaf.slot, index)
        if not isinstance(leaf, Grant | Read | Refusal | Message):
            return
        if opening is None:
            yield from self._without_opening(index, leaf)
            return
        try:
            text = _opened(leaf, opening)  # 1.
            if isinstance(leaf, Grant):
                self._keep_grant(index, leaf, text)
            else:
                yield from self._event(index, leaf, opening, text)
        except Rejected as error:
            yield Finding("completeness", "bad_opening", f"{leaf.type.name.lower()}: {error.detail}", index)

    def _without_opening(self, index: int, leaf: Grant | Event) -> Iterator[Finding]:
        """Erased openings belong to ended grants whose own opening is gone too; anything else is hidden."""
        if isinstance(leaf, Grant):
            self._book.erased += 1
        elif self._book.erased:
            self._book.add_unopened(leaf.type, leaf.tag, index)
        else:
            yield _not_accounted_for(leaf.type, index)

    def _hidden(self) -> Iterator[Finding]:
        """Unopened entries that carry the next numbers of a grant with an opening: nobody erased those."""
        found = []
        while suspects := [*self._book.suspects()]:
            for kind, index, numbers in suspects:
                terms = self._terms_of(numbers.slot)
                if terms is None:
                    return  # erased since: nobody can tell any more
                if not numbers.has_erased_version or (kind is LeafType.READ and index > numbers.index):
                    found.append((index, kind))
                self._book.set_next(b64u_fixed(terms.tag_key, 32), kind, numbers.next[kind] + 1)
        for index, kind in sorted(found):
            yield _not_accounted_for(kind, index)

    def _keep_grant(self, index: int, leaf: Grant, text: str) -> None:
        terms = _terms(leaf, text)
        self._terms[leaf.slot] = terms
        tag_key = b64u_fixed(terms.tag_key, 32)
        if self._observer is not None:
            before = self._book.numbers(tag_key).slot if self._book.is_open(tag_key) else None
            self._observer.given(leaf.slot, terms, before)
        self._book.open_version(tag_key, terms.version, leaf.slot, index)

    def _terms_of(self, slot: int | None) -> Terms | None:
        """T of a grant that was opened, from the log again where this run has not seen it; it must still fit."""
        if slot is None or slot not in self._book.grants:
            return None
        if slot not in self._terms:
            data, opening = self._grant_of(self._book.grants[slot])
            leaf = parse_leaf(data)
            if opening is None or not isinstance(leaf, Grant):
                return None
            try:
                terms = _terms(leaf, _opened(leaf, opening))
            except Rejected:
                return None
            if not self._book.is_open(b64u_fixed(terms.tag_key, 32)):
                return None  # the log opened it only when an event of it was to be judged
            self._terms[slot] = terms
        return self._terms[slot]

    def _event(self, index: int, leaf: Event, opening: Opening, text: str) -> Iterator[Finding]:
        terms = self._terms_of(opening.slot)
        if terms is None or opening.slot is None:
            yield Finding("completeness", "unknown_grant", "belongs to no grant before it", index)
            return
        yield from self._number(index, leaf, opening, terms)  # 6.
        if isinstance(leaf, Read):
            yield from self._read(index, text, opening, terms)
        elif isinstance(leaf, Refusal):
            yield from self._refusal(index, text, opening.slot, terms)
        else:
            self._message(text, opening.slot, terms)

    def _number(self, index: int, leaf: Event, opening: Opening, terms: Terms) -> Iterator[Finding]:
        tag_key = b64u_fixed(terms.tag_key, 32)
        self._pass_erased(tag_key, leaf.type)
        due = self._book.numbers(tag_key).next[leaf.type]
        if opening.n is None or event_tag(tag_key, leaf.type, opening.n) != leaf.tag:
            yield Finding("completeness", "wrong_tag", "tag is not that of its grant and number", index)
        elif opening.n != due:
            yield Finding(
                "completeness", "gap_in_n", "numbers of a grant's events do not follow each other", index
            )
        self._book.set_next(tag_key, leaf.type, due + 1)

    def _pass_erased(self, tag_key: bytes, kind: LeafType) -> None:
        """Versions of a grant share their numbers: pass over those that an erased version may have used.

        After its end that version could get refusals and messages, but no read.
        """
        numbers = self._book.numbers(tag_key)
        while numbers.has_erased_version:
            index = self._book.unopened.get((kind, numbers.expected[kind]))
            if index is None or (kind is LeafType.READ and index > numbers.index):
                return
            self._book.set_next(tag_key, kind, numbers.next[kind] + 1)

    def _signed_read(self, token: str, terms: Terms) -> UnverifiedRead:
        agency = self._agency_at(terms.recipient, parse_read(token).read.iat)
        return UnverifiedRead(token, verify_read(token, agency, None).read)

    def _read(self, index: int, token: str, opening: Opening, terms: Terms) -> Iterator[Finding]:
        try:
            read = self._signed_read(token, terms).read  # 3.
        except Rejected as error:
            yield Finding("policy", "read_not_by_recipient", error.detail, index)
            return
        if (read.slot, read.lock) != (opening.slot, terms.lock):
            yield Finding("policy", "read_of_another_grant", "the READ names another grant", index)
        elif (excess := excess_of(terms, read)) is not None:  # 4.
            yield Finding("policy", excess, _EXCESS[excess], index)
        if terms.max_reads is not None and opening.n is not None and opening.n >= terms.max_reads:
            yield Finding("policy", "too_many_reads", "more reads than were granted", index)
        ended = self._book.ended.get(read.slot)
        is_late = ended is not None and index > ended
        if self._observer is not None and (read.slot, read.lock) == (opening.slot, terms.lock):
            self._observer.read(read.slot, terms, read, is_late=is_late)
        if is_late:  # 5.
            yield Finding("policy", "read_after_revocation", f"the grant was revoked by entry {ended}", index)
        yield from self._once(index, read.slot, read.read_id)

    def _refusal(self, index: int, text: str, slot: int, terms: Terms) -> Iterator[Finding]:
        reason, _ = refused_read(text)
        read = self._signed_read(str(parse_object(text)["read"]), terms).read
        if self._observer is not None:
            self._observer.refused(slot, terms, read, reason)
        never_ended = reason == "revoked" and slot not in self._book.ended
        if never_ended or is_untrue(terms, read, reason):  # 9.
            yield Finding("policy", "untrue_refusal", f"a read was refused as {reason}, which is not true", index)
        yield from self._once(index, slot, read.read_id)

    def _message(self, text: str, slot: int, terms: Terms) -> None:
        """Only to be counted: a resident's key is in no opening, and the log admits both by what they hold."""
        if self._observer is None:
            return
        with suppress(Rejected):
            message = parse_message(text)
            if message.kind not in RESIDENT_KINDS:
                verify_agency_message(text, self._agency_at(terms.recipient, message.iat), None)
            if (message.slot, message.lock) == (slot, terms.lock):
                self._observer.said(slot, terms, message)

    def _once(self, index: int, slot: int, read_id: str) -> Iterator[Finding]:
        first = self._book.first_of_read(slot, read_id, index)
        if first is not None:  # 8.
            yield Finding("policy", "read_booked_twice", f"entry {first} is the same READ", index)


_EXCESS = {
    "read_of_another_log": "the READ was made for another log",
    "read_out_of_dates": "the READ lies outside the dates of its grant",
    "read_out_of_scope": "the READ names what was not granted",
    "read_out_of_context": "day, hour or place was not granted",
}


def _not_accounted_for(leaf_type: LeafType, index: int) -> Finding:
    text = f"a {leaf_type.name.lower()} is not accounted for"
    return Finding("completeness", "leaf_without_opening", text, index)


def _opened(leaf: Grant | Event, opening: Opening) -> str:
    """The opening as text, once it is found to be what the leaf commits to. Raises `Rejected`: `bad_opening`."""
    text = opening.opening
    key = b64u_fixed(opening.opening_key, 32)
    if commitment(key, leaf.type, text.encode("utf-8")) != leaf.commit:
        raise Rejected("bad_opening", "the opening is not what was committed to")
    return text


def terms_in(leaf: Grant, opening: Opening) -> Terms:
    """T of a grant leaf, once the opening is found to be its own. Raises `Rejected`: `bad_opening`, of parsing."""
    return _terms(leaf, _opened(leaf, opening))


def _terms(leaf: Grant, text: str) -> Terms:
    """T of a grant leaf. Raises `Rejected`: `bad_opening` and those of parsing."""
    terms = parse_terms(parse_object(text))
    if b64u_fixed(terms.lock, 32) != leaf.lock:  # 2.
        raise Rejected("bad_opening", "terms have another lock than their leaf")
    return terms
