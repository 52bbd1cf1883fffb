"""What the law says of the mandates in the books: one step in a transaction that its caller opened."""

import datetime
from collections.abc import Callable

from sqlalchemy import Connection

from issuer import store_mandate
from issuer.brp import Bsn
from issuer.issue import Narrowed, Signer
from issuer.mandate import ALL_VCTS, EndReason, Registered, why_ended
from issuer.offer import Under
from protocol.canonical import b64u_decode, b64u_encode, hkdf_sha256, parse_struct
from protocol.errors import Rejected
from protocol.jws import parse_jws
from protocol.mandate import (
    MANDATE_TYPE,
    MAX_MANDATE_BYTES,
    Mandate,
    lock_digests,
    mandate_hash,
    narrowed_names,
    sign_mandate,
)
from protocol.seal import NONCE_BYTES, aead_open, aead_seal

SEED_BYTES = 32
_SEED_KEY = b"regie/mandate-seed/v1"


def day_of(now: int) -> datetime.date:
    """The day on which ages are counted."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC).date()


def end_unlawful(connection: Connection, bsn: Bsn, now: int, day: datetime.date) -> int:
    """End every mandate with this person in it that law allows no more: how many."""
    reasons = [
        (one.id, why_not(connection, one, now, day))
        for one in store_mandate.live_of(connection, bsn, confirmed=False)
    ]
    ending = [(id_, reason) for id_, reason in reasons if reason is not None]
    for id_, reason in ending:
        store_mandate.end_mandate(connection, id_, reason, now)
    return len(ending)


def end_all_unlawful(connection: Connection, now: int) -> int:
    """The same for all of them: terms and birthdays pass without an import."""
    day, ended = day_of(now), 0
    for one in store_mandate.all_live(connection):
        reason = why_not(connection, one, now, day)
        if reason is not None:
            store_mandate.end_mandate(connection, one.id, reason, now)
            ended += 1
    return ended


def why_not(connection: Connection, mandate: Registered, now: int, day: datetime.date) -> EndReason | None:
    """Why it counts no more, by the newest records."""
    people = store_mandate.people_of(connection, (mandate.represented, *mandate.delegates))
    with_wallet = store_mandate.has_wallet(connection, mandate.represented, now)
    return why_ended(mandate, people, now, day, has_wallet=with_wallet)


def standing(connection: Connection, under: Under, now: int) -> Registered:
    """The mandate that copies are asked under, which stands to this moment, by a party who has a card of his own:
    who lost his phone, and had his own cards taken back, fetches nothing for others either.

    Raises `Rejected`: `credential_request_denied`.
    """
    found = store_mandate.find_mandate(connection, under.mandate)
    is_over = found is None or found.ended is not None or not found.token
    if found is None or is_over or why_not(connection, found, now, day_of(now)) is not None:
        raise Rejected("credential_request_denied", "the mandate has ended")
    holder = found.bsn_of(under.party)
    if holder is None or not store_mandate.has_wallet(connection, holder, now):
        raise Rejected("credential_request_denied", "who acts has no card of his own any more")
    return found


def narrowed_to(mandate: Registered, party: int, vct: str) -> Narrowed:
    """What a party gets of one type. Raises `Rejected`: `credential_request_denied` for a type that it does not
    open, and for who signs nothing.
    """
    names = narrowed_names(read_mandate(mandate.token), (vct,)).get(vct)
    if names is None or not mandate.signs(party):
        raise Rejected("credential_request_denied", "the mandate does not open this credential")
    return Narrowed(mandate_hash(mandate.token), party, names)


def vcts_of(mandate: Registered) -> tuple[str, ...]:
    """The types that it opens."""
    return tuple(narrowed_names(read_mandate(mandate.token), ALL_VCTS))


def read_mandate(token: str) -> Mandate:
    """What we signed."""
    return parse_struct(parse_jws(token, typ=MANDATE_TYPE, max_bytes=MAX_MANDATE_BYTES).payload, Mandate)


def sign(mandate: Registered, seed: bytes, signer: Signer, now: int) -> str:
    """The mandate as its parties get it."""
    return sign_mandate(
        Mandate(
            iss=signer.issuer,
            iat=now,
            until=mandate.until,
            id=mandate.id,
            signers=[list(group) for group in mandate.signers],
            locks=lock_digests(seed),
            claims=None if mandate.claims is None else list(mandate.claims),
            services=None if mandate.services is None else list(mandate.services),
        ),
        signer.key,
        signer.x5c,
    )


def wrap_seed(key: bytes, id_: str, seed: bytes, random: Callable[[int], bytes]) -> bytes:
    """A seed as it lies in the database, which alone opens nothing. `key`: the home's 32 bytes."""
    nonce = random(NONCE_BYTES)
    return nonce + aead_seal(hkdf_sha256(key, _SEED_KEY), nonce, seed, id_.encode())


def unwrap_seed(key: bytes, id_: str, wrapped: bytes) -> bytes:
    """Inverse of `wrap_seed`. Raises `Rejected`: `unsealable`."""
    return aead_open(hkdf_sha256(key, _SEED_KEY), wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], id_.encode())


def new_id(random: Callable[[int], bytes]) -> str:
    """b64u of 16 bytes. An operand of commands: no hyphen begins it, as the first bit would allow."""
    first, *rest = random(16)
    return b64u_encode(bytes((first & 0x7F, *rest)))


def is_mandate_id(text: str) -> bool:
    """Whether it has the form of one; what strangers put into an address goes no further otherwise."""
    try:
        return len(b64u_decode(text, max_bytes=16)) == 16
    except Rejected:
        return False
