"""Wallet attestation (OpenID4VCI 1.0 appendix E, HAIP 4.4.1): attestation-based client authentication, draft 07.

Two JWTs in headers of the requests to the PAR and token endpoints:

    OAuth-Client-Attestation       by the wallet provider: iss, sub = client_id, cnf.jwk, iat, exp; header x5c
    OAuth-Client-Attestation-PoP   by that key: iss = client_id, aud = the server, jti, iat, exp, challenge

`sub` is the same for every instance of a wallet and nothing else names one; each issuer gets an attestation of its
own, with a key of its own (HAIP 4.4.1), so that two issuers cannot recognise a resident by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.canonical import parse_json
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public, parse_jwk
from protocol.trust_list import TrustList, WalletProvider
from protocol.x509 import parse_x5c, verify_chain, x5c

CLIENT_AUTH_METHOD = "attest_jwt_client_auth"
ATTESTATION_HEADER = "OAuth-Client-Attestation"
POP_HEADER = "OAuth-Client-Attestation-PoP"
CHALLENGE_HEADER = "OAuth-Client-Attestation-Challenge"
ATTESTATION_TYP = "oauth-client-attestation+jwt"
POP_TYP = "oauth-client-attestation-pop+jwt"
MAX_ATTESTATION_BYTES = 8 * 1024
"""Web servers take 8 KiB of a header; two certificates make 2 KiB."""
MAX_POP_BYTES = 4 * 1024
POP_MAX_AGE = 300
MAX_CLOCK_SKEW = 60
"""Seconds that an `iat` may lie behind and ahead of our clock."""
MAX_TEXT = 1024


@dataclass(frozen=True)
class VerifiedClient:
    """A client that authenticated itself. The caller MUST accept each `jti` of a key once, and check `challenge`
    where it gave one.

    `provider`: whose attestation; `key`: of this instance, at this issuer only.
    """

    client_id: str
    provider: WalletProvider
    key: Es256Public
    jti: str
    challenge: str | None


def sign_client_attestation(
    provider_key: Es256Private,
    chain: Sequence[bytes],
    *,
    issuer: str,
    client_id: str,
    holder: Es256Public,
    iat: int,
    exp: int,
) -> str:
    """The attestation of one instance; `chain` (DER, leaf first, without the anchor) belongs to `provider_key`."""
    claims = {"iss": issuer, "sub": client_id, "iat": iat, "exp": exp, "cnf": {"jwk": holder.jwk()}}
    return sign_jws(claims, provider_key, typ=ATTESTATION_TYP, header={"x5c": x5c(chain)})


def parse_own_attestation(attestation: str, *, client_id: str, holder: Es256Public) -> str:
    """What a wallet provider answered, before it goes into a header: a token of the right type, short enough, that
    names us and our key. **Not** its signature, which is for who reads it. Raises `Rejected`: `bad_attestation`.
    """
    try:
        jws = parse_jws(attestation, typ=ATTESTATION_TYP, max_bytes=MAX_ATTESTATION_BYTES)
        claims = _object(jws.payload, MAX_ATTESTATION_BYTES)
        if _text(claims, "sub") == client_id and _confirmed_key(claims) == holder:
            return attestation
    except Rejected as error:
        raise Rejected("bad_attestation", error.detail) from error
    raise Rejected("bad_attestation", "the wallet provider attests somebody else")


def sign_attestation_pop(
    key: Es256Private, *, client_id: str, audience: str, iat: int, jti: str, challenge: str | None = None
) -> str:
    """The proof that we hold the attested key; `audience` is the server's issuer identifier, `jti` fresh.

    `exp` is of earlier drafts: servers by @openid4vc/oauth2 0.4.6 refuse a proof without it.
    """
    exp = iat + POP_MAX_AGE
    claims: dict[str, Any] = {"iss": client_id, "aud": audience, "iat": iat, "exp": exp, "jti": jti}
    if challenge is not None:
        claims["challenge"] = challenge
    return sign_jws(claims, key, typ=POP_TYP)


def verify_client_attestation(
    attestation: str, pop: str, *, trust: TrustList, audience: str, now: int
) -> VerifiedClient:
    """Who asks, as a listed wallet provider attests and the attested key proves.

    Attestation: 1. form, `typ`, `alg`; 2. `iss` is a listed provider and 3. `x5c` leads to its roots;
    4. signature; 5. `sub`, `exp` ahead, `iat` and `nbf` not; 6. `cnf.jwk` a public key. Proof: 7. form, `typ`,
    `alg`; 8. signature by that key; 9. `aud` is this server; 10. `iss`, where it is there, is `sub`; 11. `iat`
    near the present, `exp` and `nbf` in force; 12. a `jti`.
    Raises `Rejected`: `invalid_client_attestation` (401).
    """
    try:
        claims, provider = _read_attestation(attestation, trust, now)  # 1 to 4
        client_id = _text(claims, "sub")  # 5
        _check_times(claims, now, oldest=None)
        key = _confirmed_key(claims)  # 6
        jws = parse_jws(pop, typ=POP_TYP, max_bytes=MAX_POP_BYTES)  # 7
        proof = _object(verify_jws(jws, key), MAX_POP_BYTES)  # 8
        _check_pop(proof, client_id, audience, now)  # 9 to 11
        challenge = _text(proof, "challenge") if "challenge" in proof else None
        return VerifiedClient(client_id, provider, key, _text(proof, "jti"), challenge)  # 12
    except Rejected as error:
        raise Rejected("invalid_client_attestation", error.detail, status=401) from error


def _read_attestation(token: str, trust: TrustList, now: int) -> tuple[Mapping[str, Any], WalletProvider]:
    jws = parse_jws(token, typ=ATTESTATION_TYP, max_bytes=MAX_ATTESTATION_BYTES)  # 1
    unverified = _object(jws.payload, MAX_ATTESTATION_BYTES)
    provider = trust.wallet_provider(_text(unverified, "iss"))  # 2
    leaf = verify_chain(parse_x5c(jws.header.get("x5c")), provider.root_certificates, now)  # 3
    return _object(verify_jws(jws, leaf.key), MAX_ATTESTATION_BYTES), provider  # 4


def _confirmed_key(claims: Mapping[str, Any]) -> Es256Public:
    confirmation = claims.get("cnf")
    jwk = confirmation.get("jwk") if isinstance(confirmation, dict) else None
    if not isinstance(jwk, dict):
        raise Rejected("bad_form", "cnf holds no key")
    return parse_jwk(jwk)


def _check_pop(claims: Mapping[str, Any], client_id: str, audience: str, now: int) -> None:
    if claims.get("aud") not in (audience, [audience]):
        raise Rejected("bad_pop", "the proof is for another server")
    if claims.get("iss", client_id) != client_id:
        raise Rejected("bad_pop", "the proof is of another client")
    if "iat" not in claims:
        raise Rejected("bad_pop", "iat is missing")
    _check_times(claims, now, oldest=now - POP_MAX_AGE)


def _check_times(claims: Mapping[str, Any], now: int, *, oldest: int | None) -> None:
    """`oldest` bounds the age of an `iat`; without it an `exp` must be there."""
    times = {name: claims[name] for name in ("iat", "exp", "nbf") if name in claims}
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in times.values()):
        raise Rejected("bad_time", "a time is not a number")
    if max(times.get("iat", now), times.get("nbf", now)) > now + MAX_CLOCK_SKEW:
        raise Rejected("bad_time", "the token is of the future")
    if times.get("exp", now + 1) <= now or (oldest is None and "exp" not in times):
        raise Rejected("bad_time", "the token has expired, or never does")
    if oldest is not None and times.get("iat", now) < oldest:
        raise Rejected("bad_time", "the proof is too old")


def _object(payload: bytes, max_bytes: int) -> Mapping[str, Any]:
    claims = parse_json(payload, max_bytes=max_bytes, floats=True)
    if not isinstance(claims, dict):
        raise Rejected("bad_form", "a token has no claims")
    return claims


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise Rejected("bad_form", f"{name} is missing or not a short text")
    return value
