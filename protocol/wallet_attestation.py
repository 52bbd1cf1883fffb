"""How a wallet gets an attestation of its key from a wallet provider (ours; the attestation is a standard's).

`POST {provider}/v1/wallet-attestations` with `AttestationRequest`, answered with `AttestationAnswer`; `provider`
is the `id` of a listed `WalletProvider`. The attestation is a client attestation (HAIP 4.4.1,
draft-ietf-oauth-attestation-based-client-auth) with the wallet's key in `cnf`; see `client_attestation.py`.

The wallet draws a key for each issuer and asks for each: one attestation is never shown to two issuers, and the
provider does not learn to whom it will be shown. What it attests is little: that somebody holds the key and asked
with the protocol of this software. It says nothing about the device.
"""

from typing import Annotated

import msgspec

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public, parse_jwk
from protocol.trust_list import MAX_CLOCK_SKEW

WALLET_KEY_TYP = "regie-wallet-key+jwt"
ATTESTATIONS_PATH = "/v1/wallet-attestations"
MAX_WALLET_KEY_BYTES = 4096
MAX_WALLET_KEY_AGE = 300
"""Seconds: a proof serves at once. A copy of it is of no use to anybody without the key."""


class AttestationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`proof`: made by `sign_wallet_key`."""

    proof: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_WALLET_KEY_BYTES)]


class AttestationAnswer(msgspec.Struct, frozen=True):
    """`attestation`: the value of the header `OAuth-Client-Attestation`; its `sub` is the client_id to use."""

    attestation: Annotated[str, msgspec.Meta(min_length=1, max_length=16384)]
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class _Payload(msgspec.Struct, frozen=True):
    aud: str
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


def sign_wallet_key(key: Es256Private, *, provider: str, iat: int) -> str:
    """The wallet's proof to this provider that it holds `key`."""
    return sign_jws({"aud": provider, "iat": iat}, key, typ=WALLET_KEY_TYP, header={"jwk": key.public.jwk()})


def verify_wallet_key(proof: str, *, provider: str, now: int) -> Es256Public:
    """The key that whoever made `proof` holds.

    1. size, `typ`, `alg`; 2. the header has a public P-256 key and no other; 3. signature by it; 4. `aud` is this
    provider; 5. `iat` near `now`. Raises `Rejected`: `wrong_audience`, `expired_proof`, `bad_header` and those of
    parsing, keys and signatures.
    """
    jws = parse_jws(proof, typ=WALLET_KEY_TYP, max_bytes=MAX_WALLET_KEY_BYTES, allow_jwk=True)  # 1
    jwk = jws.header.get("jwk")
    if not isinstance(jwk, dict) or "kid" in jws.header or "x5c" in jws.header:  # 2
        raise Rejected("bad_header", "the header names its key by jwk alone")
    key = parse_jwk(jwk)
    payload = parse_struct(verify_jws(jws, key), _Payload)  # 3
    if payload.aud != provider:  # 4
        raise Rejected("wrong_audience", "the proof is for another wallet provider")
    if not now - MAX_WALLET_KEY_AGE <= payload.iat <= now + MAX_CLOCK_SKEW:  # 5
        raise Rejected("expired_proof", "the proof was not made just now")
    return key
