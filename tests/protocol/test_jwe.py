"""Encrypted answers: what is refused before any key is touched, and that nothing but the right key opens."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwe import JWERegistry, encrypt_compact
from joserfc.jwk import ECKey, OctKey

from protocol import jwe
from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.keys import Es256Private

KEY = Es256Private.from_secret(b"k" * 48)
OTHER = Es256Private.from_secret(b"o" * 48)
JWK = {**KEY.public.jwk(), "kid": "answer", "alg": "ECDH-ES", "use": "enc"}


def sealed(payload: bytes = b'{"vp_token":{}}', enc: str = "A256GCM") -> str:
    return jwe.encrypt(payload, JWK, enc=enc, apv=b"nonce")


def with_header(token: str, **changes: object) -> str:
    """The token with another protected header: `None` removes a member."""
    first, _, rest = token.partition(".")
    header = {**json.loads(b64u_decode(first)), **changes}
    header = {name: value for name, value in header.items() if value is not None}
    return f"{b64u_encode(json.dumps(header).encode())}.{rest}"


def refused(token: str, code: str, **limits: int) -> None:
    with pytest.raises(Rejected) as info:
        jwe.decrypt(token, KEY, **limits)
    assert info.value.code == code


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_answer_opens_with_the_key_of_the_request(enc: str) -> None:
    token = sealed(b"hello", enc)
    assert jwe.decrypt(token, KEY) == b"hello"
    header = jwe.parse_header(token)
    assert header["alg"] == "ECDH-ES"
    assert header["enc"] == enc
    assert header["kid"] == "answer"
    assert header["apv"] == b64u_encode(b"nonce")


def test_answer_of_a_sealed_presentation_is_larger_than_the_library_allows_by_default() -> None:
    assert jwe.decrypt(sealed(b"x" * 200_000), KEY) == b"x" * 200_000


def test_other_libraries_apu_and_apv_are_accepted() -> None:
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "apu": b64u_encode(b"wallet"), "apv": b64u_encode(b"n")}
    token = encrypt_compact(header, b"hi", ECKey.import_key(KEY.public.key), algorithms=["ECDH-ES", "A128GCM"])
    assert jwe.decrypt(token, KEY) == b"hi"


def test_answer_to_another_request_does_not_open() -> None:
    with pytest.raises(Rejected, match="undecryptable"):
        jwe.decrypt(sealed(), OTHER)


def test_answer_with_zip_is_refused() -> None:
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF"}
    registry = JWERegistry(algorithms=["ECDH-ES", "A256GCM", "DEF"])
    refused(
        encrypt_compact(header, b"0" * 250_000, ECKey.import_key(KEY.public.key), registry=registry), "bad_header"
    )


def test_answer_encrypted_directly_is_refused() -> None:
    token = encrypt_compact({"alg": "dir", "enc": "A256GCM"}, b"hi", OctKey.import_key(b"k" * 32))
    refused(token, "bad_algorithm")


@pytest.mark.parametrize(
    "alg",
    ["none", "dir", "ECDH-ES+A128KW", "RSA1_5", "RSA-OAEP", "PBES2-HS256+A128KW", "A128KW", None, 7, ["ECDH-ES"]],
)
def test_answer_under_another_key_algorithm_is_refused(alg: object) -> None:
    refused(with_header(sealed(), alg=alg), "bad_algorithm")


@pytest.mark.parametrize("enc", ["A192GCM", "A128CBC-HS256", "A256CBC-HS512", "XC20P", None, {}])
def test_answer_under_another_content_algorithm_is_refused(enc: object) -> None:
    if isinstance(enc, dict):
        refused(with_header(sealed(), enc="A192GCM"), "bad_algorithm")
    else:
        refused(with_header(sealed(), enc=enc), "bad_algorithm")


@pytest.mark.parametrize("name", ["zip", "crit", "jku", "x5u", "jwk", "p2s", "p2c"])
def test_answer_with_a_header_that_steers_us_is_refused(name: str) -> None:
    refused(with_header(sealed(), **{name: "x"}), "bad_header")


@pytest.mark.parametrize("name", ["kid", "apu", "apv"])
def test_answer_with_a_header_of_another_type_is_refused(name: str) -> None:
    refused(with_header(sealed(), **{name: 5}), "bad_header")


def test_answer_with_a_point_off_the_curve_is_refused() -> None:
    off = {"kty": "EC", "crv": "P-256", "x": b64u_encode(b"\x01" * 32), "y": b64u_encode(b"\x02" * 32)}
    refused(with_header(sealed(), epk=off), "bad_key")


@pytest.mark.parametrize("epk", [None, "x", {"kty": "OKP", "crv": "X25519", "x": b64u_encode(b"\x09" * 32)}, {}])
def test_answer_without_a_usable_ephemeral_key_is_refused(epk: object) -> None:
    with pytest.raises(Rejected) as info:
        jwe.decrypt(with_header(sealed(), epk=epk), KEY)
    assert info.value.code in {"bad_header", "bad_key"}


def test_answer_with_a_private_ephemeral_key_is_refused() -> None:
    refused(with_header(sealed(), epk={**KEY.public.jwk(), "d": b64u_encode(b"\x01" * 32)}), "bad_key")


@pytest.mark.parametrize("change", ["a.b", "a.b.c.d", "....", "", "no dots", "a.b.c.d.e.f"])
def test_answer_of_another_form_is_refused(change: str) -> None:
    with pytest.raises(Rejected):
        jwe.decrypt(change, KEY)


def test_answer_with_a_wrapped_key_is_refused() -> None:
    parts = sealed().split(".")
    refused(".".join([parts[0], "AAAA", *parts[2:]]), "bad_jwe")


@pytest.mark.parametrize(("part", "length"), [(2, 11), (2, 13), (4, 15), (4, 17)])
def test_answer_with_another_length_of_iv_or_tag_is_refused(part: int, length: int) -> None:
    parts = sealed().split(".")
    parts[part] = b64u_encode(bytes(length))
    with pytest.raises(Rejected):
        jwe.decrypt(".".join(parts), KEY)


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_answer_that_was_tampered_with_does_not_open(part: int) -> None:
    parts = sealed(b"x" * 100).split(".")
    raw = bytearray(b64u_decode(parts[part]))
    raw[-2] ^= 1
    parts[part] = b64u_encode(bytes(raw))
    with pytest.raises(Rejected):
        jwe.decrypt(".".join(parts), KEY)


def test_answer_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    token = sealed(b"x" * 1000)
    assert jwe.decrypt(token, KEY, max_bytes=len(token)) == b"x" * 1000
    refused(token, "too_large", max_bytes=len(token) - 1)
    refused("x" * (jwe.MAX_JWE_BYTES + 1), "too_large")


def test_header_over_its_limit_is_refused() -> None:
    refused(with_header(sealed(), more="x" * jwe.MAX_HEADER_BYTES), "too_large")


def test_wallet_refuses_to_encrypt_to_what_is_no_p256_key() -> None:
    with pytest.raises(Rejected, match="bad_key"):
        jwe.encrypt(b"x", {"kty": "OKP", "crv": "X25519", "x": b64u_encode(b"\x09" * 32)}, enc="A128GCM", apv=b"")
    with pytest.raises(Rejected, match="bad_key"):
        jwe.encrypt(b"x", {**JWK, "kid": 5}, enc="A128GCM", apv=b"")
    with pytest.raises(Rejected, match="bad_encryption"):
        jwe.encrypt(b"x", JWK, enc="A128CBC-HS256", apv=b"")


def test_wallet_ignores_what_else_the_key_says_of_itself() -> None:
    """`use` and `key_ops` of the peer must not make the library raise something that is no refusal."""
    jwk = {**JWK, "key_ops": ["nothing"], "x5u": 5}
    assert jwe.decrypt(jwe.encrypt(b"x", jwk, enc="A128GCM", apv=b""), KEY) == b"x"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    with pytest.raises(Rejected):
        jwe.decrypt(text, KEY)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["alg", "enc", "epk", "kid", "apu", "apv", "typ", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_no_header_raises_anything_but_a_refusal(changes: dict[str, object]) -> None:
    token = with_header(sealed(), **changes)
    with contextlib.suppress(Rejected):
        jwe.decrypt(token, KEY)
