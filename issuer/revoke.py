"""The status list of what was issued (Token Status List). Pure.

Two bits a copy: INVALID is for ever, SUPERSEDED says that a newer copy exists. A list has its full length from the
first day, and indexes that were never given out look like valid copies. Why a copy is invalid is in no list.
"""

from collections.abc import Iterable, Sequence

from issuer.issue import LIST_SIZE
from protocol.keys import Es256Private
from protocol.status_list import INVALID, SUPERSEDED, Bits, encode_packed, sign_status_token

BITS: Bits = 2
TTL = 300
"""Seconds that a relying party may keep a list: what a revocation may take to be seen everywhere."""
LIFETIME = 12 * 3600
"""Seconds after which nobody takes an old list for a new one."""
MAX_REASON = 200
"""Characters of the reason that is kept with a revocation; it never leaves the issuer."""


def status_bits(revoked: Iterable[int], superseded: Iterable[int]) -> bytes:
    """The array of `BITS` a copy, least significant first. What is in both is revoked: 1 | 3 would say that it is
    only out of date."""
    per_byte = 8 // BITS
    out = bytearray(LIST_SIZE // per_byte)
    ended = frozenset(revoked)
    for indexes, status in ((ended, INVALID), (frozenset(superseded) - ended, SUPERSEDED)):
        for index in indexes:
            out[index // per_byte] |= status << index % per_byte * BITS
    return bytes(out)


def sign_list(
    uri: str,
    revoked: Iterable[int],
    superseded: Iterable[int],
    *,
    key: Es256Private,
    x5c: Sequence[str],
    now: int,
) -> str:
    """The token to serve at `uri`."""
    return sign_status_token(
        uri=uri,
        bits=BITS,
        lst=encode_packed(status_bits(revoked, superseded)),
        iat=now,
        exp=now + LIFETIME,
        ttl=TTL,
        signer=key,
        x5c=x5c,
    )
