"""A READ, what admits or refuses it, and the release of key shares (protocol section 8, **ours**).

Also the two other things that a party signs for the log: the ticket of a request (section 3) and the messages
about rights and complaints (section 9). A signed type never changes its meaning; another one is another `typ`.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from protocol.canonical import b64u_decode, canonical_bytes, parse_struct, sha256
from protocol.errors import Rejected
from protocol.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public
from protocol.leaf import MAX_SLOTS
from protocol.rights import REFUSALS, RESIDENT_KINDS, MessageKind
from protocol.seal import KemPrivate, hpke_open, hpke_seal
from protocol.terms import (
    MAX_CLAIMS,
    B64u16,
    B64u32,
    Claim,
    Form,
    Name,
    Number,
    Oin,
    Origin,
    Terms,
    Time,
    Zone,
    in_context,
    places_of,
    with_flags,
)
from protocol.trust_list import Agency, verify_agency_jws

READ_TYPE = "regie-read+jwt"
TICKET_TYPE = "regie-ticket+jwt"
MESSAGE_TYPE = "regie-message+jwt"
MAX_READ_BYTES = 32 * 1024
"""A READ or message in compact form: `MAX_CLAIMS` digests and a chain of four certificates fit."""
MAX_TICKET_BYTES = 8 * 1024
READ_SKEW = 60
"""Seconds that the agency's clock may differ from the log's, either way (section 8.2)."""
TICKET_LIFETIME = 3600
"""Seconds: a ticket ends at most this far ahead, so that the log remembers a `jti` no longer."""
NUMBERS_AHEAD = 1 << 16
"""How far an operator lets a READ's number be above the highest it has released, and how far ahead a resident's
search looks: an entry under a number that nobody tries would be in the log and still be hidden."""
SHARE_BYTES = 32

Slot: TypeAlias = Annotated[int, Meta(ge=0, lt=MAX_SLOTS)]
Channel: TypeAlias = Literal["desk", "api", "batch"]
Reason: TypeAlias = Literal[
    "not_yet", "expired", "reads_spent", "out_of_scope", "out_of_context", "revoked", "no_share"
]


class Read(Form, frozen=True):
    """The payload of a READ: which attributes (by digest) an agency opens, for which case, by whom, from where."""

    slot: Slot
    lock: B64u32
    read_id: B64u16
    claims: Annotated[list[B64u32], Meta(min_length=1, max_length=MAX_CLAIMS)]
    reply_key_hash: B64u32
    case: B64u32
    officer: B64u32
    channel: Channel
    zone: Zone
    iat: Time
    aud: Origin


class Ticket(Form, frozen=True):
    """The agency's leave to make one grant in the log: without it strangers could fill the log."""

    iss: Oin
    aud: Origin
    jti: B64u16
    exp: Time
    service: Name
    service_version: Number


class ResidentMessage(Form, frozen=True):
    """A message between resident and agency about a grant.

    `law` in every refusal, `until` only when data are `kept`. `claims`: digests, as in a READ, of what a resident
    asks to rectify; `document`: the hash of what an agency gave as its answer to a request for access.
    """

    slot: Slot
    lock: B64u32
    kind: MessageKind
    iat: Time
    jti: B64u16
    law: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9 .,:/_-]{1,128}\Z")] | None = None
    until: Time | None = None
    claims: Annotated[list[B64u32], Meta(min_length=1, max_length=MAX_CLAIMS)] | None = None
    document: B64u32 | None = None


@dataclass(frozen=True)
class UnverifiedRead:
    """A READ of good form; nobody has looked at its signature."""

    token: str
    read: Read


@dataclass(frozen=True)
class VerifiedRead:
    """A READ that `agency` (OIN) signed. Only `verify_read` makes one."""

    token: str
    read: Read
    agency: str

    @property
    def opening(self) -> bytes:
        """What the read leaf commits to: the READ as it was sent."""
        return self.token.encode("ascii")


def sign_read(read: Read, key: Es256Private, x5c: Sequence[str]) -> str:
    """A READ as compact JWS; `x5c` (standard base64) leads to a root that the trust list names for the agency."""
    return sign_jws(read, key, typ=READ_TYPE, header={"x5c": list(x5c)})


def parse_read(token: str) -> UnverifiedRead:
    """Form only, to find the grant that a READ is about. Raises `Rejected`: `bad_read`."""
    try:
        read = parse_struct(_parse(token, READ_TYPE).payload, Read)
    except Rejected as error:
        raise Rejected("bad_read", error.detail) from error
    if len(set(read.claims)) != len(read.claims):
        raise Rejected("bad_read", "a digest is named twice")
    return UnverifiedRead(token, read)


def _parse(token: str, typ: str) -> UnverifiedJws:
    return parse_jws(token, typ=typ, max_bytes=MAX_READ_BYTES)


def verify_read(token: str, agency: Agency, now: int | None) -> VerifiedRead:
    """A READ signed by a certificate listed for `agency` at `now`; None: at its own `iat`, for who looks back.

    **Not** its freshness nor anything about a grant: `decide_read` does. Raises `Rejected`: `bad_read`,
    `not_recipient` 403.
    """
    read = parse_read(token).read
    try:
        verify_agency_jws(token, typ=READ_TYPE, agency=agency, now=read.iat if now is None else now)
    except Rejected as error:
        raise Rejected("not_recipient", error.detail, status=403) from error
    return VerifiedRead(token, read, agency.id)


@dataclass(frozen=True)
class GrantState:
    """What the log's rows say about a grant, read in the transaction that decides."""

    slot: int
    revoked: bool
    share_present: bool
    reads_done: int
    """Read leaves under the grant's tag_key so far, over all its versions: the next n."""


@dataclass(frozen=True)
class Admit:
    """The READ is admitted as number `n`; `claims` in READ order, the order of the released shares."""

    n: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Refusal:
    """A validly signed READ is refused: a refusal leaf, and this answer."""

    reason: Reason

    @property
    def status(self) -> int:
        """410 when the grant is over for good, else 403."""
        return 410 if self.reason in ("revoked", "no_share") else 403

    def error(self) -> Rejected:
        """The refusal as the agency receives it."""
        return Rejected(self.reason, "the read is refused", status=self.status)


def refusal_opening(token: str, reason: Reason) -> bytes:
    """What a refusal leaf commits to: JCS({read, reason})."""
    return canonical_bytes({"read": token, "reason": reason})


def decide_read(
    terms: Terms, read: VerifiedRead, *, state: GrantState, reply_key: bytes, now: int
) -> Admit | Refusal:
    """Section 8.2, in its order. Not signed by the recipient, not about this grant or not fresh: no leaf (raises).

    1. signed by T.recipient, for T.log, about this lock and slot; 2. `iat` within 60 s; 3. reply key as hashed;
    4. dates; 5. reads left; 6. attributes and case within T, register flags included; 7. context; 8. not revoked;
    9. share present. The caller MUST have looked for the same READ before, and append in the same transaction.
    Raises `Rejected`: `not_recipient` 403, `unknown_lock` 404, `bad_read`, `stale`.
    """
    if read.agency != terms.recipient:  # 1.
        raise Rejected("not_recipient", "signed by another agency than the grant's", status=403)
    if read.read.aud != terms.log:
        raise Rejected("bad_read", "made for another log")
    if (read.read.lock, read.read.slot) != (terms.lock, state.slot):
        raise Rejected("unknown_lock", "lock and slot are not of one grant", status=404)
    if abs(now - read.read.iat) > READ_SKEW:  # 2.
        raise Rejected("stale", f"iat differs more than {READ_SKEW} seconds from the log's time")
    if sha256(reply_key) != b64u_decode(read.read.reply_key_hash):  # 3.
        raise Rejected("bad_read", "reply key is not the one that was signed")
    reason = refusal_reason(terms, read.read, state, now)
    if reason is not None:
        return Refusal(reason)
    by_digest = {claim.digest: claim for claim in terms.claims}
    return Admit(state.reads_done, tuple(by_digest[digest] for digest in read.read.claims))


def refusal_reason(terms: Terms, read: Read, state: GrantState, now: int) -> Reason | None:
    """Steps 4 to 9 of `decide_read`; the first that fails names the reason."""
    if now < terms.not_before:  # 4.
        return "not_yet"
    if now >= terms.not_after:
        return "expired"
    if terms.max_reads is not None and state.reads_done >= terms.max_reads:  # 5.
        return "reads_spent"
    if not is_in_scope(terms, read):  # 6.
        return "out_of_scope"
    if not in_context(terms.context, now, read.zone):  # 7.
        return "out_of_context"
    if state.revoked:  # 8.
        return "revoked"
    return None if state.share_present else "no_share"  # 9.


def is_in_scope(terms: Terms, read: Read) -> bool:
    """Whether all digests are in T, each touched credential brings its flags, and the case is T's if T has one."""
    by_digest = {claim.digest: place for claim, place in zip(terms.claims, places_of(terms), strict=True)}
    if not set(read.claims) <= set(by_digest) or terms.case not in (None, read.case):
        return False
    places = [by_digest[digest] for digest in read.claims]
    return set(with_flags(places)) == set(places)


def missing_numbers(seen: Sequence[int]) -> list[int]:
    """Gaps below the highest n that an agency saw: reads that the log counted and this agency did not make."""
    present = set(seen)
    return [n for n in range(max(present, default=-1) + 1) if n not in present]


def _release_info(lock: bytes, read_id: bytes, index: int, body_hash: bytes) -> bytes:
    if (len(lock), len(read_id), len(body_hash)) != (32, 16, 32):
        raise ValueError("lock and note hash are 32 bytes, read_id 16")
    return b"regie/release/v1" + lock + read_id + index.to_bytes(8, "big") + body_hash


def seal_release(
    reply_key: bytes, shares: Sequence[bytes], *, lock: bytes, read_id: bytes, index: int, body_hash: bytes
) -> bytes:
    """One HPKE ciphertext of all 32-byte claim shares in READ order, bound to the read leaf and to a checkpoint.

    `body_hash` = H(note body of the answer's checkpoint). Raises `Rejected`: `bad_key`.
    """
    if any(len(share) != SHARE_BYTES for share in shares):
        raise ValueError("a claim share is 32 bytes")
    return hpke_seal(reply_key, b"".join(shares), _release_info(lock, read_id, index, body_hash))


def open_release(
    private: KemPrivate, sealed: bytes, count: int, *, lock: bytes, read_id: bytes, index: int, body_hash: bytes
) -> list[bytes]:
    """The `count` claim shares. Raises `Rejected`: `bad_release` (the log sealed something else)."""
    try:
        shares = hpke_open(private, sealed, _release_info(lock, read_id, index, body_hash))
    except Rejected as error:
        raise Rejected("bad_release", "shares are not sealed to this read and checkpoint") from error
    if len(shares) != count * SHARE_BYTES:
        raise Rejected("bad_release", "not one share for each attribute asked")
    return [shares[start : start + SHARE_BYTES] for start in range(0, len(shares), SHARE_BYTES)]


@dataclass(frozen=True)
class VerifiedTicket:
    """A ticket for exactly these terms; the caller MUST spend `ticket.jti` in the transaction of the grant."""

    ticket: Ticket


def sign_ticket(ticket: Ticket, key: Es256Private, x5c: Sequence[str]) -> str:
    """A ticket as compact JWS, signed as READs are."""
    return sign_jws(ticket, key, typ=TICKET_TYPE, header={"x5c": list(x5c)})


def verify_ticket(token: str, agency: Agency, terms: Terms, now: int) -> VerifiedTicket:
    """1. signed by `agency`; 2. iss, log, service and version as in T; 3. not ended and at most 1 h ahead.

    Raises `Rejected`: `bad_ticket` 403.
    """
    try:
        parse_jws(token, typ=TICKET_TYPE, max_bytes=MAX_TICKET_BYTES)
        ticket = parse_struct(verify_agency_jws(token, typ=TICKET_TYPE, agency=agency, now=now), Ticket)  # 1.
    except Rejected as error:
        raise Rejected("bad_ticket", error.detail, status=403) from error
    named = (agency.id, ticket.iss, ticket.aud, ticket.service, ticket.service_version)  # 2.
    if named != (terms.recipient, terms.recipient, terms.log, terms.service, terms.service_version):
        raise Rejected("bad_ticket", "ticket is for other terms", status=403)
    if not now < ticket.exp <= now + TICKET_LIFETIME:  # 3.
        raise Rejected("bad_ticket", "ticket has ended or ends too late", status=403)
    return VerifiedTicket(ticket)


@dataclass(frozen=True)
class VerifiedMessage:
    """A message whose signer is known: `agency` (OIN), or None for the resident of the grant."""

    token: str
    message: ResidentMessage
    agency: str | None


def sign_message(message: ResidentMessage, key: Es256Private, x5c: Sequence[str] | None = None) -> str:
    """By the resident with a key-binding key of the grant, or by the agency with its `x5c`."""
    return sign_jws(message, key, typ=MESSAGE_TYPE, header={"x5c": list(x5c)} if x5c is not None else None)


def parse_message(token: str) -> ResidentMessage:
    """Form only; the log, which knows no holder key, admits a resident's message by the view bearer.

    Raises `Rejected`: `bad_message`.
    """
    try:
        message = parse_struct(_parse(token, MESSAGE_TYPE).payload, ResidentMessage)
    except Rejected as error:
        raise Rejected("bad_message", error.detail) from error
    if (message.kind in REFUSALS) != (message.law is not None):
        raise Rejected("bad_message", "a refusal names its law, and nothing else does")
    if (message.kind == "kept") != (message.until is not None):
        raise Rejected("bad_message", "a date belongs to data that are kept, and only there")
    if (message.kind == "rectification_asked") != (message.claims is not None):
        raise Rejected("bad_message", "attributes belong to a request to rectify, and only there")
    if message.claims is not None and len(set(message.claims)) != len(message.claims):
        raise Rejected("bad_message", "a digest is named twice")
    if message.document is not None and message.kind != "access_answered":
        raise Rejected("bad_message", "a document belongs to the answer to a request for access")
    return message


def one_month_after(time: int) -> int:
    """When an agency must have answered what was asked at `time` (GDPR article 12.3): the same day of the next
    month, or its last.
    """
    start = datetime.fromtimestamp(time, UTC)
    year, month = (start.year + 1, 1) if start.month == 12 else (start.year, start.month + 1)
    day = min(start.day, monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())


def verify_resident_message(token: str, holder: Es256Public, now: int | None) -> VerifiedMessage:
    """Signed by `holder`, a kind that residents send, not from the future. The caller MUST refuse a spent `jti`.

    Raises `Rejected`: `bad_message`, `stale`, `bad_signature`.
    """
    message = parse_message(token)
    if message.kind not in RESIDENT_KINDS:
        raise Rejected("bad_message", "a resident does not send this kind")
    verify_jws(_parse(token, MESSAGE_TYPE), holder)
    _check_not_future(message, now)
    return VerifiedMessage(token, message, None)


def verify_agency_message(token: str, agency: Agency, now: int | None) -> VerifiedMessage:
    """Signed as READs are, a kind that agencies send, not from the future. The caller MUST refuse a spent `jti`.

    Raises `Rejected`: `bad_message`, `stale`, `not_recipient` 403.
    """
    message = parse_message(token)
    if message.kind in RESIDENT_KINDS:
        raise Rejected("bad_message", "an agency does not send this kind")
    try:
        verify_agency_jws(token, typ=MESSAGE_TYPE, agency=agency, now=message.iat if now is None else now)
    except Rejected as error:
        raise Rejected("not_recipient", error.detail, status=403) from error
    _check_not_future(message, now)
    return VerifiedMessage(token, message, agency.id)


def _check_not_future(message: ResidentMessage, now: int | None) -> None:
    if now is not None and message.iat > now + READ_SKEW:
        raise Rejected("stale", "message is from the future")
