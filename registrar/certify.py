"""Which registration certificates there are, which are issued anew, and which are revoked: pure.

One for each listed service version (TS5 section 2.4.3: an intended use). It is issued when the list that names the
service is signed, again when a third of its time is left, and revoked when the list names the service no more, or
the agency otherwise than the certificate does. A position of the status list belongs to one certificate for ever.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from protocol.canonical import b64u_encode, canonical_bytes, sha256
from protocol.registration_certificate import intended_use_id
from protocol.status_list import Bits, encode_list
from protocol.trust_list import Agency, Service, TrustList

DAY = 86_400
TERM = 180 * DAY
RENEW = TERM // 3
"""Left of it when the next signing of the list issues another."""
VALID, INVALID = 0, 1
STATUS_BITS: Bits = 1
LIST_SIZE = 2**14
"""Least positions of the published list."""
MAX_CERTIFICATES = 2**20


class Issued(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One certificate, `token`. `content`: hash of what it says but for its times; `since`: when its intended use
    was first listed; `place`: URL of its status list, empty in old books. Times in POSIX seconds.
    """

    use: str
    agency: str
    service: str
    version: int
    content: str
    since: int
    iat: int
    exp: int
    token: str
    revoked: int | None = None
    place: str = ""


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Those that were issued, the oldest first. The first is at position `first` of the status list: what was
    there before has expired, and nobody asks for it any more.
    """

    certificates: list[Issued] = []
    first: int = 0

    def current(self, use: str, now: int) -> Issued | None:
        """The newest that is in force for an intended use."""
        found = (entry for entry in reversed(self.certificates) if entry.use == use)
        return next((entry for entry in found if entry.revoked is None and entry.exp > now), None)

    def statuses(self) -> str:
        """`lst` of their status list."""
        found = [VALID] * self.first
        found += [VALID if entry.revoked is None else INVALID for entry in self.certificates]
        return encode_list(STATUS_BITS, found + [VALID] * (max(LIST_SIZE, len(found)) - len(found)))


Sign = Callable[[Agency, Service, int, int], str]
"""The certificate of a service, at a position of the status list, until a time."""


def content_of(agency: Agency, service: Service) -> str:
    """What the certificate of a service says, as a hash: a change of it is a new certificate."""
    said = {"name": agency.name, "contact": agency.erasure_contact, "service": service}
    return b64u_encode(sha256(canonical_bytes(said)))


def certify(book: Book, trust: TrustList, *, now: int, until: int, sign: Sign, place: str) -> Book:
    """The book after `trust` was signed at `now`; `place`: where its status list is.

    None lasts longer than `until`, the end of the leaf that signs it: wallets would refuse it from then on. What
    names another place gets a successor, since nobody may answer there any more. Raises `ValueError` when the
    status list is full.
    """
    exp = min(now + TERM, until)
    listed = {intended_use_id(agency.id, s.id, s.version): (agency, s) for agency, s in _services(trust.agencies)}
    contents = {use: content_of(*entry) for use, entry in listed.items()}
    kept = [_aged(entry, contents.get(entry.use), now) for entry in book.certificates]
    latest = {entry.use: entry for entry in kept if entry.revoked is None}
    since: dict[str, int] = {}
    for entry in kept:
        since.setdefault(entry.use, entry.since)
    for use, (agency, service) in listed.items():
        before = latest.get(use)
        is_fresh = before is not None and (before.exp - now > RENEW or before.exp >= exp)
        if before is not None and before.place == place and is_fresh:
            continue
        if book.first + len(kept) >= MAX_CERTIFICATES:
            raise ValueError("the status list of registration certificates is full")
        kept.append(
            Issued(
                use=use,
                agency=agency.id,
                service=service.id,
                version=service.version,
                content=contents[use],
                since=since.get(use, now),
                iat=now,
                exp=exp,
                token=sign(agency, service, book.first + len(kept), exp),
                place=place,
            )
        )
    over = next((number for number, entry in enumerate(kept) if entry.exp > now), len(kept))
    return Book(kept[over:], book.first + over)


def _services(agencies: Sequence[Agency]) -> Iterable[tuple[Agency, Service]]:
    return ((agency, service) for agency in agencies for service in agency.services)


def _aged(entry: Issued, content: str | None, now: int) -> Issued:
    """A certificate when its intended use says `content` now: revoked once and for ever, or kept."""
    if entry.revoked is None and entry.content != content:
        return msgspec.structs.replace(entry, revoked=now)
    return entry
