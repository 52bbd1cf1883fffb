"""Compact JWS and the keys behind it: published examples, and the attacks of RFC 8725."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given

from protocol import jws
from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.keys import (
    P256_ORDER,
    Ed25519Private,
    Es256Private,
    es256_public_from,
    parse_jwk,
    verify_ed25519,
)
from tests.protocol import builders as b
from tests.protocol.mutations import spoiled_text

KEY = b.es256("jws")
TOKEN = jws.sign_jws({"a": 1}, KEY, typ="test+jwt")
RFC_7515_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def token(header: Any, payload: bytes = b"{}", key: Es256Private = KEY) -> str:
    """A validly signed token with any header."""
    body = f"{b64u_encode(json.dumps(header).encode())}.{b64u_encode(payload)}"
    return f"{body}.{b64u_encode(key.sign(body.encode()))}"


def refused(code: str, text: str, **changes: Any) -> None:
    with pytest.raises(Rejected) as caught:
        jws.verify_jws(jws.parse_jws(text, typ="test+jwt", **changes), KEY.public)
    assert caught.value.code == code


def test_signed_token_reads_back() -> None:
    parsed = jws.parse_jws(TOKEN, typ="test+jwt")
    assert parsed.header == {"alg": "ES256", "typ": "test+jwt"}
    assert jws.verify_jws(parsed, KEY.public) == b'{"a":1}'


def test_example_of_rfc_7515_verifies() -> None:
    """Appendix A.3.1; the header has no `typ`, so only the signature can be looked at."""
    signing_input = (
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = b64u_decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    parse_jwk(RFC_7515_JWK).verify(signature, signing_input.encode())


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": "none", "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": "None", "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": "HS256", "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": "ES384", "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": "RS256", "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": ["ES256"], "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": {"ES256": 1}, "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": None, "typ": "test+jwt"}, "bad_algorithm"),
        ({"alg": "ES256"}, "bad_type"),
        ({"alg": "ES256", "typ": "TEST+JWT"}, "bad_type"),
        ({"alg": "ES256", "typ": ["test+jwt"]}, "bad_type"),
        ({"alg": "ES256", "typ": "test+jwt", "jku": "x"}, "bad_header"),
        ({"alg": "ES256", "typ": "test+jwt", "x5u": None}, "bad_header"),
        ({"alg": "ES256", "typ": "test+jwt", "crit": []}, "bad_header"),
        ({"alg": "ES256", "typ": "test+jwt", "jwk": {}}, "bad_header"),
        ([], "bad_json"),
        ("ES256", "bad_json"),
    ],
    ids=str,
)
def test_dangerous_headers_are_refused(header: Any, code: str) -> None:
    refused(code, token(header))


def test_jwk_header_only_where_the_caller_allows_it() -> None:
    text = token({"alg": "ES256", "typ": "test+jwt", "jwk": KEY.public.jwk()})
    assert jws.parse_jws(text, typ="test+jwt", allow_jwk=True).header["jwk"] == KEY.public.jwk()


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b", "a.b.c.d", TOKEN + ".", "." + TOKEN])
def test_texts_without_three_parts_are_refused(text: str) -> None:
    with pytest.raises(Rejected):
        jws.parse_jws(text, typ="test+jwt")


def test_size_is_limited() -> None:
    assert jws.parse_jws(TOKEN, typ="test+jwt", max_bytes=len(TOKEN))
    refused("too_large", TOKEN, max_bytes=len(TOKEN) - 1)


def test_duplicate_header_member_is_refused() -> None:
    body = b64u_encode(b'{"alg":"none","alg":"ES256","typ":"test+jwt"}') + ".e30"
    refused("duplicate_key", f"{body}.{b64u_encode(KEY.sign(body.encode()))}")


def test_signatures_out_of_range_are_refused() -> None:
    body = TOKEN.rpartition(".")[0]
    order = P256_ORDER.to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    for signature in (
        bytes(64),
        order + one,
        one + order,
        b"\xff" * 64,
        one + bytes(32),
        bytes(32) + one,
        b"",
        bytes(63),
    ):
        refused("bad_signature", f"{body}.{b64u_encode(signature)}")


def test_another_key_is_refused() -> None:
    with pytest.raises(Rejected, match="bad_signature"):
        jws.verify_jws(jws.parse_jws(TOKEN, typ="test+jwt"), b.es256("other").public)


@given(spoiled_text(TOKEN))
def test_spoiled_token_raises_nothing_but_rejected(text: str) -> None:
    if text == TOKEN:
        return
    with pytest.raises(Rejected):
        jws.verify_jws(jws.parse_jws(text, typ="test+jwt"), KEY.public)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"d": "AAAA"}, "bad_key"),
        ({"k": "AAAA"}, "bad_key"),
        ({"kty": "RSA"}, "bad_key"),
        ({"kty": "oct"}, "bad_key"),
        ({"crv": "P-384"}, "bad_key"),
        ({"crv": "secp256k1"}, "bad_key"),
        ({"crv": ["P-256"]}, "bad_key"),
        ({"alg": "HS256"}, "bad_key"),
        ({"alg": ["ES256"]}, "bad_key"),
        ({"x": 1}, "bad_key"),
        ({"y": None}, "bad_key"),
        ({"x": "AAAA"}, "bad_base64"),
        ({"x": "A" * 43}, "bad_key"),
        ({"y": RFC_7515_JWK["x"]}, "bad_key"),
        ({"x": "_" * 42 + "8"}, "bad_key"),
    ],
    ids=str,
)
def test_keys_that_are_private_foreign_or_off_the_curve_are_refused(changes: dict[str, Any], code: str) -> None:
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            parse_jwk({**RFC_7515_JWK, **changes})
        assert caught.value.code == code


def test_public_key_reads_back_and_has_one_thumbprint() -> None:
    public = parse_jwk({**KEY.public.jwk(), "kid": "1", "use": "sig", "alg": "ES256"})
    assert public == KEY.public
    assert public.thumbprint() == KEY.public.thumbprint()
    assert len(public.thumbprint()) == 43


def test_private_key_is_made_from_bytes_and_kept_as_pem() -> None:
    assert Es256Private.from_secret(bytes(48)).public == Es256Private.from_secret(bytes(48)).public
    again = Es256Private.from_pem(KEY.to_pem())
    assert again.public == KEY.public
    for size in (0, 32, 47, 49):
        with pytest.raises(ValueError, match="48 bytes"):
            Es256Private.from_secret(bytes(size))
    with pytest.raises(ValueError, match="P-256"):
        Es256Private(ec.generate_private_key(ec.SECP384R1()))


def test_key_of_another_curve_is_refused() -> None:
    with pytest.raises(Rejected, match="bad_key"):
        es256_public_from(ec.generate_private_key(ec.SECP384R1()).public_key())


def test_ed25519_vector_of_rfc_8032() -> None:
    key = Ed25519Private(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    signature = key.sign(b"")
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert signature.hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b"
    )
    verify_ed25519(key.public, signature, b"")
    for public, bad, message in (
        (key.public, signature, b"x"),
        (key.public, bytes(64), b""),
        (key.public[:-1], signature, b""),
        (key.public, signature[:-1], b""),
        (b"\xff" * 32, signature, b""),
    ):
        with pytest.raises(Rejected, match="bad_signature"):
            verify_ed25519(public, bad, message)
