"""The status list of what was issued (Token Status List). Pure.

One bit a copy: INVALID is for ever. A list has its full length from the first day, and indexes that were never
given out look like valid copies.
"""

from collections.abc import Iterable, Sequence

from issuer.issue import LIST_SIZE
from protocol.keys import Es256Private
from protocol.status_list import encode_packed, sign_status_token

TTL = 300
"""Seconds that a relying party may keep a list: what a revocation may take to be seen everywhere."""
LIFETIME = 12 * 3600
"""Seconds after which nobody takes an old list for a new one."""
MAX_REASON = 200
"""Characters of the reason that is kept with a revocation; it never leaves the issuer."""


def revoked_bits(indexes: Iterable[int]) -> bytes:
    """The array with these indexes INVALID, one bit each, least significant first."""
    out = bytearray(LIST_SIZE // 8)
    for index in indexes:
        out[index // 8] |= 1 << index % 8
    return bytes(out)


def sign_list(uri: str, revoked: Iterable[int], *, key: Es256Private, x5c: Sequence[str], now: int) -> str:
    """The token to serve at `uri`."""
    return sign_status_token(
        uri=uri,
        bits=1,
        lst=encode_packed(revoked_bits(revoked)),
        iat=now,
        exp=now + LIFETIME,
        ttl=TTL,
        signer=key,
        x5c=x5c,
    )
