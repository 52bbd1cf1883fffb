"""Key proof (OpenID4VCI 1.0 F.1): a holder's JWT that shows the issuer which key to bind a copy to.

Header `{"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": public key}`; payload `{"aud": issuer identifier,
"iat", "nonce": c_nonce}`. One proof for each copy, each with a key of its own; all are good or none is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.canonical import parse_json
from protocol.errors import Rejected
from protocol.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public, parse_jwk

KEY_PROOF_TYPE = "openid4vci-proof+jwt"
MAX_PROOF_BYTES = 4 * 1024
MAX_NONCE = 1024
PROOF_MAX_AGE = 300
PROOF_MAX_AHEAD = 60
"""Seconds that a proof's `iat` may lie behind and ahead of our clock (F.4)."""


@dataclass(frozen=True)
class UnverifiedKeyProof:
    """A key proof of good form. Its nonce may be spent, its claims and signature MUST still be verified."""

    jws: UnverifiedJws
    key: Es256Public
    nonce: str
    claims: Mapping[str, Any]


def sign_key_proof(key: Es256Private, *, audience: str, nonce: str, iat: int) -> str:
    """The wallet's proof that it holds `key` (F.1); `audience` is the issuer identifier."""
    return sign_jws(
        {"aud": audience, "iat": iat, "nonce": nonce}, key, typ=KEY_PROOF_TYPE, header={"jwk": key.public.jwk()}
    )


def parse_key_proof(token: str) -> UnverifiedKeyProof:
    """Form of one proof (F.1): 1. header `typ`, `alg`, no `crit`; 2. `jwk` and neither `kid` nor `x5c`;
    3. a public P-256 key for signing; 4. a payload with a `nonce`. Raises `Rejected`: `invalid_proof`.
    """
    try:
        jws = parse_jws(token, typ=KEY_PROOF_TYPE, max_bytes=MAX_PROOF_BYTES, allow_jwk=True)
        key = _header_key(jws.header)
        claims = parse_json(jws.payload, max_bytes=MAX_PROOF_BYTES, floats=True)
    except Rejected as error:
        raise Rejected("invalid_proof", error.detail) from error
    nonce = claims.get("nonce") if isinstance(claims, dict) else None
    if not isinstance(nonce, str) or not 0 < len(nonce) <= MAX_NONCE:
        raise Rejected("invalid_proof", "the proof has no c_nonce")
    return UnverifiedKeyProof(jws, key, nonce, claims)


def parse_key_proofs(tokens: Sequence[str]) -> tuple[tuple[UnverifiedKeyProof, ...], Rejected | None]:
    """The proofs that have the form of one, and the refusal if one has not.

    So that the caller can spend every nonce that was shown before it refuses: a nonce serves one try.
    """
    proofs, refusal = [], None
    for token in tokens:
        try:
            proofs.append(parse_key_proof(token))
        except Rejected as error:
            refusal = refusal or error
    return tuple(proofs), refusal


def _header_key(header: Mapping[str, Any]) -> Es256Public:
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or "kid" in header or "x5c" in header:
        raise Rejected("invalid_proof", "the header names its key by jwk alone")
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", "ES256") != "ES256":
        raise Rejected("invalid_proof", "the key is not one for signing")
    return parse_jwk(jwk)


def verify_key_proofs(proofs: Sequence[UnverifiedKeyProof], *, audience: str, now: int) -> tuple[Es256Public, ...]:
    """The keys that the proofs hold, in their order: all are good, or none is taken (8.2, F.4, 13.8).

    1. no key twice; for each proof: 2. `aud` is this issuer; 3. no `iss`, as access was anonymous; 4. `iat` within
    the window; 5. `exp` and `nbf`, when there; 6. signature by the key in the header.
    The caller MUST have spent the nonces before. Raises `Rejected`: `invalid_proof`.
    """
    keys = tuple(proof.key for proof in proofs)
    if len(set(keys)) != len(keys):
        raise Rejected("invalid_proof", "two proofs hold the same key")
    for proof in proofs:
        _check_proof_claims(proof.claims, audience, now)
        try:
            verify_jws(proof.jws, proof.key)
        except Rejected as error:
            raise Rejected("invalid_proof", error.detail) from error
    return keys


def _check_proof_claims(claims: Mapping[str, Any], audience: str, now: int) -> None:
    if claims.get("aud") != audience:
        raise Rejected("invalid_proof", "aud is not this issuer")
    if "iss" in claims:
        raise Rejected("invalid_proof", "iss has no place in a proof of an anonymous client")
    iat = _time(claims, "iat")
    if iat is None or not now - PROOF_MAX_AGE <= iat <= now + PROOF_MAX_AHEAD:
        raise Rejected("invalid_proof", "iat is missing or not near the present")
    expires, not_before = _time(claims, "exp"), _time(claims, "nbf")
    if (expires is not None and expires <= now) or (not_before is not None and not_before > now + PROOF_MAX_AHEAD):
        raise Rejected("invalid_proof", "the proof is not valid now")


def _time(claims: Mapping[str, Any], name: str) -> int | float | None:
    """A NumericDate (RFC 7519 2), which may have a fraction."""
    value = claims.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise Rejected("invalid_proof", f"{name} is not a number")
    return value
