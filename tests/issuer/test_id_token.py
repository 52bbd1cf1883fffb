"""ID tokens of an OpenID provider: what is believed of who logged in, and by which signature."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuer.identity import decide_identity
from protocol.errors import Rejected
from protocol.openid_connect import MAX_KEYS, parse_keys, verify_id_token
from tests.issuer.desk import NOOR, NOW, HolderKey, b64u
from tests.issuer.login import sign, spoil

KEY = HolderKey()
KEYS = ({**KEY.jwk, "kid": "1", "use": "sig", "alg": "ES256"},)
CLAIMS = {
    "iss": "https://login.example",
    "sub": "x",
    "aud": "issuer",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "n",
    "acr": "high",
    "bsn": NOOR,
}
HEADER = {"alg": "ES256", "typ": "JWT", "kid": "1"}


def token(header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return sign(KEY.key, {**HEADER, **(header or {})}, claims)


def verify(text: str, keys: Any = KEYS, algorithm: Any = "ES256") -> dict[str, Any]:
    return verify_id_token(
        text,
        keys,
        provider="https://login.example",
        client_id="issuer",
        algorithm=algorithm,
        nonce="n",
        now=NOW,
    )


def refused(text: str, keys: Any = KEYS, algorithm: Any = "ES256") -> None:
    with pytest.raises(Rejected) as caught:
        verify(text, keys, algorithm)
    assert caught.value.code == "bad_id_token"
    assert NOOR not in str(caught.value)


def test_good_token_says_who_it_is() -> None:
    assert verify(token())["bsn"] == NOOR
    assert verify(token(aud=["issuer", "other"], azp="issuer"))
    assert verify(token(), (*KEYS, {**HolderKey().jwk, "kid": "2"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://login.example/"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["issuer", "other"]},
        {"aud": ["issuer", "other"], "azp": "other"},
        {"azp": "other"},
        {"aud": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": NOW + 61},
        {"iat": None},
        {"nonce": "other"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
    ],
)
def test_token_of_another_login_is_refused(changes: dict[str, Any]) -> None:
    refused(token(**changes))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "RS256"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"crit": ["x"], "x": 1},
        {"jwk": KEY.jwk},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"kid": "2"},
    ],
)
def test_header_that_says_how_to_verify_is_refused(header: dict[str, Any]) -> None:
    refused(token(header))


def test_signature_by_nobody_or_somebody_else_is_refused() -> None:
    refused(spoil(token()))
    refused(token(), ({**HolderKey().jwk, "kid": "1"},))
    refused(token().rpartition(".")[0] + ".")
    refused(token().rpartition(".")[0] + "." + "A" * 86)


def test_public_key_is_no_secret_of_an_hmac() -> None:
    """Algorithm confusion."""
    public = KEY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = ".".join(b64u(json.dumps(part).encode()) for part in ({**HEADER, "alg": "HS256"}, CLAIMS))
    mac = hmac.new(public, head.encode(), hashlib.sha256).digest()
    refused(f"{head}.{b64u(mac)}")


@pytest.mark.parametrize(
    "keys",
    [
        (),
        ({**KEYS[0], "use": "enc"},),
        ({**KEYS[0], "alg": "ES384"},),
        (KEYS[0], KEYS[0]),
        ({**KEYS[0], "x": 5},),
        ({**KEYS[0], "kty": "oct", "k": "AAAA"},),
    ],
)
def test_provider_without_one_fitting_key_is_not_believed(keys: Any) -> None:
    refused(token(), keys)


def rsa_jwk(bits: int) -> dict[str, str]:
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key().public_numbers()
    parts = {"n": numbers.n, "e": numbers.e}
    return {
        "kty": "RSA",
        "kid": "1",
        **{name: b64u(value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in parts.items()},
    }


def test_small_rsa_key_is_refused_and_a_large_one_costs_nothing() -> None:
    text = token({"alg": "RS256"})
    refused(text, (rsa_jwk(1024),), "RS256")
    huge = {"kty": "RSA", "kid": "1", "e": "AQAB", "n": b64u(b"\xff" * 4096)}
    refused(text, (huge,), "RS256")
    refused(text, ({"kty": "RSA", "kid": "1", "e": "AQ", "n": rsa_jwk(2048)["n"]},), "RS256")
    refused(text, ({"kty": "RSA", "kid": "1"},), "PS256")


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.é.é", "x" * 40_000, f"{b64u(b'[]')}.e30.AA"])
def test_junk_is_refused(text: str) -> None:
    refused(text)
    with pytest.raises(Rejected):
        parse_keys(text.encode())


def test_keys_are_a_set_of_a_few_objects() -> None:
    assert len(parse_keys(json.dumps({"keys": [KEYS[0]] * MAX_KEYS}).encode())) == MAX_KEYS
    for bad in ({}, [], {"keys": {}}, {"keys": ["x"]}, {"keys": [KEYS[0]] * (MAX_KEYS + 1)}):
        with pytest.raises(Rejected, match="bad_keys"):
            parse_keys(json.dumps(bad).encode())


@pytest.mark.parametrize(
    "changes",
    [{"acr": "low"}, {"acr": None}, {"acr": ["high"]}, {"bsn": None}, {"bsn": 999100002}, {"bsn": "123456789"}],
)
def test_identity_needs_a_known_level_and_a_number(changes: dict[str, Any]) -> None:
    levels = {"high": "high", "mid": "substantial"}
    found = decide_identity(CLAIMS, bsn_claim="bsn", levels=levels)
    assert (found.bsn, found.loa) == (NOOR, "high")
    with pytest.raises(Rejected) as caught:
        decide_identity({**CLAIMS, **changes}, bsn_claim="bsn", levels=levels)
    assert caught.value.code == "access_denied"


def test_key_on_another_curve_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(48, "big")).decode() for n in (other.x, other.y))
    refused(token(), ({"kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": "1"},))
