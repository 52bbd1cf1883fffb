"""Names that only we can have made: b64u(id || HMAC), an id of 16 bytes and 128 bits that prove it. Pure.

Codes, request URIs and transaction ids are handles: the database holds their ids only, so that who steals it holds
nothing that can be used. Each use has a label of its own, so that one is never taken for another.
"""

import re

from protocol.canonical import b64u_decode, b64u_encode, hmac_sha256, is_equal
from protocol.errors import Rejected

ID_BYTES, MAC_BYTES = 16, 16
_ID = re.compile(r"[0-9a-f]{32}\Z")


def make_handle(key: bytes, label: bytes, id_: str, more: bytes = b"") -> str:
    """The handle of an id (32 hex digits) for one use; `more` travels in it (`read_handle`). `key`: 32 bytes."""
    raw = bytes.fromhex(id_)
    return b64u_encode(raw + more + hmac_sha256(key, label, raw, more)[:MAC_BYTES])


def find_id(key: bytes, label: bytes, handle: str) -> str | None:
    """The id that a handle was made for; None for what is no handle of ours."""
    found = read_handle(key, label, handle, 0)
    return None if found is None else found[0]


def read_handle(key: bytes, label: bytes, handle: str, more_bytes: int) -> tuple[str, bytes] | None:
    """The id, and the `more_bytes` that travelled with it; None for what is no handle of ours."""
    try:
        raw = b64u_decode(handle, max_bytes=ID_BYTES + more_bytes + MAC_BYTES)
    except Rejected:
        return None
    id_, more = raw[:ID_BYTES].hex(), raw[ID_BYTES : ID_BYTES + more_bytes]
    if len(raw) != ID_BYTES + more_bytes + MAC_BYTES:
        return None
    return (id_, more) if is_equal(make_handle(key, label, id_, more).encode(), handle.encode()) else None


def derive(key: bytes, label: bytes, id_: str) -> str:
    """A secret of 256 bits that belongs to an id and is written down nowhere; b64u, 43 characters."""
    return b64u_encode(hmac_sha256(key, label, bytes.fromhex(id_)))


def is_id(text: str) -> bool:
    """Whether it has the form of an id; what strangers put into an address goes no further otherwise."""
    return _ID.match(text) is not None
