"""Bytes that are hashed or signed: strict base64url, strict JSON, RFC 8785 (JCS), SHA-256, HMAC, HKDF.

The standard library's readers are too kind for signed data: base64 skips foreign characters, JSON keeps the
last of two equal keys and takes NaN. Everything here has one accepted form.
"""

import binascii
import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, NoReturn, TypeAlias, TypeVar

import msgspec
import rfc8785

from protocol.errors import Rejected

JsonValue: TypeAlias = "bool | int | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
T = TypeVar("T")

MAX_JSON_BYTES = 64 * 1024
"""Default limit of a JSON text; a caller that expects more says so."""
MAX_JSON_DEPTH = 16
"""Deeper nesting occurs in none of our formats and would exhaust the reader's stack."""
MAX_JSON_PARTS = 2**18
"""Arrays, objects and members of one text: each takes up to 200 bytes of memory, so a text takes below 64 MiB. A
trust list of the largest size has about 180,000."""
MAX_SAFE_INTEGER = 2**53 - 1
"""RFC 8785 numbers are doubles: from 2^53 on two integers share one form, so the last safe one is below it."""
HASH_BYTES = 32
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST, _OUTER_REST = b"\x36" * 32, b"\x5c" * 32
"""A 32-byte key is padded with zeroes to the 64-byte block of SHA-256."""
_FROM_BASE64URL = bytes.maketrans(b'-_+/="\\', b"+/!!!!!")
"""To the standard alphabet; what only that has, and what means something in JSON, becomes a refused character."""
_TO_BASE64URL = bytes.maketrans(b"+/", b"-_")
_ENDS = (b'"', b'==="', b'=="', b'="')
_LAST_CHARACTERS = ("", "", "AQgw", "AEIMQUYcgkosw048")
"""By length modulo 4: the padding that is left out, and what the text may end in when there is one."""


_base64_reader = msgspec.json.Decoder(bytes)


def b64u_encode(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_BASE64URL, b"=").decode("ascii")


def b64u_decode(text: str, *, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """The bytes of an unpadded base64url text; exactly one text is accepted for each value.

    By msgspec's reader of base64 in JSON, which is strict and four times as fast as binascii's strict mode.
    Raises `Rejected`: `bad_base64`, `too_large`.
    """
    length = len(text)
    if length > (max_bytes * 4 + 2) // 3:
        raise Rejected("too_large", f"base64url text is longer than {max_bytes} bytes allow")
    rest = length % 4
    try:
        data = _base64_reader.decode(b'"' + text.encode("ascii").translate(_FROM_BASE64URL) + _ENDS[rest])
    except ValueError as error:  # msgspec's and, for characters beyond ASCII, Python's own
        raise Rejected("bad_base64", "not unpadded base64url") from error
    # The spare bits of the last character are free in base64: allow zeros only, so that no second spelling passes.
    if rest and text[-1] not in _LAST_CHARACTERS[rest]:
        raise Rejected("bad_base64", "spare bits are not zero")
    return data


def b64u_fixed(text: str, length: int) -> bytes:
    """Like `b64u_decode`, for a value of exactly `length` bytes. Raises `Rejected`: `bad_base64`, `too_large`."""
    data = b64u_decode(text, max_bytes=length)
    if len(data) != length:
        raise Rejected("bad_base64", f"value is not {length} bytes long")
    return data


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Rejected("duplicate_key", "an object names a member twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise Rejected("bad_json", "NaN and Infinity are not JSON")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) > MAX_SAFE_INTEGER:
        raise Rejected("bad_json", "integer is not below 2^53")
    return number


def _no_float(text: str) -> NoReturn:
    raise Rejected("bad_json", "only whole numbers are used here")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):  # 1e999 reads as infinity, which has no JSON form
        raise Rejected("bad_json", "number is too large")
    return number


_reader = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_int=_integer, parse_float=_no_float
)
_reader_of_floats = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_int=_integer, parse_float=_finite
)


_MEMBER_COLON = re.compile(rb'"[ \t\r\n]*:')


def _check_parts(data: bytes) -> None:
    """Bound the memory of large texts; what looks like them inside strings counts as well."""
    brackets = data.count(b"[") + data.count(b"{")
    if brackets + data.count(b":") <= MAX_JSON_PARTS:
        return
    if brackets + sum(1 for _ in _MEMBER_COLON.finditer(data)) > MAX_JSON_PARTS:
        raise Rejected("too_large", f"JSON has more than {MAX_JSON_PARTS} arrays, objects and members")


def _check_depth(text: str) -> None:
    """Count brackets outside strings before the recursive reader sees the text."""
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    in_string = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif in_string:
            escaped = char == "\\"
            in_string = char != '"'
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise Rejected("too_deep", f"JSON is nested deeper than {MAX_JSON_DEPTH}")
        elif char in "]}":
            depth -= 1


_fast_reader = msgspec.json.Decoder(float_hook=_no_float)
_writer = msgspec.json.Encoder()
_sorting_writer = msgspec.json.Encoder(order="sorted")
_BEFORE_UE000 = bytes(range(0xEE))
"""The bytes of which UTF-8 writes all characters below U+E000."""
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 16
_NOT_PLAIN = object()


def _parse_if_plain(data: bytes) -> Any:
    """The value of a text as a writer would write it, or `_NOT_PLAIN`; three times as fast.

    A text that equals what a writer makes of its value, blanks between tokens aside, has no duplicate key and no
    half of a character, since the writer writes none; one without objects and escapes has them neither. Fractions
    and long numbers are left to the strict reader, and so is whatever does not equal.
    """
    objects = data.count(b"{")
    if data.count(b"[") + objects > MAX_JSON_DEPTH or _LONG_NUMBER in data.translate(_DIGITS_TO_ZERO):
        return _NOT_PLAIN
    try:
        value = _fast_reader.decode(data)
        if not objects and b"\\" not in data:
            return value
        written = _writer.encode(value)
        return value if written == data or written == msgspec.json.format(data, indent=-1) else _NOT_PLAIN
    except (ValueError, Rejected):
        return _NOT_PLAIN


def _utf8(text: str, max_bytes: int) -> bytes:
    """The bytes of a text from a form or a link, which may hold lone surrogates: those have no UTF-8 form."""
    try:
        return text[: max_bytes + 1].encode("utf-8")
    except UnicodeEncodeError as error:
        raise Rejected("bad_json", "not a JSON text") from error


def parse_json(data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES, floats: bool = False) -> Any:
    """One strict JSON value: UTF-8, no duplicate keys, no NaN, depth and size bounded, integers below 2^53.

    `floats` admits fractions, for texts of others that we neither hash nor sign.
    Raises `Rejected`: `bad_json`, `duplicate_key`, `too_deep`, `too_large`.
    """
    if isinstance(data, str):
        data = _utf8(data, max_bytes)
    if len(data) > max_bytes:
        raise Rejected("too_large", f"JSON is larger than {max_bytes} bytes")
    if len(data) > MAX_JSON_PARTS:
        _check_parts(data)
    if (known := _parse_if_plain(data)) is not _NOT_PLAIN:
        return known
    try:
        text = data.decode("utf-8")
        _check_depth(text)
        value = (_reader_of_floats if floats else _reader).decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate has no UTF-8 form
    except (ValueError, RecursionError) as error:
        raise Rejected("bad_json", "not a JSON text") from error
    return value


def parse_b64u_json(text: str, *, max_bytes: int = MAX_JSON_BYTES, floats: bool = False) -> Any:
    """`parse_json(b64u_decode(text))`: a token has several of these. Raises `Rejected` as those two do."""
    data = b64u_decode(text, max_bytes=max_bytes)
    if len(data) <= MAX_JSON_PARTS and (known := _parse_if_plain(data)) is not _NOT_PLAIN:
        return known
    return parse_json(data, max_bytes=max_bytes, floats=floats)


def parse_object(data: bytes | str, *, max_bytes: int = MAX_JSON_BYTES, floats: bool = False) -> dict[str, Any]:
    """Like `parse_json`, for an object. Raises `Rejected`: `bad_json` and those of `parse_json`."""
    value = parse_json(data, max_bytes=max_bytes, floats=floats)
    if not isinstance(value, dict):
        raise Rejected("bad_json", "expected a JSON object")
    return value


_known_kinds: set[type[Any]] = set()
_learning = Lock()


def _learn(kind: type[Any]) -> None:
    """Have one thread alone use `kind` first.

    msgspec 0.22 puts what it finds out about a Struct where every thread sees it before it is complete: two
    threads that meet a type at the same time, as the first requests after a start do, crash the process (it
    follows a null pointer).
    """
    with _learning:
        if kind not in _known_kinds:
            with suppress(msgspec.ValidationError):
                msgspec.convert(None, kind)
            _known_kinds.add(kind)


def convert(value: Any, kind: type[T]) -> T:
    """A parsed JSON value as a msgspec Struct `kind`. Raises `Rejected`: `bad_form`."""
    if kind not in _known_kinds:
        _learn(kind)
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, UnicodeError, OverflowError) as error:
        # msgspec's own text can repeat the offending member name but also a value: name the type only.
        raise Rejected("bad_form", f"does not have the form of {getattr(kind, '__name__', 'the type')}") from error


def parse_struct(data: bytes | str, kind: type[T], *, max_bytes: int = MAX_JSON_BYTES) -> T:
    """`parse_json` and `convert` in one."""
    return convert(parse_json(data, max_bytes=max_bytes), kind)


def to_builtins(value: Any) -> Any:
    """A Struct as plain dicts and lists, without members that are unset or at their default of None."""
    return msgspec.to_builtins(value)


def _written_simply(plain: Any) -> bytes | None:
    """The RFC 8785 form by msgspec, where the two writers cannot differ: two to five times as fast.

    That is: what was written reads back as the same value without fractions and long numbers, nothing in it is
    escaped, and no character lies beyond U+DFFF, from where on names sort otherwise as UTF-16 (section 3.2.3).
    """
    try:
        written = _sorting_writer.encode(plain)
        if (
            b"\\" in written
            or written.translate(None, _BEFORE_UE000)
            or _LONG_NUMBER in written.translate(_DIGITS_TO_ZERO)
        ):
            return None
        return written if _fast_reader.decode(written) == plain else None
    except (ValueError, TypeError, Rejected):
        return None


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 form of a JSON value or msgspec Struct; only what `parse_json` accepts.

    Raises `ValueError` for values that have no such form (our own mistake: peers' values were parsed).
    """
    plain = msgspec.to_builtins(value)
    try:
        return _written_simply(plain) or rfc8785.dumps(plain)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise ValueError("value has no canonical JSON form") from error


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over the concatenation of `parts`: 32 bytes."""
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 with a key of exactly 32 bytes, so that no two keys are equivalent.

    By its definition (RFC 2104): `hmac.digest` gives up the interpreter for every message, however short, and a
    thread that makes many waits for all others each time.
    """
    if len(key) != HASH_BYTES:
        raise ValueError("HMAC keys are exactly 32 bytes")
    inner = hashlib.sha256(key.translate(_INNER) + _INNER_REST + b"".join(parts)).digest()
    return hashlib.sha256(key.translate(_OUTER) + _OUTER_REST + inner).digest()


def hkdf_sha256(secret: bytes, info: bytes, *, salt: bytes = b"", length: int = 32) -> bytes:
    """HKDF-SHA256 (RFC 5869), one to 255 blocks; empty salt unless given."""
    prk = hmac.digest(salt or bytes(HASH_BYTES), secret, "sha256")
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:length]


def is_equal(left: bytes, right: bytes) -> bool:
    """Constant-time comparison, for what is or guards a secret."""
    return hmac.compare_digest(left, right)
