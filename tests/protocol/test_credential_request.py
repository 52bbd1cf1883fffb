"""Credential and deferred credential requests: what each side writes the other reads, all else is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from protocol.credential_encryption import response_parameters
from protocol.credential_request import (
    MAX_INTERVAL,
    credential_request_body,
    deferred_request_body,
    parse_credential_request,
    parse_credential_response,
    parse_deferred_request,
)
from protocol.errors import Rejected
from protocol.key_proof import parse_key_proof, sign_key_proof, verify_key_proofs
from tests.protocol import builders as b

ENCRYPTION = response_parameters(b.es256("answer").public, "A256GCM")


def refused(call: Callable[[], object], code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        call()
    assert refusal.value.code == code


def test_issuer_reads_a_credential_request() -> None:
    body = credential_request_body(["a", "b"], configuration="adres")
    asked = parse_credential_request(json.dumps({**body, "unknown": 1.5}), encrypted=False)
    assert (asked.configuration, asked.identifier, asked.proofs) == ("adres", None, ("a", "b"))
    body = credential_request_body(["a"], proof_type="attestation", identifier="x", encryption=ENCRYPTION)
    asked = parse_credential_request(json.dumps(body), encrypted=True)
    assert (asked.configuration, asked.identifier, asked.proof_type) == (None, "x", "attestation")
    assert asked.encryption is not None
    assert asked.encryption.enc == "A256GCM"


GOOD: dict[str, Any] = {"credential_configuration_id": "adres", "proofs": {"jwt": ["a"]}}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"credential_identifier": "x"}, "invalid_credential_request"),
        ({"credential_configuration_id": None}, "invalid_credential_request"),
        ({"credential_configuration_id": ""}, "invalid_credential_request"),
        ({"credential_configuration_id": "a\0"}, "invalid_credential_request"),
        ({"credential_configuration_id": "a" * 1025}, "invalid_credential_request"),
        ({"credential_configuration_id": 1}, "invalid_credential_request"),
        ({"proofs": None}, "invalid_proof"),
        ({"proofs": {}}, "invalid_proof"),
        ({"proofs": {"jwt": []}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a"], "attestation": ["b"]}}, "invalid_proof"),
        ({"proofs": {"jwt": [1]}}, "invalid_proof"),
        ({"proofs": {"jwt": "a"}}, "invalid_proof"),
        ({"proofs": {"jwt": ["a"] * 31}}, "invalid_proof"),
        ({"proofs": {"di_vp": [{}]}}, "invalid_proof"),
        ({"proofs": {"attestation": ["a", "b"]}}, "invalid_proof"),
        ({"credential_response_encryption": ENCRYPTION}, "invalid_encryption_parameters"),
    ],
)
def test_issuer_refuses_a_credential_request(changes: dict[str, Any], code: str) -> None:
    refused(lambda: parse_credential_request(json.dumps({**GOOD, **changes}), encrypted=False), code)


def test_attack_key_for_the_answer_put_into_an_open_request() -> None:
    """VCI 8.2: who reads an unencrypted request could have written the key in it."""
    for value in (ENCRYPTION, {}, [], 1):
        body = json.dumps({**GOOD, "credential_response_encryption": value})
        refused(lambda body=body: parse_credential_request(body, encrypted=False), "invalid_encryption_parameters")
    deferred = json.dumps(deferred_request_body("t", ENCRYPTION))
    refused(lambda: parse_deferred_request(deferred, encrypted=False), "invalid_encryption_parameters")
    assert parse_deferred_request(deferred, encrypted=True).encryption is not None


def test_issuer_reads_a_deferred_request() -> None:
    assert parse_deferred_request(json.dumps(deferred_request_body("t")), encrypted=False).transaction_id == "t"
    refused(lambda: parse_deferred_request("{}", encrypted=False), "invalid_credential_request")
    for bad in ("", "a\0", "é", "a" * 1025):
        body = json.dumps({"transaction_id": bad})
        refused(lambda body=body: parse_deferred_request(body, encrypted=False), "invalid_transaction_id")


def test_wallet_reads_each_answer() -> None:
    body = {"credentials": [{"credential": "a~"}], "notification_id": "n"}
    assert parse_credential_response(json.dumps(body), copies=2).notification_id == "n"
    later = parse_credential_response('{"transaction_id":"t","interval":5}', copies=2, transaction="t")
    assert (later.transaction_id, later.interval, later.credentials) == ("t", 5, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credentials": []},
        {"credentials": [{"credential": "a"}] * 3},
        {"credentials": [{"credential": {}}]},
        {"credentials": [{"credential": "a"}], "notification_id": ""},
        {"transaction_id": "t"},
        {"transaction_id": "t", "interval": 0},
        {"transaction_id": "t", "interval": -1},
        {"transaction_id": "t", "interval": MAX_INTERVAL + 1},
        {"transaction_id": "", "interval": 5},
        {"transaction_id": "t", "interval": 5, "credentials": [{"credential": "a"}]},
        {"transaction_id": "t", "interval": 5, "notification_id": "n"},
        {"transaction_id": "other", "interval": 5},
    ],
)
def test_wallet_refuses_an_answer(body: dict[str, Any]) -> None:
    call = lambda: parse_credential_response(json.dumps(body), copies=2, transaction="t")  # noqa: E731
    refused(call, "bad_credential_response")


def test_proof_of_a_known_client_may_name_it() -> None:
    now = b.NOW
    named = parse_key_proof(sign_key_proof(b.HOLDER, audience=b.ISSUER_ID, nonce="n", iat=now, client_id="wallet"))
    assert verify_key_proofs([named], audience=b.ISSUER_ID, now=now, client_id="wallet") == (b.HOLDER.public,)
    refused(lambda: verify_key_proofs([named], audience=b.ISSUER_ID, now=now, client_id="other"), "invalid_proof")
    refused(lambda: verify_key_proofs([named], audience=b.ISSUER_ID, now=now), "invalid_proof")
    without = parse_key_proof(sign_key_proof(b.HOLDER, audience=b.ISSUER_ID, nonce="n", iat=now))
    assert verify_key_proofs([without], audience=b.ISSUER_ID, now=now, client_id="wallet")


def test_proof_carries_a_key_attestation() -> None:
    token = sign_key_proof(b.HOLDER, audience=b.ISSUER_ID, nonce="n", iat=b.NOW, attestation="a.b.c")
    assert parse_key_proof(token).attestation == "a.b.c"
