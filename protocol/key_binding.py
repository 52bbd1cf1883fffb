"""The key-binding JWT (RFC 9901 section 4.3): the holder answers one audience, once.

In Regie it is also the consent signature: `consent` = b64u(H(JCS(T))) beside `sd_hash` (protocol section 4).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

import msgspec

from protocol.canonical import b64u_encode, b64u_fixed, convert, parse_b64u_json, sha256
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws
from protocol.keys import Es256Private, Es256Public

KEY_BINDING_TYP = "kb+jwt"
MAX_KEY_BINDING_BYTES = 4096
"""About 500 bytes with `consent`; a few transaction data hashes more."""
MAX_CLOCK_SKEW = 60
"""Seconds that a holder's clock may run ahead of ours."""
_MAX_HEADER_CHARACTERS = 512
_Digest = Annotated[str, msgspec.Meta(min_length=43, max_length=43)]


class _Payload(msgspec.Struct, frozen=True):
    """Members that we read; RFC 9901 section 4.3 allows others."""

    iat: int
    aud: str
    nonce: str
    sd_hash: _Digest
    consent: _Digest | None = None
    transaction_data_hashes: Annotated[list[_Digest], msgspec.Meta(min_length=1, max_length=16)] | None = None
    transaction_data_hashes_alg: str = "sha-256"
    exp: int | None = None
    nbf: int | None = None


class VerifiedKeyBinding(msgspec.Struct, frozen=True):
    """What the holder signed; made only by `verify_key_binding`. `iat` in POSIX seconds, hashes are 32 bytes."""

    iat: int
    consent: bytes | None
    transaction_data_hashes: tuple[bytes, ...]


def sd_hash(presented: str) -> str:
    """base64url SHA-256 over everything up to and including the last `~` (RFC 9901 section 4.3.1)."""
    return b64u_encode(sha256(presented.encode("ascii")))


def sign_key_binding(
    presented: str,
    holder: Es256Private,
    *,
    audience: str,
    nonce: str,
    iat: int,
    consent: bytes | None = None,
    transaction_data_hashes: Sequence[bytes] | None = None,
) -> str:
    """The KB-JWT for `presented` (`JWT~D..~`); append it to make a presentation.

    `consent` = H(JCS(T)), 32 bytes; `transaction_data_hashes` as in OpenID4VP 1.0 section 8.4 and B.3.3.1.
    Raises `ValueError` if `presented` does not end in `~`.
    """
    if not presented.endswith("~"):
        raise ValueError("a key-binding JWT covers a text that ends in ~")
    payload: dict[str, object] = {"aud": audience, "iat": iat, "nonce": nonce, "sd_hash": sd_hash(presented)}
    if consent is not None:
        payload["consent"] = b64u_encode(consent)
    if transaction_data_hashes is not None:
        payload["transaction_data_hashes"] = [b64u_encode(digest) for digest in transaction_data_hashes]
        payload["transaction_data_hashes_alg"] = "sha-256"
    return sign_jws(payload, holder, typ=KEY_BINDING_TYP)


@lru_cache(maxsize=64)
def _check_header(header: str) -> None:
    """One software writes one header: its form is checked once. Raises `Rejected` as `parse_jws` does."""
    parse_jws(f"{header}..", typ=KEY_BINDING_TYP)


def _check_dates(payload: _Payload, now: int, max_age: int) -> None:
    if payload.iat > now + MAX_CLOCK_SKEW or payload.iat < now - max_age:
        raise Rejected("stale_key_binding", "key-binding JWT was not made just now")
    if (payload.exp is not None and payload.exp <= now) or (payload.nbf is not None and payload.nbf > now):
        raise Rejected("stale_key_binding", "key-binding JWT is not in force")


class UnverifiedKeyBinding(msgspec.Struct, frozen=True):
    """A KB-JWT that says what it must say; nobody has looked at its signature. Made only by `read_key_binding`."""

    told: VerifiedKeyBinding
    signing_input: bytes
    signature: bytes

    def verify(self, holder: Es256Public) -> VerifiedKeyBinding:
        """What `holder` (the credential's `cnf` key) signed. Raises `Rejected`: `bad_signature`."""
        holder.verify(self.signature, self.signing_input)
        return self.told


def read_key_binding(
    kb_jwt: str, presented: str, *, audience: str, nonce: str, now: int | None, max_age: int = 300
) -> UnverifiedKeyBinding:
    """Steps 1 to 5 of `verify_key_binding`; the caller MUST `verify` before anything of it leaves."""
    parts = kb_jwt.split(".")
    if len(kb_jwt) > MAX_KEY_BINDING_BYTES or len(parts) != 3 or len(parts[0]) > _MAX_HEADER_CHARACTERS:  # 1
        raise Rejected("bad_key_binding", "key-binding JWT is too large or has not three parts")
    _check_header(parts[0])
    payload = convert(parse_b64u_json(parts[1], max_bytes=MAX_KEY_BINDING_BYTES), _Payload)
    if payload.sd_hash != sd_hash(presented):  # 2: no secret, so no constant time
        raise Rejected("bad_key_binding", "key-binding JWT was made for another presentation")
    if payload.aud != audience:  # 3
        raise Rejected("wrong_audience", "presentation was made for another audience")
    if payload.nonce != nonce:
        raise Rejected("wrong_nonce", "presentation answers another request")
    if now is not None:  # 4
        _check_dates(payload, now, max_age)
    if payload.transaction_data_hashes_alg != "sha-256":  # 5
        raise Rejected("bad_key_binding", "only sha-256 hashes are accepted")
    consent = None if payload.consent is None else b64u_fixed(payload.consent, 32)
    hashes = tuple([b64u_fixed(digest, 32) for digest in payload.transaction_data_hashes or ()])
    told = VerifiedKeyBinding(payload.iat, consent, hashes)
    return UnverifiedKeyBinding(told, kb_jwt.rpartition(".")[0].encode("ascii"), b64u_fixed(parts[2], 64))


def verify_key_binding(
    kb_jwt: str,
    presented: str,
    holder: Es256Public,
    *,
    audience: str,
    nonce: str,
    now: int | None,
    max_age: int = 300,
) -> VerifiedKeyBinding:
    """What `holder` (the credential's `cnf` key) signed for this audience (RFC 9901 section 7.3 step 5).

    1. size, form, `typ` kb+jwt, `alg`; 2. `sd_hash` over exactly `presented`; 3. `aud` and `nonce` as expected,
    each one text; 4. `iat` at most `max_age` seconds old (with `now=None` dates are **not** checked: later reads
    of a kept consent); 5. hashes are SHA-256; 6. signature by the `cnf` key.
    Raises `Rejected`: `bad_key_binding`, `bad_signature`, `wrong_audience`, `wrong_nonce`, `stale_key_binding`
    and those of parsing.
    """
    read = read_key_binding(kb_jwt, presented, audience=audience, nonce=nonce, now=now, max_age=max_age)
    return read.verify(holder)  # 6
