"""Compact JWS (RFC 7515) with one algorithm and a header that names its kind (RFC 8725).

`parse_jws` reads the form only. `verify_jws` also checks the signature and is the only way to a payload.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_object
from protocol.errors import Rejected
from protocol.keys import ALLOWED_JWS_ALGORITHMS, Es256Private, Es256Public

MAX_JWS_BYTES = 64 * 1024
"""A trust list of a country is read with a larger limit; nothing else comes near."""
_REFUSED_HEADERS = ("jku", "x5u", "crit")
"""Keys fetched from where the sender says, and extensions that we must understand and do not."""


@dataclass(frozen=True)
class UnverifiedJws:
    """A token of good form whose signature nobody has looked at."""

    token: str
    header: Mapping[str, Any]
    payload: bytes
    signature: bytes

    @property
    def signing_input(self) -> bytes:
        """What was signed: the first two parts with the dot between."""
        return self.token.rpartition(".")[0].encode("ascii")


def parse_jws(token: str, *, typ: str, max_bytes: int = MAX_JWS_BYTES, allow_jwk: bool = False) -> UnverifiedJws:
    """Form, `alg`, `typ` and refused header members; **not** the signature.

    1. size; 2. three strict base64url parts; 3. `alg` on the allow-list; 4. `typ` as expected;
    5. no `jku`, `x5u`, `crit`, and `jwk` only where the caller allows it (key proofs, DPoP).
    Raises `Rejected`: `too_large`, `bad_jws`, `bad_algorithm`, `bad_type`, `bad_header` and those of parsing.
    """
    if len(token) > max_bytes:
        raise Rejected("too_large", f"token is larger than {max_bytes} bytes")
    parts = token.split(".")
    if len(parts) != 3:
        raise Rejected("bad_jws", "a compact JWS has three parts")
    header = parse_object(b64u_decode(parts[0], max_bytes=max_bytes), max_bytes=max_bytes)
    if str(header.get("alg")) not in ALLOWED_JWS_ALGORITHMS:  # str: a list in its place has no hash
        raise Rejected("bad_algorithm", "only ES256 is accepted")
    if header.get("typ") != typ:
        raise Rejected("bad_type", f"token is not of type {typ}")
    for name in _REFUSED_HEADERS:
        if name in header:
            raise Rejected("bad_header", f"header {name} is refused")
    if "jwk" in header and not allow_jwk:
        raise Rejected("bad_header", "header jwk is refused here")
    payload = b64u_decode(parts[1], max_bytes=max_bytes)
    return UnverifiedJws(token, header, payload, b64u_decode(parts[2], max_bytes=128))


def verify_jws(jws: UnverifiedJws, key: Es256Public) -> bytes:
    """The payload, once `key` is found to have signed it. Raises `Rejected`: `bad_signature`."""
    key.verify(jws.signature, jws.signing_input)
    return jws.payload


def sign_jws(payload: Any, key: Es256Private, *, typ: str, header: Mapping[str, Any] | None = None) -> str:
    """Compact JWS over JCS(payload); `header` adds members such as `x5c` or `kid`."""
    protected = {"alg": "ES256", "typ": typ, **(header or {})}
    signing_input = f"{b64u_encode(canonical_bytes(protected))}.{b64u_encode(canonical_bytes(payload))}"
    return f"{signing_input}.{b64u_encode(key.sign(signing_input.encode('ascii')))}"
