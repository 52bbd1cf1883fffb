"""Token Status List (IETF draft-ietf-oauth-status-list): many credentials, one compressed array, one signature.

Statuses of 1, 2, 4 or 8 bits, the least significant bits of a byte first (section 4.1), zlib (4.2), in a
`statuslist+jwt` (5.1). A relying party must not keep `uri` and `idx` to watch the resident (section 12).
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from protocol import x509
from protocol.canonical import b64u_decode, b64u_encode, parse_struct
from protocol.errors import Rejected
from protocol.jws import parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private

STATUS_LIST_TYP = "statuslist+jwt"
STATUS_LIST_MEDIA_TYPE = "application/statuslist+jwt"
VALID, INVALID, SUSPENDED = 0, 1, 2
"""Section 7.1. INVALID is for ever; SUSPENDED may end."""
SUPERSEDED = 3
"""Of the values that section 7.1 leaves to applications: what a listed issuer of ours says of a copy whose data
have changed since. It is good, and a newer one exists (**ours**; protocol section 9). Of others: not VALID."""
MAX_LIST_BYTES = 1024 * 1024
"""Inflated: 2^23 statuses of one bit. 256 MiB of zeros fit in 261 kB of zlib, hence the bound."""
MAX_TOKEN_BYTES = 2 * 1024 * 1024
"""A list of MAX_LIST_BYTES that does not compress, base64url twice."""
MIN_TTL, MAX_TTL, DEFAULT_TTL = 60, 12 * 3600, 900
"""Seconds. A `ttl` of 0 would have us fetch for every read, one of ten years would hide revocations."""
MAX_CLOCK_SKEW = 60
"""Seconds that a peer's clock may run ahead of ours."""
Bits = Literal[1, 2, 4, 8]


class StatusReference(msgspec.Struct, frozen=True):
    """`status.status_list` of a credential (section 6.2): where its status stands."""

    idx: Annotated[int, msgspec.Meta(ge=0, le=2**32)]
    uri: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class _List(msgspec.Struct, frozen=True):
    bits: Bits
    lst: str


class _Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """Section 5.1; other members are allowed."""

    sub: str
    iat: Annotated[int, msgspec.Meta(ge=0)]
    status_list: _List
    exp: int | None = None
    ttl: Annotated[int, msgspec.Meta(gt=0)] | None = None


@dataclass(frozen=True)
class StatusList:
    """A verified list; made only by `verify_status_token`. `exp` (or None) and `ttl` in seconds, `ttl` clamped."""

    uri: str
    bits: int
    data: bytes
    iat: int
    exp: int | None
    ttl: int

    def __len__(self) -> int:
        return len(self.data) * 8 // self.bits

    def status(self, idx: int) -> int:
        """The status at `idx` (section 7.1). Raises `Rejected`: `bad_status_index` (out of range, 8.3)."""
        if not 0 <= idx < len(self):
            raise Rejected("bad_status_index", "status index is outside the list")
        position = idx * self.bits
        return self.data[position // 8] >> position % 8 & (1 << self.bits) - 1

    def is_fresh(self, fetched_at: int, now: int) -> bool:
        """Whether a copy fetched at `fetched_at` may still be used: neither expired nor past `ttl`."""
        return now < fetched_at + self.ttl and (self.exp is None or now < self.exp)


def pack(bits: Bits, statuses: Iterable[int]) -> bytes:
    """Statuses as a byte array, least significant bits first; missing ones in the last byte are 0.

    Raises `ValueError` for a status that does not fit in `bits`.
    """
    per_byte = 8 // bits
    out = bytearray()
    for index, status in enumerate(statuses):
        if not 0 <= status < 1 << bits:
            raise ValueError("status does not fit in its bits")
        if index % per_byte == 0:
            out.append(0)
        out[-1] |= status << index % per_byte * bits
    return bytes(out)


def encode_packed(data: bytes) -> str:
    """`lst` of a packed array: base64url(zlib), level 9 as section 4.2 recommends."""
    if not 0 < len(data) <= MAX_LIST_BYTES:
        raise ValueError(f"a status list has 1 to {MAX_LIST_BYTES} bytes")
    return b64u_encode(zlib.compress(data, level=9))


def encode_list(bits: Bits, statuses: Sequence[int]) -> str:
    """`lst` of these statuses. Raises `ValueError`."""
    return encode_packed(pack(bits, statuses))


def decode_list(lst: str) -> bytes:
    """The packed array of a `lst`, inflated within bounds. Raises `Rejected`: `bad_status_list`, `too_large`."""
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(b64u_decode(lst, max_bytes=MAX_TOKEN_BYTES), MAX_LIST_BYTES + 1)
    except zlib.error as error:
        raise Rejected("bad_status_list", "status list does not inflate") from error
    if len(data) > MAX_LIST_BYTES:
        raise Rejected("too_large", f"status list inflates to more than {MAX_LIST_BYTES} bytes")
    if not inflater.eof or inflater.unused_data or not data:
        raise Rejected("bad_status_list", "status list is empty, cut off or followed by something else")
    return data


def sign_status_token(
    *, uri: str, bits: Bits, lst: str, iat: int, exp: int, ttl: int, signer: Es256Private, x5c: Sequence[str]
) -> str:
    """The token to serve at `uri`; `lst` from `encode_list` or `encode_packed`; times and `ttl` in seconds."""
    payload = _Payload(sub=uri, iat=iat, exp=exp, ttl=ttl, status_list=_List(bits=bits, lst=lst))
    return sign_jws(payload, signer, typ=STATUS_LIST_TYP, header={"x5c": list(x5c)})


def verify_status_token(
    token: str, *, uri: str, roots: Sequence[bytes], now: int, minimum_iat: int = 0
) -> StatusList:
    """The list that was fetched from `uri` (sections 8.3 and 11; HAIP 1.0 section 6.1).

    1. size, `typ` statuslist+jwt, `alg`; 2. `x5c` leads to `roots` (DER) of the credential's issuer at `now`;
    3. signature; 4. `sub` is exactly `uri`; 5. `iat` not ahead and not before `minimum_iat`, the last one seen for
    this uri (rollback); `exp` not passed; 6. `bits` is 1, 2, 4 or 8 and the array inflates within bounds.
    The caller MUST have verified the credential itself first and keep the `iat`.
    Raises `Rejected`: `bad_status_list`, `status_rollback`, `expired_status_list`, `too_large`, and those of
    parsing, certificates and signatures.
    """
    jws = parse_jws(token, typ=STATUS_LIST_TYP, max_bytes=MAX_TOKEN_BYTES)  # 1
    leaf = x509.verify_chain(x509.parse_x5c(jws.header.get("x5c")), roots, now)  # 2
    payload = parse_struct(verify_jws(jws, leaf.key), _Payload, max_bytes=MAX_TOKEN_BYTES)  # 3
    if payload.sub != uri:  # 4
        raise Rejected("bad_status_list", "status list stands for another address")
    if payload.iat < minimum_iat:  # 5
        raise Rejected("status_rollback", "an older status list than the one already seen")
    if payload.iat > now + MAX_CLOCK_SKEW or (payload.exp is not None and payload.exp <= now):
        raise Rejected("expired_status_list", "status list is not in force")
    data = decode_list(payload.status_list.lst)  # 6
    ttl = min(max(payload.ttl or DEFAULT_TTL, MIN_TTL), MAX_TTL)
    return StatusList(uri, payload.status_list.bits, data, payload.iat, payload.exp, ttl)
