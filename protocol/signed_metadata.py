"""Signed issuer metadata (OpenID4VCI 1.0 section 12.2.3): the metadata as a JWT, `application/jwt`.

Payload: all members of the metadata, with `iss`, `sub` (the issuer identifier), `iat` and `exp`; the header has
the issuer's certificates. Who reads it knows that the endpoints are the issuer's, whoever's the web server is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.canonical import parse_json, to_builtins
from protocol.errors import Rejected
from protocol.issuer_metadata import MAX_METADATA_BYTES, IssuerMetadata, parse_issuer_metadata
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private
from protocol.x509 import parse_x5c, verify_chain, x5c

SIGNED_METADATA_TYP = "openidvci-issuer-metadata+jwt"
SIGNED_METADATA_MEDIA_TYPE = "application/jwt"
MAX_SIGNED_METADATA_BYTES = 384 * 1024
MAX_CLOCK_SKEW = 60
"""Seconds that `iat` may lie ahead of our clock."""


def sign_issuer_metadata(
    metadata: IssuerMetadata, key: Es256Private, chain: Sequence[bytes], *, iat: int, exp: int
) -> str:
    """The JWT; `chain` (DER, leaf first, without the anchor) belongs to `key`. Times in POSIX seconds."""
    issuer = metadata.credential_issuer
    claims = {**to_builtins(metadata), "iss": issuer, "sub": issuer, "iat": iat, "exp": exp}
    return sign_jws(claims, key, typ=SIGNED_METADATA_TYP, header={"x5c": x5c(chain)})


def verify_issuer_metadata(token: bytes | str, *, issuer: str, roots: Sequence[bytes], now: int) -> IssuerMetadata:
    """Metadata that the issuer itself signed. 1. form, `typ`, `alg`; 2. `x5c` leads to `roots`, which MUST be
    pinned for this issuer; 3. signature; 4. `sub` is the issuer, and so is `iss` where it is there; 5. `iat` not
    ahead, `exp` not passed; 6. the rules of unsigned metadata.

    Raises `Rejected`: `bad_metadata`.
    """
    try:
        text = token if isinstance(token, str) else token.decode("ascii", "replace")
        jws = parse_jws(text, typ=SIGNED_METADATA_TYP, max_bytes=MAX_SIGNED_METADATA_BYTES)  # 1
        leaf = verify_chain(parse_x5c(jws.header.get("x5c")), roots, now)  # 2
        payload = verify_jws(jws, leaf.key)  # 3
        claims = parse_json(payload, max_bytes=MAX_METADATA_BYTES, floats=True)
    except Rejected as error:
        raise Rejected("bad_metadata", error.detail) from error
    if not isinstance(claims, dict) or claims.get("sub") != issuer or claims.get("iss", issuer) != issuer:  # 4
        raise Rejected("bad_metadata", "the signed metadata is of another issuer")
    if _time(claims, "iat") > now + MAX_CLOCK_SKEW or ("exp" in claims and _time(claims, "exp") <= now):  # 5
        raise Rejected("bad_metadata", "the signed metadata is not in force")
    return parse_issuer_metadata(payload, issuer)  # 6


def _time(claims: Mapping[str, Any], name: str) -> int | float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Rejected("bad_metadata", f"{name} is not a number")
    return value
