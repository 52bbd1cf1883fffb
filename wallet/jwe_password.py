"""A file under a password that every wallet can open: compact JWE as EUDI TS10 section 5 prescribes it.

PBES2-HS256+A128KW (RFC 7518 section 4.8) and A128GCM, and nothing else. PBKDF2 is cheaper to guess at than what
seals our own backups, so such a file holds no key of ours. A file of somebody else says what it costs to open: the
price is bounded before it is paid. joserfc does the cryptography, behind a strict reader of our own.
"""

from typing import Any

from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry, decrypt_compact, encrypt_compact
from joserfc.jwk import OctKey

from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed, parse_object
from protocol.errors import Rejected
from protocol.passphrase import Random, check_passphrase

ALGORITHM, ENCRYPTION = "PBES2-HS256+A128KW", "A128GCM"
ROUNDS = 250_000
"""Of ours. More would be safer and is not opened elsewhere: libraries bound what they pay, joserfc at 300,000."""
MIN_ROUNDS, MAX_ROUNDS = 1000, 300_000
"""RFC 7518 section 4.8.1.2 recommends 1000 at least."""
MAX_HEADER_BYTES = 1024
MAX_FILE_BYTES = 32 * 1024 * 1024
_SALT_BYTES = 16
_MIN_SALT_BYTES, _MAX_SALT_BYTES = 8, 64
_WRAPPED_BYTES = 16 + 8
_MEMBERS = {"alg", "enc", "p2s", "p2c", "cty", "typ", "kid"}


class _Registry(JWERegistry):
    """The library's registry with room for a whole file; the strict reader below has looked at it before."""

    max_protected_header_length = MAX_HEADER_BYTES
    max_ciphertext_length = MAX_FILE_BYTES


_REGISTRY = _Registry(algorithms=[ALGORITHM, ENCRYPTION])


def encrypt(payload: bytes, password: bytes, random: Random, *, rounds: int = ROUNDS) -> str:
    """Compact JWE of `payload`. Raises `Rejected`: `weak_passphrase`, `too_large`."""
    check_passphrase(password)
    if len(payload) > MAX_FILE_BYTES // 4 * 3 - MAX_HEADER_BYTES:
        raise Rejected("too_large", "this is more than one file can hold")
    header: dict[str, Any] = {"alg": ALGORITHM, "enc": ENCRYPTION, "cty": "json", "p2c": rounds}
    header["p2s"] = b64u_encode(random(_SALT_BYTES))
    return encrypt_compact(header, payload, OctKey.import_key(password), registry=_REGISTRY)


def decrypt(token: str, password: bytes) -> bytes:
    """What is in such a file.

    1. size and five parts; 2. the two algorithms, no member that is not known; 3. what it costs is bounded;
    4. salt, wrapped key, iv and tag have their lengths.
    Raises `Rejected`: `too_large`, `bad_migration`, `wrong_passphrase`.
    """
    if len(token) > MAX_FILE_BYTES:  # 1.
        raise Rejected("too_large", "this file is too large")
    parts = token.split(".")
    if len(parts) != 5:
        raise _not_one()
    try:
        _check_header(parse_object(b64u_decode(parts[0], max_bytes=MAX_HEADER_BYTES)))  # 2., 3., 4.
        b64u_fixed(parts[1], _WRAPPED_BYTES)
        b64u_fixed(parts[2], 12)
        b64u_decode(parts[3], max_bytes=MAX_FILE_BYTES)
        b64u_fixed(parts[4], 16)
    except Rejected as error:
        raise _not_one() from error
    try:
        plain = decrypt_compact(token, OctKey.import_key(password), registry=_REGISTRY).plaintext
    except (JoseError, ValueError) as error:
        raise Rejected("wrong_passphrase", "this password does not open the file", status=403) from error
    if plain is None:
        raise _not_one()
    return plain


def _check_header(header: dict[str, Any]) -> None:
    if (header.get("alg"), header.get("enc")) != (ALGORITHM, ENCRYPTION) or not header.keys() <= _MEMBERS:
        raise _not_one()
    rounds, salt = header.get("p2c"), header.get("p2s")
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not MIN_ROUNDS <= rounds <= MAX_ROUNDS:
        raise _not_one()
    if not isinstance(salt, str):
        raise _not_one()
    if not _MIN_SALT_BYTES <= len(b64u_decode(salt)) <= _MAX_SALT_BYTES:
        raise _not_one()


def _not_one() -> Rejected:
    return Rejected("bad_migration", "this file is not one that a wallet made for another wallet")
