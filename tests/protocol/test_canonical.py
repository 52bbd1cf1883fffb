"""Strict base64url and JSON: one accepted form, and a fast reader that agrees with the strict one."""

import base64
import hmac
import json
import math
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from protocol import canonical as c
from protocol.errors import Rejected
from tests.protocol.mutations import json_values, spoiled_bytes, spoiled_text


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    x: int
    label: str | None = None


def refused(code: str, data: bytes | str, **changes: Any) -> None:
    with pytest.raises(Rejected) as caught:
        c.parse_json(data, **changes)
    assert caught.value.code == code


@given(st.text(alphabet='AQgw9_-+/="\\ \n.u041é\0', max_size=12))
def test_base64url_accepts_a_text_only_as_it_would_be_written(text: str) -> None:
    """Also one that means something to the JSON reader behind it: quotes, escapes, line ends."""
    try:
        data = c.b64u_decode(text)
    except Rejected:
        return
    assert c.b64u_encode(data) == text


@given(st.binary(max_size=80))
def test_base64url_reads_back_and_has_one_spelling(data: bytes) -> None:
    text = c.b64u_encode(data)
    assert c.b64u_decode(text) == data
    assert c.b64u_fixed(text, len(data)) == data
    if text:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        others = [text[:-1] + last for last in alphabet if last != text[-1]]
        accepted = [other for other in others if _decodes_to(other, data)]
        assert accepted == []


def _decodes_to(text: str, data: bytes) -> bool:
    try:
        return c.b64u_decode(text) == data
    except Rejected:
        return False


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AAAAA",
        "AA==",
        "AA=",
        "=",
        "AAA=",
        "A+A/",
        "A/AA",
        "AA\n",
        "A A",
        "AB",
        "AAB",
        "é",
        "\0",
        "\ud800",
        "AA!A",
    ],
)
def test_base64url_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="bad_base64"):
        c.b64u_decode(text)


@given(spoiled_text(c.b64u_encode(bytes(range(50)))))
def test_spoiled_base64url_is_refused_or_canonical(text: str) -> None:
    try:
        data = c.b64u_decode(text)
    except Rejected:
        return
    assert base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text


def test_base64url_length_is_limited() -> None:
    assert c.b64u_decode("A" * 40, max_bytes=30) == bytes(30)
    with pytest.raises(Rejected, match="too_large"):
        c.b64u_decode("A" * 42, max_bytes=30)
    with pytest.raises(Rejected, match="bad_base64"):
        c.b64u_fixed("A" * 40, 31)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"a":1}', "duplicate_key"),
        ('{"a":1,"\\u0061":1}', "duplicate_key"),
        ('[{"b":{"a":1,"a":2}}]', "duplicate_key"),
        ("NaN", "bad_json"),
        ("[Infinity]", "bad_json"),
        ("-Infinity", "bad_json"),
        ("1.0", "bad_json"),
        ("[1e2]", "bad_json"),
        ("9007199254740992", "bad_json"),
        ("[-9007199254740992]", "bad_json"),
        ("9" * 5000, "bad_json"),
        ('"\\ud800"', "bad_json"),
        ('{"\\udc00":1}', "bad_json"),
        ("", "bad_json"),
        ("[1] 2", "bad_json"),
        ("{'a':1}", "bad_json"),
        ("[1,]", "bad_json"),
        ("\ufeff1", "bad_json"),
        ("01", "bad_json"),
    ],
)
def test_lenient_json_is_refused_in_both_spellings(text: str, code: str) -> None:
    refused(code, text)
    refused(code, text.encode())


def test_text_of_a_link_is_measured_and_read_as_its_utf8() -> None:
    assert c.parse_json('["é"]', max_bytes=6) == ["é"]
    with pytest.raises(Rejected, match="too_large"):
        c.parse_json('["éé"]', max_bytes=7)
    for text in ('"\ud800"', '{"\udc00":1}', '["\udcff"]'):  # so the command line hands over what is no UTF-8
        refused("bad_json", text)


@pytest.mark.parametrize("data", [b"\xff", b'"\xed\xa0\x80"', b'"\xc0\x80"', b"\x00", b'["\x1f"]'])
def test_bytes_that_are_no_json_text_are_refused(data: bytes) -> None:
    refused("bad_json", data)


def test_largest_integers_are_read_and_the_next_are_not() -> None:
    for number in (c.MAX_SAFE_INTEGER, -c.MAX_SAFE_INTEGER):
        assert c.parse_json(str(number).encode()) == number
        assert c.parse_json(f"[{number}]".encode()) == [number]
        refused("bad_json", str(number + (1 if number > 0 else -1)).encode())


def test_depth_is_limited_for_every_kind_of_nesting() -> None:
    deepest = "[" * c.MAX_JSON_DEPTH + "]" * c.MAX_JSON_DEPTH
    assert c.parse_json(deepest.encode()) is not None
    refused("too_deep", f"[{deepest}]".encode())
    refused("too_deep", ('{"a":' * (c.MAX_JSON_DEPTH + 1) + "1" + "}" * (c.MAX_JSON_DEPTH + 1)).encode())
    refused("too_deep", b"[" * 50_000)
    assert c.parse_json(json.dumps(["[" * 40, '\\"[{' * 9]).encode()), "brackets in texts do not count"


def test_size_is_limited() -> None:
    assert c.parse_json(b'"' + b"x" * 98 + b'"', max_bytes=100)
    refused("too_large", b'"' + b"x" * 99 + b'"', max_bytes=100)


def test_fractions_only_where_the_caller_admits_them() -> None:
    assert c.parse_json(b"[1.5]", floats=True) == [1.5]
    assert c.parse_json("[1.5]", floats=True) == [1.5]
    refused("bad_json", b"[1.5]")


@given(json_values)
def test_fast_reader_agrees_with_the_strict_one(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)):
        try:
            data = text.encode()
        except UnicodeEncodeError:
            continue
        assert _outcome(data) == _outcome(text)


@given(spoiled_bytes(b'{"_sd":["a","b"],"cnf":{"jwk":{"x":"y"}},"exp":1795305600,"n":[null,true,-3]}'))
def test_fast_reader_agrees_on_spoiled_texts(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        refused("bad_json", data)
        return
    assert _outcome(data) == _outcome(text)


def _outcome(data: bytes | str) -> Any:
    """The value or the code; texts never take the fast way."""
    try:
        return json.dumps(c.parse_json(data), sort_keys=True)
    except Rejected as error:
        return error.code


def test_struct_is_strict_about_members_and_types() -> None:
    assert c.parse_struct(b'{"x":1}', Point) == Point(x=1)
    for text in (b'{"x":"1"}', b'{"x":1,"y":2}', b"{}", b"[]", b'{"x":true}', b'{"x":1,"label":7}'):
        with pytest.raises(Rejected, match="bad_form") as caught:
            c.parse_struct(text, Point)
        assert "label" not in caught.value.detail


def test_object_is_asked_for_by_name() -> None:
    assert c.parse_object(b"{}") == {}
    with pytest.raises(Rejected, match="bad_json"):
        c.parse_object(b"[]")


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(_values)
def test_fast_writer_agrees_with_the_package(value: Any) -> None:
    """RFC 8785 by the reference package: the same bytes, or a refusal by both."""
    try:
        expected: bytes | None = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        expected = None
    try:
        written: bytes | None = c.canonical_bytes(value)
    except ValueError:
        written = None
    assert written == expected


def test_names_sort_as_utf_16() -> None:
    """RFC 8785 3.2.3: a name beyond the basic plane sorts before U+E000, which its code point does not."""
    for names in (["\U0001f600", "\ue000"], ["\uffff", "\U0001f600"], ["z", "é", "\ud7ff"], ["a", "B", "1"]):
        value = dict.fromkeys(names, 1)
        assert c.canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: 1}}, {"a": 2**53}, [float("nan")], ["\ud800"]], ids=str)
def test_what_has_no_canonical_form_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match="canonical"):
        c.canonical_bytes(value)


def test_canonical_form_sorts_and_leaves_out_unset_members() -> None:
    assert c.canonical_bytes({"b": [1, True, None], "a": "é"}) == '{"a":"é","b":[1,true,null]}'.encode()
    assert c.canonical_bytes(Point(x=1)) == b'{"x":1}'
    assert c.sha256(c.canonical_bytes({})) == c.sha256(b"{}") == c.sha256(b"{", b"}")


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", {"a": "\udc00"}])
def test_value_without_a_canonical_form_is_our_mistake(value: Any) -> None:
    with pytest.raises(ValueError, match="canonical"):
        c.canonical_bytes(value)


def test_hkdf_vectors_of_rfc_5869() -> None:
    okm = c.hkdf_sha256(bytes([11] * 22), bytes(range(0xF0, 0xFA)), salt=bytes(range(13)), length=42)
    assert okm.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    okm = c.hkdf_sha256(bytes([11] * 22), b"", length=42)
    assert okm.hex() == ("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=200), max_size=4))
def test_hmac_is_that_of_the_standard_library(key: bytes, parts: list[bytes]) -> None:
    assert c.hmac_sha256(key, *parts) == hmac.digest(key, b"".join(parts), "sha256")


def test_hmac_takes_keys_of_32_bytes_only() -> None:
    assert c.hmac_sha256(bytes(32), b"a", b"b") == c.hmac_sha256(bytes(32), b"ab")
    for size in (0, 31, 33, 64):
        with pytest.raises(ValueError, match="32 bytes"):
            c.hmac_sha256(bytes(size), b"")
