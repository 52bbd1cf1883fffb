"""Headers that open the door of one peer: a secret of the home, bound to the URL that it may be sent to.

    {"url": "https://brp.example", "headers": {"X-API-KEY": "..."}}    # brp-source.json, 0600

    headers = read_headers(home, "brp-source.json", url)

The URL of a command is typed by hand: without the one in the secret, a slip or a trick would hand the key to a
stranger.
"""

import re
from collections.abc import Mapping

import msgspec

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from service.home import MAX_FILE_BYTES, Home

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")
_OURS = frozenset({"host", "accept", "content-type", "content-length", "connection", "transfer-encoding"})


class BoundHeaders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`url`: the only one that `headers` are sent to."""

    url: str
    headers: dict[str, str]


def read_headers(home: Home, name: str, url: str) -> Mapping[str, str]:
    """The headers for the peer at `url`; none for a home without the secret `name`.

    Raises `Rejected`: `other_source` when they are for another URL, `open_secret`, `bad_source_key`.
    """
    if not home.has(name):
        return {}
    data = home.read_secret(name)
    try:
        key = parse_struct(data, BoundHeaders, max_bytes=MAX_FILE_BYTES)
    except Rejected as error:
        raise Rejected("bad_source_key", f"{home.file(name)} holds a url and headers") from error
    for header, value in key.headers.items():
        if not _HEADER.fullmatch(header) or header.lower() in _OURS or not _VALUE.fullmatch(value):
            raise Rejected("bad_source_key", f"{home.file(name)} has a header that cannot be sent")
    if key.url.rstrip("/") != url.rstrip("/"):
        raise Rejected("other_source", f"the key in {home.file(name)} is for another URL")
    return key.headers
