"""DPoP (RFC 9449): a proof in the header of a request that its sender holds the key to which a token is bound.

Header `{"typ": "dpop+jwt", "alg": "ES256", "jwk": public key}`; payload `{"jti", "htm", "htu", "iat"}`, with
`nonce` once the server has given one and `ath` beside an access token. A stolen token is of no use without the
key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from protocol.canonical import b64u_encode, parse_json, sha256
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public, parse_jwk

DPOP_TYP = "dpop+jwt"
MAX_DPOP_BYTES = 4 * 1024
DPOP_MAX_AGE = 300
DPOP_MAX_AHEAD = 60
"""Seconds that a proof's `iat` may lie behind and ahead of our clock (RFC 9449 11.1)."""
MAX_JTI = 256
MAX_NONCE = 1024
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class VerifiedDpop:
    """A good proof. The caller MUST accept each `jti` of a key once, and compare `jkt` with the token's.

    `jkt`: RFC 7638 thumbprint of `key`, as it stands in `cnf.jkt` of a token. `nonce` is checked by who gave it.
    """

    key: Es256Public
    jkt: str
    jti: str
    iat: int
    nonce: str | None


def sign_dpop(
    key: Es256Private,
    *,
    method: str,
    uri: str,
    iat: int,
    jti: str,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """The proof for one request (RFC 9449 4.2): `jti` fresh, `uri` as it is called, `iat` in POSIX seconds."""
    claims: dict[str, Any] = {
        "jti": jti,
        "htm": method,
        "htu": uri.partition("?")[0].partition("#")[0],
        "iat": iat,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = token_hash(access_token)
    return sign_jws(claims, key, typ=DPOP_TYP, header={"jwk": key.public.jwk()})


def token_hash(access_token: str) -> str:
    """`ath`: base64url SHA-256 of the token's ASCII (RFC 9449 4.2)."""
    return b64u_encode(sha256(access_token.encode("ascii")))


def verify_dpop(proof: str, *, method: str, uri: str, now: int, access_token: str | None = None) -> VerifiedDpop:
    """A proof made for this very request, by the steps of RFC 9449 4.3.

    1. one JWS of type `dpop+jwt` by an allowed algorithm, `jwk` a public key and no other key beside it; 2. the
    signature is that key's; 3. `htm` and `htu` are the method and address called (query aside); 4. `iat` is near
    the present, and `exp` and `nbf` hold where they are there; 5. a `jti` of bounded length; 6. `ath` is of the
    token that came with it; without a token there is none.
    **Not** checked: `nonce`, whether the `jti` was seen before, whose key it is.
    Raises `Rejected`: `invalid_dpop_proof`.
    """
    try:
        jws = parse_jws(proof, typ=DPOP_TYP, max_bytes=MAX_DPOP_BYTES, allow_jwk=True)  # 1
        key = _header_key(jws.header)
        claims = parse_json(verify_jws(jws, key), max_bytes=MAX_DPOP_BYTES, floats=True)  # 2
    except Rejected as error:
        raise Rejected("invalid_dpop_proof", error.detail) from error
    if not isinstance(claims, dict):
        raise Rejected("invalid_dpop_proof", "the proof has no claims")
    _check_request(claims, method, uri)  # 3
    iat = _check_times(claims, now)  # 4
    jti, nonce = claims.get("jti"), claims.get("nonce")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:  # 5
        raise Rejected("invalid_dpop_proof", "jti is missing or too long")
    if nonce is not None and (not isinstance(nonce, str) or not 0 < len(nonce) <= MAX_NONCE):
        raise Rejected("invalid_dpop_proof", "nonce is not a short text")
    if claims.get("ath") != (None if access_token is None else token_hash(access_token)):  # 6
        raise Rejected("invalid_dpop_proof", "ath is not of the access token")
    return VerifiedDpop(key, key.thumbprint(), jti, iat, nonce)


def _header_key(header: Mapping[str, Any]) -> Es256Public:
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or "kid" in header or "x5c" in header:
        raise Rejected("invalid_dpop_proof", "the header names its key by jwk alone")
    return parse_jwk(jwk)


def _check_request(claims: Mapping[str, Any], method: str, uri: str) -> None:
    htu = claims.get("htu")
    if claims.get("htm") != method or not isinstance(htu, str):
        raise Rejected("invalid_dpop_proof", "the proof is for another method")
    if _normal(htu) != _normal(_without_query(uri)):
        raise Rejected("invalid_dpop_proof", "the proof is for another address")


def _without_query(uri: str) -> str:
    return uri.partition("#")[0].partition("?")[0]


def _normal(uri: str) -> tuple[str, str | None, int | None, str]:
    """Scheme, host, port and path: what RFC 3986 6.2.2 and 6.2.3 make alike is alike (RFC 9449 4.3)."""
    try:
        parts = urlsplit(uri)
        scheme = parts.scheme.lower()
        port = parts.port or _PORTS.get(scheme)
    except ValueError as error:
        raise Rejected("invalid_dpop_proof", "htu is not a URL") from error
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Rejected("invalid_dpop_proof", "htu has a user, a query or a fragment")
    return scheme, parts.hostname, port, parts.path or "/"


def _check_times(claims: Mapping[str, Any], now: int) -> int:
    times = {name: claims[name] for name in ("iat", "exp", "nbf") if name in claims}
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in times.values()):
        raise Rejected("invalid_dpop_proof", "a time is not a number")
    if "iat" not in times or not now - DPOP_MAX_AGE <= times["iat"] <= now + DPOP_MAX_AHEAD:
        raise Rejected("invalid_dpop_proof", "iat is missing or not near the present")
    if times.get("exp", now + 1) <= now or times.get("nbf", now) > now + DPOP_MAX_AHEAD:
        raise Rejected("invalid_dpop_proof", "the proof is not valid now")
    return int(times["iat"])
