"""Encrypted OpenID4VP responses: compact JWE (RFC 7516) by ECDH-ES on P-256 (RFC 7518 section 4.6, HAIP 5).

joserfc does the cryptography, behind a strict reader of our own: its default list would also take `dir` and
compression, and its size limits (1 KiB of header, 64 KiB of ciphertext) fit neither `x5c` nor a sealed answer.
"""

from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry, decrypt_compact, encrypt_compact
from joserfc.jwk import ECKey

from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed, parse_object
from protocol.errors import Rejected
from protocol.keys import Es256Private, parse_jwk

ALGORITHM = "ECDH-ES"
ENCRYPTIONS = ("A256GCM", "A128GCM")
"""In order of preference; HAIP 5 wants a verifier to list both. All others are refused by name."""
MAX_JWE_BYTES = 384 * 1024
"""A sealed answer with every attribute of five credentials is about 60 KiB."""
MAX_HEADER_BYTES = 4096
_REFUSED_HEADERS = ("zip", "crit", "jku", "x5u", "jwk", "p2s", "p2c")
"""Compression hides a bomb, PBES2 costs what the sender wants, and nobody is to say where a key lies."""


class _Registry(JWERegistry):
    """The library's registry with our limits; the strict reader below has looked at the header before."""

    max_protected_header_length = MAX_HEADER_BYTES
    max_ciphertext_length = 4 * 1024 * 1024  # each caller has a limit of its own, which comes first


_REGISTRY = _Registry(algorithms=[ALGORITHM, *ENCRYPTIONS])


def encrypt(payload: bytes, recipient_jwk: Mapping[str, Any], *, enc: str, apv: bytes | None = None) -> str:
    """Compact JWE of `payload` to the P-256 key in `recipient_jwk`, whose `kid` goes into the header.

    `apv` is the nonce of an OpenID4VP request, so that the derived key belongs to this request.
    Raises `Rejected`: `bad_key`, `bad_encryption`.
    """
    if enc not in ENCRYPTIONS:
        raise Rejected("bad_encryption", "only A128GCM and A256GCM are used")
    header: dict[str, Any] = {"alg": ALGORITHM, "enc": enc}
    if apv is not None:
        header["apv"] = b64u_encode(apv)
    kid = recipient_jwk.get("kid")
    if kid is not None:
        if not isinstance(kid, str) or len(kid) > 256:
            raise Rejected("bad_key", "kid is a short text")
        header["kid"] = kid
    public = ECKey.import_key(parse_jwk(recipient_jwk).key)  # without `use` and `alg` of the sender's choice
    return encrypt_compact(header, payload, public, registry=_REGISTRY)


def parse_header(token: str, *, max_bytes: int = MAX_JWE_BYTES) -> Mapping[str, Any]:
    """Form of a compact JWE and its protected header; **not** the ciphertext.

    1. size; 2. five parts, none of them for a wrapped key; 3. `alg` and `enc` on the list; 4. no refused member;
    5. `epk` is a public point on P-256; 6. 96-bit iv and 128-bit tag.
    Raises `Rejected`: `too_large`, `bad_jwe`, `bad_algorithm`, `bad_header`, `bad_key` and those of parsing.
    """
    if len(token) > max_bytes:
        raise Rejected("too_large", f"JWE is larger than {max_bytes} bytes")
    parts = token.split(".")
    if len(parts) != 5 or parts[1]:
        raise Rejected("bad_jwe", "a compact JWE by direct key agreement has five parts, the second one empty")
    header = parse_object(b64u_decode(parts[0], max_bytes=MAX_HEADER_BYTES), max_bytes=MAX_HEADER_BYTES)
    if header.get("alg") != ALGORITHM or header.get("enc") not in ENCRYPTIONS:
        raise Rejected("bad_algorithm", "only ECDH-ES with A128GCM or A256GCM is accepted")
    for name in _REFUSED_HEADERS:
        if name in header:
            raise Rejected("bad_header", f"header {name} is refused")
    for name in ("kid", "apu", "apv"):
        if not isinstance(header.get(name, ""), str):
            raise Rejected("bad_header", f"header {name} is a text")
    epk = header.get("epk")
    if not isinstance(epk, dict):
        raise Rejected("bad_header", "header epk is missing")
    parse_jwk(epk)
    b64u_fixed(parts[2], 12)
    b64u_decode(parts[3], max_bytes=max_bytes)
    b64u_fixed(parts[4], 16)
    return header


def decrypt(token: str, private: Es256Private, *, max_bytes: int = MAX_JWE_BYTES) -> bytes:
    """The plaintext; `private` is the P-256 key of one request. Any `apu` and `apv` are taken: they enter the key.

    Raises `Rejected`: `undecryptable` and those of `parse_header`.
    """
    parse_header(token, max_bytes=max_bytes)
    try:
        plaintext = decrypt_compact(token, ECKey.import_key(private.key), registry=_REGISTRY).plaintext
    except (JoseError, ValueError) as error:
        raise Rejected("undecryptable", "not encrypted to this key") from error
    if plaintext is None:
        raise Rejected("undecryptable", "not encrypted to this key")
    return plaintext
