"""Key proof (OpenID4VCI 1.0 F.1): a holder's JWT that shows the issuer which key to bind a copy to.

Header `{"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": public key}`; payload `{"aud": issuer identifier,
"iat", "nonce": c_nonce}`, with `iss` = client_id unless access was anonymous. One proof for each copy, each with a
key of its own; all are good or none is taken. A header `key_attestation` (appendix D) is carried, not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.canonical import parse_json
from protocol.errors import Rejected
from protocol.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public, parse_jwk

KEY_PROOF_TYPE = "openid4vci-proof+jwt"
MAX_PROOF_BYTES = 24 * 1024
"""A key attestation of the largest size fits into the header."""
MAX_NONCE = 1024
PROOF_MAX_AGE = 300
PROOF_MAX_AHEAD = 60
"""Seconds that a proof's `iat` may lie behind and ahead of our clock (F.4)."""


@dataclass(frozen=True)
class UnverifiedKeyProof:
    """A key proof of good form. Its nonce may be spent, its claims and signature MUST still be verified, and so
    MUST `attestation` where it is there: one of the attested keys is `key`.
    """

    jws: UnverifiedJws
    key: Es256Public
    nonce: str
    claims: Mapping[str, Any]
    attestation: str | None = None


def sign_key_proof(
    key: Es256Private,
    *,
    audience: str,
    nonce: str | None,
    iat: int,
    client_id: str | None = None,
    attestation: str | None = None,
) -> str:
    """The wallet's proof that it holds `key` (F.1); `audience` is the issuer identifier. No nonce for an issuer
    without nonce endpoint; a `client_id` unless access was anonymous.
    """
    claims = {"iss": client_id, "aud": audience, "iat": iat, "nonce": nonce}
    header = {"jwk": key.public.jwk(), "key_attestation": attestation}
    present = {name: value for name, value in header.items() if value is not None}
    return sign_jws(
        {name: value for name, value in claims.items() if value is not None},
        key,
        typ=KEY_PROOF_TYPE,
        header=present,
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
    attestation = jws.header.get("key_attestation")
    if attestation is not None and not isinstance(attestation, str):
        raise Rejected("invalid_proof", "key_attestation is not a token")
    return UnverifiedKeyProof(jws, key, nonce, claims, attestation)


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


def verify_key_proofs(
    proofs: Sequence[UnverifiedKeyProof], *, audience: str, now: int, client_id: str | None = None
) -> tuple[Es256Public, ...]:
    """The keys that the proofs hold, in their order: all are good, or none is taken (8.2, F.4, 13.8).

    1. no key twice; for each proof: 2. `aud` is this issuer; 3. `iss`, where it is there, is `client_id`; access
    without one was anonymous and has none; 4. `iat` within the window; 5. `exp` and `nbf`, when there; 6.
    signature by the key in the header.
    The caller MUST have spent the nonces before. Raises `Rejected`: `invalid_proof`.
    """
    keys = tuple(proof.key for proof in proofs)
    if len(set(keys)) != len(keys):
        raise Rejected("invalid_proof", "two proofs hold the same key")
    for proof in proofs:
        _check_proof_claims(proof.claims, audience, now, client_id)
        try:
            verify_jws(proof.jws, proof.key)
        except Rejected as error:
            raise Rejected("invalid_proof", error.detail) from error
    return keys


def _check_proof_claims(claims: Mapping[str, Any], audience: str, now: int, client_id: str | None) -> None:
    if claims.get("aud") != audience:
        raise Rejected("invalid_proof", "aud is not this issuer")
    if "iss" in claims and (client_id is None or claims["iss"] != client_id):
        raise Rejected("invalid_proof", "iss is not the client, or has no place as access was anonymous")
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
