"""A parser of `protocol`, something good for it to read, and how a test hands it something worse.

`Row.call` takes what `Row.specimen` is: text, bytes, or a JSON value. A JSON value reaches the parser as a peer
would bring it there: written as text, signed with the peer's own valid key, sealed to us. So what is behind a
signature is spoiled too, by the one whose signature is good.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocol.canonical import b64u_encode, convert, parse_json
from protocol.keys import Es256Private
from protocol.note import NoteSigner
from tests.protocol.spoiling import dump


@dataclass(frozen=True)
class Row:
    """`function`: module and name. `keep_root`: the caller has made sure of the outermost type."""

    function: str
    specimen: Any
    call: Callable[[Any], object]
    what: str = ""
    keep_root: bool = False

    def __str__(self) -> str:
        return f"{self.function} ({self.what})" if self.what else self.function


def b64u_json(value: Any) -> str:
    """JSON as it stands in tokens."""
    return b64u_encode(dump(value))


def forge(payload: Any, key: Es256Private, typ: str, header: Mapping[str, Any] | None = None) -> str:
    """A compact JWS with a good signature over any payload, however malformed."""
    return forge_header({"alg": "ES256", "typ": typ, **(header or {})}, b64u_json(payload), key)


def forge_header(header: Any, payload: str, key: Es256Private) -> str:
    """A compact JWS with a good signature under any header, however malformed."""
    signing_input = f"{b64u_json(header)}.{payload}"
    return f"{signing_input}.{b64u_encode(key.sign(signing_input.encode('ascii')))}"


def header_of(token: str) -> Any:
    """The header of a compact token."""
    return json.loads(_decode(token.split(".")[0]))


def payload_of(token: str) -> Any:
    """The payload of a compact JWS."""
    return json.loads(_decode(token.split(".")[1]))


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def received(value: Any, kind: type[Any]) -> Any:
    """A Struct as it comes out of a body with this JSON in it."""
    return convert(parse_json(dump(value), max_bytes=2**20), kind)


def sign_text(body: str, signer: NoteSigner, *, time: int | None = None) -> str:
    """A note with a good signature over any text, or as near to one as can be written."""
    try:
        return f"{body}\n{signer.sign(body, time=time)}"
    except UnicodeEncodeError:
        return f"{body}\n{signer.sign('x' + chr(10), time=time)}"
