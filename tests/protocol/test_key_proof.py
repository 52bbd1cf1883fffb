"""Key proofs (OpenID4VCI 1.0 F.1, F.4)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.key_proof import (
    KEY_PROOF_TYPE,
    MAX_NONCE,
    MAX_PROOF_BYTES,
    PROOF_MAX_AGE,
    PROOF_MAX_AHEAD,
    parse_key_proof,
    parse_key_proofs,
    sign_key_proof,
    verify_key_proofs,
)
from protocol.keys import Es256Private

ISSUER = "https://issuer.voorbeeld.example"
NOW = 1_795_305_600
KEYS = [Es256Private.from_secret(bytes([n]) * 48) for n in range(1, 5)]


def proof(key: Es256Private = KEYS[0], *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A proof as a wallet makes it, with members changed or left out (...)."""
    base = {"aud": ISSUER, "iat": NOW, "nonce": "n"}
    payload = {name: value for name, value in {**base, **claims}.items() if value is not ...}
    head = {"jwk": key.public.jwk(), **(header or {})}
    return sign_jws(
        payload, key, typ=KEY_PROOF_TYPE, header={name: value for name, value in head.items() if value is not ...}
    )


def raw(header: dict[str, Any], payload: Any, signature: bytes = bytes(64)) -> str:
    """A token of any content."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(b64u_encode(part) for part in parts)


def refused_at_reading(token: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_key_proof(token)
    assert caught.value.code == "invalid_proof"


def refused(*tokens: str, now: int = NOW) -> None:
    proofs = [parse_key_proof(token) for token in tokens]
    with pytest.raises(Rejected) as caught:
        verify_key_proofs(proofs, audience=ISSUER, now=now)
    assert caught.value.code == "invalid_proof"


def test_issuer_accepts_the_proofs_of_a_wallet() -> None:
    tokens = [sign_key_proof(key, audience=ISSUER, nonce="n-1", iat=NOW) for key in KEYS]
    proofs, refusal = parse_key_proofs(tokens)
    assert refusal is None
    assert [item.nonce for item in proofs] == ["n-1"] * len(KEYS)
    assert verify_key_proofs(proofs, audience=ISSUER, now=NOW) == tuple(key.public for key in KEYS)


def test_times_of_a_proof_are_read_to_the_second() -> None:
    for iat in (NOW - PROOF_MAX_AGE, NOW + PROOF_MAX_AHEAD):
        assert verify_key_proofs([parse_key_proof(proof(iat=iat))], audience=ISSUER, now=NOW)
    for iat in (NOW - PROOF_MAX_AGE - 1, NOW + PROOF_MAX_AHEAD + 1):
        refused(proof(iat=iat))
    assert verify_key_proofs([parse_key_proof(proof(exp=NOW + 1))], audience=ISSUER, now=NOW)
    refused(proof(exp=NOW))
    assert verify_key_proofs([parse_key_proof(proof(nbf=NOW + PROOF_MAX_AHEAD))], audience=ISSUER, now=NOW)
    refused(proof(nbf=NOW + PROOF_MAX_AHEAD + 1))


def test_proof_with_a_fraction_of_a_second_is_read() -> None:
    key = KEYS[0]
    head = {"alg": "ES256", "typ": KEY_PROOF_TYPE, "jwk": key.public.jwk()}
    payload = {"aud": ISSUER, "iat": NOW + 0.25, "nonce": "n"}
    signed = raw(head, payload).rpartition(".")[0]
    token = f"{signed}.{b64u_encode(key.sign(signed.encode()))}"
    assert verify_key_proofs([parse_key_proof(token)], audience=ISSUER, now=NOW) == (key.public,)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example"},
        {"aud": f"{ISSUER}/"},
        {"aud": [ISSUER]},
        {"aud": ...},
        {"iat": ...},
        {"iat": str(NOW)},
        {"iat": True},
        {"iat": None},
        {"exp": "tomorrow"},
        {"iss": "wallet"},
    ],
)
def test_issuer_refuses_a_proof_made_for_something_else(claims: dict[str, Any]) -> None:
    refused(proof(**claims))


@pytest.mark.parametrize("claims", [{"nonce": ...}, {"nonce": ""}, {"nonce": 5}, {"nonce": "n" * (MAX_NONCE + 1)}])
def test_issuer_refuses_a_proof_without_nonce(claims: dict[str, Any]) -> None:
    refused_at_reading(proof(**claims))


def test_issuer_refuses_a_proof_by_another_key() -> None:
    refused(proof(KEYS[0], header={"jwk": KEYS[1].public.jwk()}))


def test_issuer_refuses_a_zero_signature() -> None:
    refused(proof().rpartition(".")[0] + "." + b64u_encode(bytes(64)))


def test_issuer_refuses_two_proofs_with_the_same_key() -> None:
    refused(proof(KEYS[0]), proof(KEYS[0], iat=NOW - 1))


def test_one_bad_proof_spoils_the_batch() -> None:
    refused(proof(KEYS[0]), proof(KEYS[1], aud="https://other.example"), proof(KEYS[2]))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "kb+jwt"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"crit": ["x"], "x": 1},
        {"jku": "https://evil.example"},
        {"kid": "did:jwk:abc"},
        {"x5c": ["AAAA"]},
        {"jwk": ..., "kid": "did:jwk:abc"},
        {"jwk": ..., "x5c": ["AAAA"]},
        {"jwk": ...},
        {"jwk": "key"},
        {"jwk": {**KEYS[0].public.jwk(), "d": b64u_encode(bytes(32))}},
        {"jwk": {**KEYS[0].public.jwk(), "alg": "ECDH-ES"}},
        {"jwk": {**KEYS[0].public.jwk(), "use": "enc"}},
        {"jwk": {**KEYS[0].public.jwk(), "crv": "P-384"}},
        {"jwk": {**KEYS[0].public.jwk(), "y": b64u_encode(bytes(32))}},
        {"jwk": {**KEYS[0].public.jwk(), "x": 5}},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
    ],
)
def test_issuer_refuses_a_proof_with_another_header(header: dict[str, Any]) -> None:
    refused_at_reading(proof(header=header))


def test_issuer_refuses_a_token_that_is_too_large() -> None:
    assert parse_key_proof(proof(filler="x" * 2000))
    refused_at_reading(proof(filler="x" * MAX_PROOF_BYTES))


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "..", "a.b.c.d", "é.é.é", raw({}, {}), raw({"alg": "ES256"}, [])]
)
def test_issuer_refuses_what_is_no_proof(token: str) -> None:
    refused_at_reading(token)


def test_payload_that_is_no_object_is_refused() -> None:
    head = {"alg": "ES256", "typ": KEY_PROOF_TYPE, "jwk": KEYS[0].public.jwk()}
    for payload in ([], None, "a", 5):
        refused_at_reading(raw(head, payload))


def test_nonces_of_good_proofs_are_found_beside_bad_ones() -> None:
    proofs, refusal = parse_key_proofs(["junk", proof(nonce="n-2"), "more"])
    assert [item.nonce for item in proofs] == ["n-2"]
    assert refusal is not None
    assert refusal.code == "invalid_proof"


@given(st.text(max_size=80))
def test_reading_a_proof_never_fails_otherwise(text: str) -> None:
    with pytest.raises(Rejected):
        parse_key_proof(text)
