"""Acting for somebody else (protocol section 10): what the wallet refuses by itself before it drafts. Pure.

The credentials under a mandate are narrowed by their issuer, and log and agency check the mandate again. None of
them relies on the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed, parse_struct
from protocol.errors import Rejected
from protocol.jws import parse_jws
from protocol.mandate import (
    LOCK_VERSIONS,
    MANDATE_TYPE,
    MAX_MANDATE_BYTES,
    Mandate,
    VerifiedMandate,
    lock_digests,
)
from protocol.revocation_code import lock_for
from protocol.terms import Place, Terms, places_of
from wallet.grant import FIRST_VERSION, Decision
from wallet.records_mandate import MandateRecord
from wallet.seed import SEED_BYTES, mandate_code


@dataclass(frozen=True)
class Acting:
    """A mandate that a grant is made under, verified as of now. `hash`: of it, b64u."""

    hash: str
    record: MandateRecord
    verified: VerifiedMandate


def hash_text(verified: VerifiedMandate) -> str:
    """As records and terms name a mandate."""
    return b64u_encode(verified.hash)


def check_taken(verified: VerifiedMandate, issuer: str, seed: str, party: int) -> None:
    """A mandate that an issuer gave us: 1. it made it itself; 2. the seed (b64u) makes its locks, so that we can
    see and stop what others do under it; 3. it names us, 0 being the represented.
    Raises `Rejected`: `bad_mandate`.
    """
    mandate = verified.mandate
    if verified.iss != issuer:  # 1.
        raise Rejected("bad_mandate", "this mandate is of another issuer; it was not kept")
    made = lock_digests(b64u_fixed(seed, SEED_BYTES))
    if len(mandate.locks) % LOCK_VERSIONS or mandate.locks != made[: len(mandate.locks)]:  # 2.
        raise Rejected("bad_mandate", "this mandate is locked with codes that are not yours; it was not kept")
    if party != 0 and party not in mandate.parties:  # 3.
        raise Rejected("bad_mandate", "this mandate does not name you; it was not kept")


def check_acting(acting: Acting, now: int) -> None:
    """Whether we may give anything under it at all. Raises `Rejected`: `mandate_ended`, `not_a_signer`."""
    if acting.record.is_over(now):
        raise mandate_ended()
    if acting.record.party not in acting.verified.mandate.parties:
        raise Rejected(
            "not_a_signer",
            "others act for you under this mandate; to share yourself, use your own cards",
            status=403,
        )


def mandate_ended() -> Rejected:
    """Of a mandate under which nothing can be given any more."""
    return Rejected("mandate_ended", "this mandate is over; you cannot act under it any more", status=403)


def check_decision(acting: Acting, decision: Decision) -> None:
    """What is to be given lies within the mandate: 1. the service; 2. each attribute. The term is cut off at its
    end (`grant.draft_grant`). Raises `Rejected`: `mandate_widened`.
    """
    mandate = acting.verified.mandate
    if not mandate.is_for(decision.agency.id, decision.service.id):  # 1.
        raise _widened("this mandate is not for this service; nothing was given")
    if not all(is_named(acting.verified, place) for place in decision.places):  # 2.
        raise _widened(
            "they ask for data that this mandate does not name; leave it out with --without, or decline"
        )


def is_named(verified: VerifiedMandate, place: Place) -> bool:
    """Whether the mandate covers an attribute."""
    return place.vct in verified.vcts and place.name in verified.mandate.names_of(place.vct)


def _widened(detail: str) -> Rejected:
    return Rejected("mandate_widened", detail, status=403)


def others_needed(verified: VerifiedMandate, party: int) -> list[list[int]]:
    """The groups of which somebody else has to sign too; empty when `party` may act alone."""
    return [list(group) for group in verified.mandate.signers if party not in group]


def held_mandate(record: MandateRecord) -> Mandate:
    """What a mandate says that was verified when it was taken, and may be over now. Raises `Rejected`."""
    return parse_struct(parse_jws(record.token, typ=MANDATE_TYPE, max_bytes=MAX_MANDATE_BYTES).payload, Mandate)


def codes_of(mandate: Mandate) -> int:
    """How many grants the mandate lets be made."""
    return len(mandate.locks) // LOCK_VERSIONS


def check_code(acting: Acting, number: int) -> None:
    """Code `number` is one of the mandate's. Raises `Rejected`: `no_codes_left`."""
    if number >= codes_of(acting.verified.mandate):
        raise Rejected(
            "no_codes_left", "this mandate was used as often as it may be; ask for a new one", status=409
        )


def number_of_lock(record: MandateRecord, lock: str, count: int) -> int:
    """Which of the first `count` codes makes this lock (b64u) of version 1. Raises: `mandate_widened`."""
    wanted = b64u_decode(lock)
    for number in range(count):
        if lock_for(mandate_code(record, number), FIRST_VERSION) == wanted:
            return number
    raise _widened("the lock is not one of this mandate's: you could not stop it")


def check_proposed(acting: Acting, terms: Terms, request_hash: bytes) -> None:
    """Terms that another party made, before we sign them too: 1. under this mandate, for this very request; 2. the
    service and each attribute are named; 3. the end; 4. the lock is one that we can open.

    Raises `Rejected`: `bad_mandate`, `mandate_widened`, `no_match`.
    """
    mandate = acting.verified.mandate
    if terms.on_behalf_of != acting.hash:  # 1.
        raise Rejected("bad_mandate", "these terms are not under your mandate", status=403)
    if b64u_decode(terms.request_hash) != request_hash:
        raise Rejected("no_match", "these terms answer another request", status=403)
    if not mandate.is_for(terms.recipient, terms.service):  # 2.
        raise _widened("the mandate is not for this service")
    if not all(is_named(acting.verified, place) for place in places_of(terms)):
        raise _widened("the mandate does not name an attribute of the terms")
    if terms.not_after > mandate.until:  # 3.
        raise _widened("the terms end later than the mandate")
    number_of_lock(acting.record, terms.lock, codes_of(mandate))  # 4.


def unknown_locks(record: MandateRecord, count: int, known: Iterable[int]) -> dict[bytes, int]:
    """Locks of version 1 of the codes under which this wallet has no grant, with their numbers."""
    held = set(known)
    numbers = (number for number in range(count) if number not in held)
    return {lock_for(mandate_code(record, number), FIRST_VERSION): number for number in numbers}
