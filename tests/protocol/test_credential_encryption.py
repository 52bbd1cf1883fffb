"""Encrypted credential requests and responses, and signed metadata (OpenID4VCI 1.0 sections 10 and 12.2.3)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from protocol import jwe
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import to_builtins
from protocol.credential_encryption import (
    choose_request_key,
    choose_response_enc,
    decrypt_request,
    decrypt_response,
    encrypt_request,
    encrypt_response,
    parse_response_parameters,
    request_encryption,
    response_encryption,
    response_parameters,
)
from protocol.errors import Rejected
from protocol.issuer_metadata import KeySet, issuer_metadata
from protocol.signed_metadata import SIGNED_METADATA_TYP, sign_issuer_metadata, verify_issuer_metadata
from tests.protocol import builders as b
from tests.protocol.peer_input import forge, payload_of

ISSUER_KEY, WALLET_KEY, OTHER = b.es256("issuer enc"), b.es256("wallet enc"), b.es256("other enc")
OFFERED = request_encryption(ISSUER_KEY.public, required=True)
METADATA = replace(
    issuer_metadata(b.ISSUER_ID, "Gemeente", CREDENTIAL_TYPES.values()),
    credential_request_encryption=OFFERED,
    credential_response_encryption=response_encryption(required=False),
)
SIGNED = sign_issuer_metadata(METADATA, b.ISSUER.key, [b.ISSUER.leaf], iat=b.NOW, exp=b.NOW + 3600)
X5C = {"x5c": b.ISSUER.x5c}


def refused(call: Callable[[], object], code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        call()
    assert refusal.value.code == code


def test_request_and_response_there_and_back() -> None:
    key = choose_request_key(OFFERED)
    assert key is not None
    assert decrypt_request(encrypt_request(b"{}", key), ISSUER_KEY) == b"{}"
    answer = parse_response_parameters(response_parameters(WALLET_KEY.public, "A128GCM"))
    body = b"x" * 2**20
    token = encrypt_response(body, answer)
    assert jwe.parse_header(token, max_bytes=len(token))["enc"] == "A128GCM"
    assert decrypt_response(token.encode(), WALLET_KEY) == body


def test_attack_response_encrypted_to_another_key() -> None:
    answer = parse_response_parameters(response_parameters(OTHER.public, "A256GCM"))
    refused(lambda: decrypt_response(encrypt_response(b"{}", answer), WALLET_KEY), "bad_credential_response")
    nameless = parse_response_parameters({"jwk": {**OTHER.public.jwk(), "alg": "ECDH-ES"}, "enc": "A256GCM"})
    refused(lambda: decrypt_response(encrypt_response(b"{}", nameless), WALLET_KEY), "bad_credential_response")
    refused(lambda: decrypt_request(encrypt_request(b"{}", nameless), ISSUER_KEY), "invalid_encryption_parameters")


@pytest.mark.parametrize("token", [b"", b"a.b.c", b"\xff", b"a" * 300_000, "{}"])
def test_what_is_not_encrypted_is_refused(token: bytes | str) -> None:
    refused(lambda: decrypt_request(token, ISSUER_KEY), "invalid_encryption_parameters")


JWK = response_parameters(WALLET_KEY.public, "A256GCM")["jwk"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"jwk": "x", "enc": "A256GCM"},
        {"jwk": JWK},
        {"jwk": JWK, "enc": "A128CBC-HS256"},
        {"jwk": JWK, "enc": ["A256GCM"]},
        {"jwk": JWK, "enc": "A256GCM", "zip": "DEF"},
        {"jwk": {**JWK, "alg": "RSA-OAEP"}, "enc": "A256GCM"},
        {"jwk": {**JWK, "alg": ["ECDH-ES"]}, "enc": "A256GCM"},
        {"jwk": {k: v for k, v in JWK.items() if k != "alg"}, "enc": "A256GCM"},
        {"jwk": {**JWK, "use": "sig"}, "enc": "A256GCM"},
        {"jwk": {**JWK, "kid": 1}, "enc": "A256GCM"},
        {"jwk": {**JWK, "kid": "k" * 257}, "enc": "A256GCM"},
        {"jwk": {**JWK, "d": "A" * 43}, "enc": "A256GCM"},
        {"jwk": {**JWK, "x": JWK["y"]}, "enc": "A256GCM"},
    ],
)
def test_issuer_refuses_encryption_parameters(value: Any) -> None:
    refused(lambda: parse_response_parameters(value), "invalid_encryption_parameters")


def test_wallet_passes_over_keys_that_it_cannot_use() -> None:
    good = OFFERED.jwks.keys[0]
    bad = [{**good, "alg": "RSA-OAEP"}, {**good, "use": "sig"}, {**good, "crv": "P-384"}, {"kty": "RSA"}]
    nameless = {k: v for k, v in good.items() if k != "kid"}
    found = choose_request_key(replace(OFFERED, jwks=KeySet([*bad, nameless, good])))
    assert found is not None
    assert found.jwk == good
    assert choose_request_key(replace(OFFERED, jwks=KeySet(bad))) is None
    assert choose_request_key(replace(OFFERED, enc_values_supported=["A128CBC-HS256"])) is None
    offered = response_encryption(required=True)
    assert choose_response_enc(offered) == "A256GCM"
    assert choose_response_enc(replace(offered, enc_values_supported=["A128GCM"])) == "A128GCM"
    assert choose_response_enc(replace(offered, enc_values_supported=["X"])) is None
    assert choose_response_enc(replace(offered, alg_values_supported=["RSA-OAEP"])) is None


def read(token: bytes | str, issuer: str = b.ISSUER_ID) -> object:
    return verify_issuer_metadata(token, issuer=issuer, roots=[b.ISSUER.root], now=b.NOW)


def test_wallet_reads_signed_metadata() -> None:
    assert read(SIGNED) == METADATA
    assert read(SIGNED.encode()) == METADATA
    assert to_builtins(METADATA)["credential_request_encryption"]["encryption_required"] is True


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "https://evil.example"},
        {"sub": None},
        {"iss": "https://evil.example"},
        {"credential_issuer": "https://evil.example"},
        {"iat": b.NOW + 61},
        {"iat": None},
        {"exp": b.NOW},
        {"exp": "soon"},
        {"credential_endpoint": "ftp://x"},
        {"deferred_credential_endpoint": "x"},
        {"batch_credential_issuance": {"batch_size": 1}},
    ],
)
def test_signed_metadata_that_breaks_a_rule_is_refused(claims: dict[str, Any]) -> None:
    token = forge({**payload_of(SIGNED), **claims}, b.ISSUER.key, SIGNED_METADATA_TYP, X5C)
    refused(lambda: read(token), "bad_metadata")


def test_attack_metadata_signed_by_a_stranger() -> None:
    claims = payload_of(SIGNED)
    stranger = b.AGENCY
    refused(lambda: read(forge(claims, stranger.key, SIGNED_METADATA_TYP, {"x5c": stranger.x5c})), "bad_metadata")
    refused(lambda: read(forge(claims, stranger.key, SIGNED_METADATA_TYP, X5C)), "bad_metadata")
    refused(lambda: read(forge(claims, b.ISSUER.key, SIGNED_METADATA_TYP)), "bad_metadata")
    refused(lambda: read(forge(claims, b.ISSUER.key, "JWT", X5C)), "bad_metadata")
    refused(lambda: read(forge([], b.ISSUER.key, SIGNED_METADATA_TYP, X5C)), "bad_metadata")
    refused(lambda: read(json.dumps(claims)), "bad_metadata")
    refused(lambda: read(SIGNED, "https://evil.example"), "bad_metadata")
