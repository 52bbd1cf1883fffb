"""Who has logged in at an OpenID provider: the secrets of one login and its ID token. Pure.

OpenID Connect Core 1.0 section 3.1, with PKCE (RFC 7636). Providers outside the wallet world sign with RSA, so
this is the one place where RS256 and PS256 are read; which one algorithm a provider uses is configured, and a
token by any other is refused (RFC 8725 section 3.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from protocol.canonical import b64u_decode, parse_json, parse_object
from protocol.errors import Rejected
from protocol.keys import parse_jwk

Algorithm = Literal["ES256", "RS256", "PS256"]
MAX_TOKEN_BYTES = 32 * 1024
MAX_KEYS = 32
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
"""Below it a key can be factored; above it a verification costs what the sender wants."""
SKEW = 60
"""Seconds that the provider's clock may differ from ours."""
_REFUSED_HEADERS = ("crit", "jku", "x5u", "jwk")


@dataclass(frozen=True)
class LoginSecrets:
    """What goes to the OpenID provider with the browser: `state` names the login, `nonce` comes back in the ID
    token, `verifier` is shown with the provider's code (PKCE)."""

    state: str
    nonce: str
    verifier: str


def parse_keys(data: bytes) -> tuple[Mapping[str, Any], ...]:
    """The members of a JWK set. Raises `Rejected`: `bad_keys`."""
    try:
        keys = parse_json(data, max_bytes=256 * 1024, floats=True)
    except Rejected as error:
        raise Rejected("bad_keys", error.detail) from error
    found = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(found, list) or len(found) > MAX_KEYS or not all(isinstance(key, dict) for key in found):
        raise Rejected("bad_keys", f"not a JWK set of at most {MAX_KEYS} keys")
    return tuple(found)


def verify_id_token(
    token: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    provider: str,
    client_id: str,
    algorithm: Algorithm,
    nonce: str,
    now: int,
) -> dict[str, Any]:
    """The claims of an ID token that was made for this login.

    1. form, `alg` as configured, no refused header; 2. signature by the one key of the provider that it names, or
    by its only key of that kind; 3. `iss`; 4. `aud` is us, and `azp` when there are others too; 5. `exp` and
    `iat`; 6. `nonce` is that of the login; 7. a `sub`.
    Raises `Rejected`: `bad_id_token`.
    """
    try:
        header, claims, message, signature = _split(token)
    except Rejected as error:
        raise Rejected("bad_id_token", error.detail) from error
    if header.get("alg") != algorithm or any(name in header for name in _REFUSED_HEADERS):  # 1
        raise Rejected("bad_id_token", f"the ID token is not a plain {algorithm} signature")
    _verify(_key_of(header, keys, algorithm), algorithm, message, signature)  # 2
    if claims.get("iss") != provider:  # 3
        raise Rejected("bad_id_token", "iss is not the provider")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if (
        client_id not in audiences or claims.get("azp", client_id if len(audiences) == 1 else None) != client_id
    ):  # 4
        raise Rejected("bad_id_token", "the ID token was made for another client")
    if _time(claims, "exp") <= now - SKEW or _time(claims, "iat") > now + SKEW:  # 5
        raise Rejected("bad_id_token", "the ID token is not valid now")
    if claims.get("nonce") != nonce:  # 6
        raise Rejected("bad_id_token", "the ID token is of another login")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:  # 7
        raise Rejected("bad_id_token", "the ID token names nobody")
    return claims


def _split(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what was signed, and the signature."""
    parts = token.split(".")
    if len(token) > MAX_TOKEN_BYTES or len(parts) != 3 or not token.isascii():
        raise Rejected("bad_id_token", "the ID token is not a compact JWS")
    header = parse_object(b64u_decode(parts[0], max_bytes=MAX_TOKEN_BYTES))
    claims = parse_json(b64u_decode(parts[1], max_bytes=MAX_TOKEN_BYTES), floats=True)
    if not isinstance(claims, dict):
        raise Rejected("bad_id_token", "the ID token has no claims")
    signature = b64u_decode(parts[2], max_bytes=MAX_RSA_BITS // 8)
    return header, claims, f"{parts[0]}.{parts[1]}".encode(), signature


def _time(claims: Mapping[str, Any], name: str) -> int | float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected("bad_id_token", f"{name} is missing or not a number")
    return value


def _key_of(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]], algorithm: str) -> Mapping[str, Any]:
    kind = "EC" if algorithm == "ES256" else "RSA"
    fitting = [
        key
        for key in keys
        if key.get("kty") == kind and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm
    ]
    if "kid" in header:
        fitting = [key for key in fitting if key.get("kid") == header["kid"]]
    if len(fitting) != 1:
        raise Rejected("bad_id_token", "the provider has no such key")
    return fitting[0]


def _verify(jwk: Mapping[str, Any], algorithm: str, message: bytes, signature: bytes) -> None:
    try:
        if algorithm == "ES256":
            parse_jwk(jwk).verify(signature, message)
        else:
            scheme = padding.PKCS1v15() if algorithm == "RS256" else padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            parse_rsa_jwk(jwk).verify(signature, message, scheme, hashes.SHA256())
    except (Rejected, InvalidSignature) as error:
        raise Rejected("bad_id_token", "the ID token's signature does not verify") from error


def parse_rsa_jwk(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    """A key of the provider, of a size that is neither weak nor costly. Raises `Rejected`: `bad_id_token`."""
    if not isinstance(jwk.get("n"), str) or not isinstance(jwk.get("e"), str):
        raise Rejected("bad_id_token", "not an RSA key")
    numbers = [
        int.from_bytes(b64u_decode(jwk[name], max_bytes=2 * MAX_RSA_BITS // 8), "big") for name in ("n", "e")
    ]
    if not MIN_RSA_BITS <= numbers[0].bit_length() <= MAX_RSA_BITS or not 3 <= numbers[1] < 2**32:
        raise Rejected("bad_id_token", "the provider's key is too small or too large")
    try:
        return rsa.RSAPublicNumbers(numbers[1], numbers[0]).public_key()
    except ValueError as error:
        raise Rejected("bad_id_token", "not an RSA key") from error
