"""What arrives becomes an operation: everything that can be checked without the rows of the writing transaction.

Signatures, deposits and forms are checked here, by as many threads as there are; `admit` then decides in the one
that writes. A byte-equal retry is recognised before what may have gone out of date since (ticket, deposit).
"""

from collections.abc import Callable, Sequence

from consentlog.operations import GrantOperation, MessageOperation, ReadOperation, RevocationOperation
from consentlog.rows import SpentTicket, StoredGrant, read_key
from protocol.canonical import b64u_decode, b64u_fixed, is_equal, sha256
from protocol.consent_api import GrantRequest, MessageRequest, ReadRequest, RevocationRequest
from protocol.errors import Rejected
from protocol.mandate import check_mandated, verify_mandate
from protocol.narrowing import check_listed_operators, check_refresh
from protocol.presentation import check_deposit, grant_opening, open_deposit
from protocol.reading import (
    parse_message,
    parse_read,
    verify_agency_message,
    verify_read,
    verify_ticket,
)
from protocol.rights import RESIDENT_KINDS
from protocol.seal import KemPrivate
from protocol.terms import Terms
from protocol.trust_list import Agency, TrustList

FIRST_VERSION = 1


def _unknown() -> Rejected:
    return Rejected("unknown_lock", "no grant has this slot and lock", status=404)


def _recipient(trust: TrustList, terms: Terms, code: str) -> Agency:
    try:
        return trust.agency(terms.recipient)
    except Rejected as error:
        raise Rejected(code, "the recipient is not on the trust list", status=403) from error


def grant_operation(
    request: GrantRequest,
    body: bytes,
    *,
    trust: TrustList,
    origin: str,
    deposit_key: KemPrivate | Sequence[KemPrivate],
    replaced: StoredGrant | None,
    now: int,
) -> GrantOperation:
    """`POST /v1/grants` (sections 7.3 and 9); `body` as it came, `request` with checked terms.

    1. for this log; 2. a first version with a ticket for it, or 3. a refresh that `check_refresh` admits;
    4. the deposit opens and makes every share of T, or there is none; 5. the shares are dealt as the trust list
    says for this log: to operators if it has some; 6. on behalf of somebody: the mandate that T names, T within
    it, of a refresh too, since its lock is another. Who signed, the log cannot see: the agency checks that.
    Raises `Rejected`: `bad_terms`, `bad_ticket` 403, `revoked` 410, `widened` 403, `bad_deposit`, `bad_mandate`,
    `mandate_ended`, `mandate_widened` 403.
    """
    terms = request.terms
    if terms.log != origin:  # 1.
        raise Rejected("bad_terms", "the terms name another log")
    ticket = _ticket(request, trust, now) if request.ticket is not None else None  # 2.
    replaced_r = None
    if request.replaced_r is not None:  # 3.
        if replaced is None or replaced.terms is None or replaced.row.revoked:
            raise Rejected("revoked", "the grant to be refreshed is over", status=410)
        check_refresh(replaced.terms, terms)
        replaced_r = b64u_fixed(request.replaced_r, 32)
    b = None
    if request.deposit is not None:  # 4.
        b = open_deposit(deposit_key, terms, b64u_decode(request.deposit))
        check_deposit(terms, b)
    check_listed_operators(terms, trust.log(origin).operators)  # 5.
    if request.mandate is not None:  # 6. `parse_grant_request` saw that T names one
        check_mandated(terms, verify_mandate(request.mandate, trust, now))
    return GrantOperation(
        terms=terms,
        opening=grant_opening(terms),
        lock=b64u_fixed(terms.lock, 32),
        tag_hash=sha256(b64u_fixed(terms.tag_key, 32)),
        view_hash=b64u_fixed(request.view_hash, 32),
        post_hash=sha256(body),
        opening_key=b64u_fixed(request.opening_key, 32),
        b=b,
        ticket=ticket,
        replaced_r=replaced_r,
    )


def _ticket(request: GrantRequest, trust: TrustList, now: int) -> SpentTicket:
    terms = request.terms
    if terms.version != FIRST_VERSION:
        raise Rejected("bad_terms", "versions count from 1; a later one comes with the secret that it replaces")
    if not trust.log(terms.log).takes_grants(now):
        raise Rejected("log_closed", "this log takes no new grants: ask for one in its successor", status=410)
    agency = _recipient(trust, terms, "bad_ticket")
    ticket = verify_ticket(request.ticket or "", agency, terms, now).ticket
    return SpentTicket(sha256(ticket.iss.encode("ascii"), b64u_fixed(ticket.jti, 16)), ticket.exp)


def read_operation(
    request: ReadRequest, *, trust: TrustList, grant_of: Callable[[int], StoredGrant | None], now: int
) -> ReadOperation:
    """`POST /v1/reads` (section 8): 1. form; 2. a grant with this slot and lock; 3. signed by its recipient;
    4. the reply key is the one that was signed, of a repeated READ too: residents and auditors see READs, and must
    not have their shares sealed to a key of theirs.

    All else is decided with the rows. Raises `Rejected`: `bad_read`, `unknown_lock` 404, `not_recipient` 403.
    """
    read = parse_read(request.read).read  # 1.
    grant = grant_of(read.slot)  # 2.
    if grant is None or grant.terms is None or read.lock != grant.terms.lock:
        raise _unknown()
    verified = verify_read(request.read, _recipient(trust, grant.terms, "not_recipient"), now)  # 3.
    reply_key = b64u_decode(request.reply_key)
    if not is_equal(sha256(reply_key), b64u_fixed(read.reply_key_hash, 32)):  # 4.
        raise Rejected("bad_read", "reply key is not the one that was signed")
    return ReadOperation(
        slot=read.slot,
        key=read_key(read.slot, b64u_fixed(read.read_id, 16)),
        read_hash=sha256(verified.opening),
        read=verified,
        terms=grant.terms,
        tag_hash=grant.row.tag_hash,
        reply_key=reply_key,
    )


def revocation_operation(request: RevocationRequest) -> RevocationOperation:
    """`POST /v1/revocations`: nothing but the secret itself can be wrong."""
    return RevocationOperation(b64u_fixed(request.r, 32))


def check_view(grant: StoredGrant | None, view: bytes) -> StoredGrant:
    """The grant, for who holds its view key; a wrong key and an unknown slot look the same.

    Raises `Rejected`: `unauthorized` 401.
    """
    if grant is None or not is_equal(sha256(view), grant.row.view_hash):
        raise Rejected("unauthorized", "this view key does not open this grant", status=401)
    return grant


def message_operation(
    request: MessageRequest,
    view: bytes | None,
    *,
    trust: TrustList,
    grant_of: Callable[[int], StoredGrant | None],
    now: int,
) -> MessageOperation:
    """`POST /v1/messages` (section 9): a resident's with the `view` bearer, an agency's signed as READs are.

    Raises `Rejected`: `bad_message`, `stale`, `unauthorized` 401, `unknown_lock` 404, `not_recipient` 403.
    """
    message = parse_message(request.message)
    grant = grant_of(message.slot)
    if view is not None:
        grant = check_view(grant, view)
        if message.kind not in RESIDENT_KINDS:
            raise Rejected("bad_message", "a resident does not send this kind")
    if grant is None or grant.terms is None or message.lock != grant.terms.lock:
        raise _unknown()
    if view is None:
        verify_agency_message(request.message, _recipient(trust, grant.terms, "not_recipient"), now)
    token = request.message.encode("ascii")
    return MessageOperation(
        slot=message.slot,
        key=sha256(message.slot.to_bytes(5, "big"), b64u_fixed(message.jti, 16)),
        message_hash=sha256(token),
        token=request.message,
        tag_hash=grant.row.tag_hash,
        tag_key=b64u_fixed(grant.terms.tag_key, 32),
    )
