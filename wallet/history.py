"""Looking back: what the log shows of one grant, held against what only the resident knows (protocol section 6).

A log that hides a read has three ways: leave it out (its number is missing), renumber (the tag is wrong) or stop
counting (the next answer holds fewer than this one did, and the agency's next read has a number twice). The first
two show here, the third in `search` or at an auditor. Every failure is evidence: the answer was signed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from protocol.attributes import short_name
from protocol.canonical import b64u_decode, parse_struct
from protocol.checkpoint import LeafProof
from protocol.consent_api import Event, EventsAnswer
from protocol.errors import Rejected
from protocol.keys import Es256Public
from protocol.leaf import (
    Grant,
    Head,
    LeafType,
    Message,
    Read,
    Refusal,
    Revocation,
    commitment,
    event_tag,
    lock_of,
    parse_leaf,
)
from protocol.light_check import KeptCheckpoint, VerifiedStatus, verify_leaf, verify_slot_status
from protocol.log_keys import log_keys
from protocol.policy import MAX_AGE, parse_policy
from protocol.presentation import grant_leaf
from protocol.reading import (
    is_in_scope,
    parse_message,
    refusal_opening,
    verify_agency_message,
    verify_read,
    verify_resident_message,
)
from protocol.rights import RESIDENT_KINDS
from protocol.terms import Terms, places_of
from protocol.trust_list import Agency, TrustedLog
from wallet.records import Seen

_OwnLeaf: TypeAlias = Grant | Revocation | Read | Refusal | Message
_KINDS = {leaf_type.name.lower(): leaf_type for leaf_type in LeafType}


@dataclass(frozen=True)
class OwnGrant:
    """What the wallet knows of its grant, and whom it concerns.

    `holders`: public keys that sign its messages. Without any (a paper code, a lost card) a message that claims to
    be the resident's is shown on the log's word: only who had the code could enter it.
    """

    terms: Terms
    slot: int
    index: int
    opening_key: bytes
    agency: Agency
    holders: tuple[Es256Public, ...] = ()


class VerifiedEvent(msgspec.Struct, frozen=True):
    """One entry of the log about a grant. `time` is the signer's (POSIX seconds); order is by `index`.

    `document`: the hash of what an agency says that it gave as an answer to a request for access, b64u.
    `attributes` are names (`adres.postcode`); `officer` and `case` salted hashes, b64u. All empty when the opening
    was erased, which happens only after a grant has ended.
    """

    kind: str
    index: int
    n: int | None = None
    reason: str | None = None
    attributes: tuple[str, ...] = ()
    officer: str | None = None
    case: str | None = None
    channel: str | None = None
    zone: str | None = None
    time: int | None = None
    law: str | None = None
    until: int | None = None
    erased: bool = False
    document: str | None = None


@dataclass(frozen=True)
class HistoryPage:
    """An answer as it came at `now`; `kept`: the largest checkpoint that was known then, with the proof."""

    answer: EventsAnswer
    now: int
    kept: KeptCheckpoint | None = None


@dataclass(frozen=True)
class VerifiedHistory:
    """All events of a grant, in the log's order, and its status bit at the checkpoint of the last page."""

    status: VerifiedStatus
    events: tuple[VerifiedEvent, ...]
    seen: Seen
    revocation: int | None


class _Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Opening of a refusal leaf."""

    read: str
    reason: str


def verify_history(
    pages: Iterable[HistoryPage],
    grant: OwnGrant,
    log: TrustedLog,
    *,
    seen: Seen = Seen(),  # noqa: B008 - frozen
    max_age: int = MAX_AGE,
    is_part: bool = False,
) -> VerifiedHistory:
    """Every event is what it says, and none is missing that the wallet can know of; all pages are one answer:

    1. of each page: checkpoint signed and freshly witnessed, status bit under its head, consistent with the one
    `kept`, not smaller than the page before; 2. each leaf is in that tree, in ascending order; 3. the first is our
    grant at its index, a revocation is of our lock and there is one exactly when the bit is set; 4. numbers of
    each kind run from 0 without a gap, each tag made with our tag_key, never past max_reads; 5. each opening fits
    its leaf's commitment and its signature; 6. no read after the revocation; 7. not fewer events than `seen`.
    A page is asked for when the one before is verified, so only a log with true entries makes this long.
    `is_part`: one version of a grant that has had several, which share their numbers: then they only ascend here,
    and `history_versions` MUST see the gaps.
    Raises `Rejected`: `wrong_grant`, `bad_event`, `missing_event`, `read_after_stop`, `fewer_events`,
    `bad_consistency` and those of `verify_slot_status`.
    """
    status: VerifiedStatus | None = None
    reader = _Reader(grant, is_part=is_part)
    for page in pages:
        status = _verify_status(page, grant, log, status, max_age)  # 1.
        ended = status.is_revoked or page.now >= grant.terms.not_after
        before = reader.last
        for event, leaf in _included_leaves(page.answer.events, status, before):  # 2.
            reader.take(event, leaf, ended=ended)  # 3. - 6.
        if page.answer.next is not None and not before < reader.last < page.answer.next:
            raise Rejected("bad_event", "the log does not go on with what comes next")
    if status is None or not reader.events:
        raise _no_grant()
    if (reader.revocation is not None) != status.is_revoked:  # 3.
        raise Rejected("missing_event", "the log's status of your grant and its entries contradict each other")
    now_seen = Seen(*(reader.counts[kind] for kind in (LeafType.READ, LeafType.REFUSAL, LeafType.MESSAGE)))
    if any(a < b for a, b in zip(msgspec.structs.astuple(now_seen), msgspec.structs.astuple(seen), strict=True)):
        raise Rejected(
            "fewer_events", "the log hides entries that it showed before; report this to the auditor"
        )  # 7.
    return VerifiedHistory(status, tuple(reader.events), now_seen, reader.revocation)


def _verify_status(
    page: HistoryPage, grant: OwnGrant, log: TrustedLog, before: VerifiedStatus | None, max_age: int
) -> VerifiedStatus:
    """The slot's bit at the checkpoint of a page that follows the one of `before`."""
    answer, kept = page.answer, page.kept
    if answer.slot != grant.slot:
        raise Rejected("wrong_grant", "the log answered about another grant")
    if before is not None and (kept is None or kept.size < before.checkpoint.size):
        raise ValueError("a later page needs a proof from the page before")
    status = verify_slot_status(
        answer.checkpoint,
        answer.head,
        answer.status,
        grant.slot,
        log_key=log_keys(log),
        policy=parse_policy(log.policy),
        now=page.now,
        max_age=max_age,
        kept=kept,
    )
    if before is not None and status.checkpoint.size < before.checkpoint.size:
        raise Rejected("bad_consistency", "the log became smaller while it answered; report this to the auditor")
    return status


def _included_leaves(events: Sequence[Event], status: VerifiedStatus, last: int) -> list[tuple[Event, _OwnLeaf]]:
    """The leaves of a page; `last`: index of the last one before."""
    leaves: list[tuple[Event, _OwnLeaf]] = []
    for event in events:
        leaf = parse_leaf(verify_leaf(status.checkpoint, LeafProof(event.index, event.leaf, event.hashes)))
        if leaf.type != _KINDS[event.type] or isinstance(leaf, Head) or event.index <= last:
            raise Rejected("bad_event", "an entry is not what the log says or not in its place")
        last = event.index
        leaves.append((event, leaf))
    return leaves


class _Reader:
    """Takes the entries of a grant one by one, in the log's order, and judges each by those before."""

    def __init__(self, grant: OwnGrant, *, is_part: bool = False) -> None:
        self._grant = grant
        self._is_part = is_part
        self._own_leaf = grant_leaf(grant.terms, grant.slot, grant.opening_key)
        self.events: list[VerifiedEvent] = []
        self.counts = dict.fromkeys((LeafType.READ, LeafType.REFUSAL, LeafType.MESSAGE), 0)
        self.revocation: int | None = None
        self.last = -1

    def take(self, event: Event, leaf: _OwnLeaf, *, ended: bool) -> None:
        """An entry that is in the tree after the `last` one. Raises `Rejected` as `verify_history` says."""
        if not self.events and (event.index, leaf) != (self._grant.index, self._own_leaf):
            raise _no_grant()
        if self.events and isinstance(leaf, Grant):
            raise Rejected("bad_event", "the log shows another grant as yours")
        if isinstance(leaf, Revocation):
            self._check_end(leaf)
            self.revocation = event.index
        if isinstance(leaf, Read | Refusal | Message):
            expected = self.counts[leaf.type]
            if self._is_part and event.n is not None:
                expected = max(expected, event.n)
            _check_number(event, leaf, expected, self._grant.terms)
            self.counts[leaf.type] = expected + 1
        self.events.append(_open(event, leaf, self._grant, ended=ended))
        if self.revocation is not None and leaf.type == LeafType.READ:
            raise Rejected("read_after_stop", "the log shows a read after the stop; report this to the auditor")
        self.last = event.index

    def _check_end(self, leaf: Revocation) -> None:
        grant = self._grant
        about = (leaf.grant_index, leaf.slot, lock_of(leaf.r))
        if self.revocation is not None or about != (grant.index, grant.slot, b64u_decode(grant.terms.lock)):
            raise Rejected("bad_event", "the log shows the stop of another grant as yours")


def _no_grant() -> Rejected:
    return Rejected("missing_event", "the log does not show your grant itself")


def _check_number(event: Event, leaf: Read | Refusal | Message, expected: int, terms: Terms) -> None:
    """Numbers count from 0: one that is skipped is an entry that the log does not show."""
    if event.n != expected:
        raise Rejected(
            "missing_event", f"entry number {expected} of its kind is missing; report this to the auditor"
        )
    if leaf.tag != event_tag(b64u_decode(terms.tag_key), leaf.type, expected):
        raise Rejected("bad_event", "an entry does not carry your grant's mark")
    if leaf.type == LeafType.READ and terms.max_reads is not None and expected >= terms.max_reads:
        raise Rejected("bad_event", "the log admitted more reads than you allowed; report this to the auditor")


def _open(event: Event, leaf: _OwnLeaf, grant: OwnGrant, *, ended: bool) -> VerifiedEvent:
    """What the leaf commits to, once it is found to be that, signed by whom it must be."""
    if isinstance(leaf, Revocation):
        return VerifiedEvent("revocation", event.index)
    if event.opening is None or event.opening_key is None:
        if not ended:
            raise Rejected("missing_event", "the log does not show what an entry of a running grant is about")
        return VerifiedEvent(event.type, event.index, event.n, erased=True)
    opening = event.opening.encode("utf-8")
    if leaf.commit != commitment(b64u_decode(event.opening_key), leaf.type, opening):
        raise Rejected("bad_event", "an entry does not open to what the log says")
    if isinstance(leaf, Grant):
        names = _names(grant.terms, [claim.digest for claim in grant.terms.claims])
        return VerifiedEvent("grant", event.index, attributes=names, time=grant.terms.not_before)
    if leaf.type == LeafType.READ:
        return _read_event(event, event.opening, None, grant)
    if leaf.type == LeafType.REFUSAL:
        refused = parse_struct(opening, _Refused)
        if refusal_opening(refused.read, refused.reason) != opening:  # type: ignore[arg-type]
            raise Rejected("bad_event", "a refusal is not in its one form")
        return _read_event(event, refused.read, refused.reason, grant)
    return _message_event(event, event.opening, grant)


def _read_event(event: Event, token: str, reason: str | None, grant: OwnGrant) -> VerifiedEvent:
    try:
        read = verify_read(token, grant.agency, None).read
    except Rejected as error:
        raise _not_signed() from error
    if (read.slot, read.lock, read.aud) != (grant.slot, grant.terms.lock, grant.terms.log):
        raise Rejected("bad_event", "the log shows a read of another grant as one of yours")
    if reason is None and not is_in_scope(grant.terms, read):
        raise Rejected("bad_event", "the log admitted a read of more than you granted; report this to the auditor")
    return VerifiedEvent(
        "read" if reason is None else "refusal",
        event.index,
        event.n,
        reason=reason,
        attributes=_names(grant.terms, read.claims),
        officer=read.officer,
        case=read.case,
        channel=read.channel,
        zone=read.zone,
        time=read.iat,
    )


def _names(terms: Terms, digests: Sequence[str]) -> tuple[str, ...]:
    """`adres.postcode` for each digest of T; a refused READ may name others, which mean nothing to anybody."""
    names = {
        claim.digest: f"{short_name(place.vct)}.{place.name}"
        for claim, place in zip(terms.claims, places_of(terms), strict=True)
    }
    return tuple(names.get(digest, "unknown") for digest in digests)


def _message_event(event: Event, token: str, grant: OwnGrant) -> VerifiedEvent:
    try:
        message = parse_message(token)
        if message.kind in RESIDENT_KINDS:
            if grant.holders:
                _verify_own_message(token, grant)
        else:
            verify_agency_message(token, grant.agency, None)
    except Rejected as error:
        raise _not_signed() from error
    if (message.slot, message.lock) != (grant.slot, grant.terms.lock):
        raise Rejected("bad_event", "the log shows a message about another grant as one of yours")
    return VerifiedEvent(
        "message",
        event.index,
        event.n,
        reason=message.kind,
        time=message.iat,
        attributes=_names(grant.terms, message.claims or ()),
        law=message.law,
        until=message.until,
        document=message.document,
    )


def _not_signed() -> Rejected:
    return Rejected("bad_event", "the log shows an entry that its author did not sign; report this to the auditor")


def _verify_own_message(token: str, grant: OwnGrant) -> None:
    for holder in grant.holders:
        try:
            verify_resident_message(token, holder, None)
        except Rejected:
            continue
        return
    raise Rejected("bad_event", "the log shows a message as yours that you did not sign")
