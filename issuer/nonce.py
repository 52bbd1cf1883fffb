"""c_nonce (OpenID4VCI 1.0 section 7): made without writing anything, spent once.

Anybody may ask for a nonce, so a stored one would let strangers fill the disk. A nonce is b64u(16 random bytes ||
u64 expiry || 16 bytes of HMAC); only a spent one is remembered, until it would have expired anyway.
"""

from collections.abc import Callable

from protocol.canonical import b64u_decode, b64u_encode, hmac_sha256, is_equal
from protocol.errors import Rejected

NONCE_SECONDS = 300
_RANDOM, _EXPIRY, _MAC = 16, 8, 16
_LABEL = b"regie/c-nonce/v1"


def make_nonce(key: bytes, now: int, random: Callable[[int], bytes]) -> str:
    """A fresh unpredictable nonce, valid for `NONCE_SECONDS`; `key` is 32 secret bytes."""
    body = random(_RANDOM) + (now + NONCE_SECONDS).to_bytes(_EXPIRY, "big")
    return b64u_encode(body + hmac_sha256(key, _LABEL, body)[:_MAC])


def verify_nonce(key: bytes, nonce: str, now: int) -> tuple[bytes, int]:
    """What to remember when it is spent: its 16 random bytes and its expiry (POSIX seconds).

    The caller MUST spend it in the store before it looks at anything else in the request: a nonce serves one try.
    Raises `Rejected`: `invalid_nonce`.
    """
    try:
        raw = b64u_decode(nonce, max_bytes=_RANDOM + _EXPIRY + _MAC)
    except Rejected as error:
        raise Rejected("invalid_nonce", "c_nonce is not one of ours") from error
    body, mac = raw[: _RANDOM + _EXPIRY], raw[_RANDOM + _EXPIRY :]
    if len(mac) != _MAC or not is_equal(mac, hmac_sha256(key, _LABEL, body)[:_MAC]):
        raise Rejected("invalid_nonce", "c_nonce is not one of ours")
    expiry = int.from_bytes(body[_RANDOM:], "big")
    if expiry <= now:
        raise Rejected("invalid_nonce", "c_nonce has expired")
    return body[:_RANDOM], expiry
