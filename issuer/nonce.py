"""Nonces made without storing them: c_nonce (OpenID4VCI 1.0 section 7), DPoP nonce (RFC 9449 sections 8 and 9)
and the challenge for wallet attestations.

Anybody may ask for one, so stored ones would let strangers fill the disk. A nonce is b64u(16 random bytes || u64
expiry || 16 bytes of HMAC); only a spent one is remembered, until it would have expired anyway.
"""

import enum
from collections.abc import Callable

from protocol.canonical import b64u_decode, b64u_encode, hmac_sha256, is_equal
from protocol.errors import Rejected

NONCE_SECONDS = 300
_RANDOM, _EXPIRY, _MAC = 16, 8, 16


class Use(enum.Enum):
    """What a nonce is for; one for another use is none. The value keys its HMAC."""

    CREDENTIAL = b"regie/c-nonce/v1"
    """Spent by the first request that shows it."""
    DPOP = b"regie/dpop-nonce/v1"
    """Says that a proof is fresh; its `jti` is what is spent."""
    CHALLENGE = b"regie/attestation-challenge/v1"
    """The same for the proof beside a wallet attestation."""


def make_nonce(key: bytes, now: int, random: Callable[[int], bytes], use: Use = Use.CREDENTIAL) -> str:
    """A fresh unpredictable nonce, valid for `NONCE_SECONDS`; `key` is 32 secret bytes."""
    body = random(_RANDOM) + (now + NONCE_SECONDS).to_bytes(_EXPIRY, "big")
    return b64u_encode(body + hmac_sha256(key, use.value, body)[:_MAC])


def verify_nonce(key: bytes, nonce: str, now: int, use: Use = Use.CREDENTIAL) -> tuple[bytes, int]:
    """What to remember when it is spent: its 16 random bytes and its expiry (POSIX seconds).

    The caller MUST spend a c_nonce in the store before it looks at anything else in the request: it serves one
    try. Raises `Rejected`: `invalid_nonce`.
    """
    try:
        raw = b64u_decode(nonce, max_bytes=_RANDOM + _EXPIRY + _MAC)
    except Rejected as error:
        raise Rejected("invalid_nonce", "the nonce is not one of ours") from error
    body, mac = raw[: _RANDOM + _EXPIRY], raw[_RANDOM + _EXPIRY :]
    if len(mac) != _MAC or not is_equal(mac, hmac_sha256(key, use.value, body)[:_MAC]):
        raise Rejected("invalid_nonce", "the nonce is not one of ours")
    expiry = int.from_bytes(body[_RANDOM:], "big")
    if expiry <= now:
        raise Rejected("invalid_nonce", "the nonce has expired")
    return body[:_RANDOM], expiry
