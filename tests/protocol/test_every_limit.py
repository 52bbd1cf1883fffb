"""Every limit that `protocol` names, at n and at n + 1.

`LIMITS` says what is sent and with which code it is refused beyond the limit; at the limit it is accepted, or,
where only the length matters, refused for another reason.
"""

import importlib
import json
import pkgutil
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import protocol
from protocol import (
    anchors,
    canonical,
    case_reference,
    checkpoint,
    consent_api,
    credential,
    direct_post,
    disclosure,
    fraud_form,
    issuer_jwt,
    issuer_metadata,
    jwe,
    jws,
    leaf,
    names,
    note,
    openid4vci,
    passphrase,
    presentation,
    receipt,
    status_list,
    trust_list,
    witness,
    x509,
)
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from tests.protocol import builders as b
from tests.protocol import limit_probes as p
from tests.protocol import limits_cohort, limits_mandate_api, limits_mandates, limits_oauth
from tests.protocol import peer_input_figures as f
from tests.protocol import peer_input_trust as t
from tests.protocol.limit_probes import NOW
from tests.protocol.peer_input_openid import OFFER, PAYLOAD, read_request


@dataclass(frozen=True)
class Limit:
    """`probe(limit)` is not refused with `code`, `probe(limit + 1)` is.

    `other`: at the limit it is refused too, with this code. `is_open`: the limit itself is the first one beyond,
    as in "below 2^40". `is_least`: it is the least allowed, not the most.
    """

    probe: Callable[[int], object]
    code: str
    other: str | None = None
    is_open: bool = False
    is_least: bool = False


REVOCATION = {"r": p.B32}
LIMITS = {
    "anchors.MAX_ANCHORS": Limit(t.many_strangers, "bad_form"),
    "anchors.MAX_ANCHORS_BYTES": Limit(lambda n: anchors.parse_anchors(p.spaced({}, n)), "too_large"),
    "asker.MAX_REGISTRATIONS": Limit(p.registrations, "invalid_request"),
    "canonical.MAX_JSON_BYTES": Limit(lambda n: canonical.parse_json(p.spaced({}, n)), "too_large"),
    "canonical.MAX_JSON_DEPTH": Limit(lambda n: canonical.parse_json("[" * n + "]" * n), "too_deep"),
    "canonical.MAX_JSON_PARTS": Limit(p.parts, "too_large"),
    "canonical.MAX_SAFE_INTEGER": Limit(lambda n: canonical.parse_json(str(n)), "bad_json"),
    "case_reference.MAX_CASE_CHARACTERS": Limit(
        lambda n: case_reference.parse_case_reference("x" * n), "bad_case"
    ),
    "case_reference.MAX_IDENTIFICATION_CHARS": Limit(
        lambda n: case_reference.parse_case_reference("123456782/" + "x" * n), "bad_case"
    ),
    "checkpoint.MAX_LEAF_BYTES": Limit(
        lambda n: checkpoint.LeafProof(0, b64u_encode(bytes(n)), "").leaf_bytes(), "too_large"
    ),
    "checkpoint.MAX_ORIGIN_CHARS": Limit(
        lambda n: checkpoint.parse_checkpoint_body(f"{'o' * n}\n0\n{note.encode_base64(bytes(32))}\n"),
        "bad_checkpoint",
    ),
    "consent_api.MAX_ANSWER_BYTES": Limit(
        lambda n: p.body(consent_api.RevocationRequest, REVOCATION, n, consent_api.MAX_ANSWER_BYTES), "too_large"
    ),
    "consent_api.MAX_NOTE_CHARS": Limit(
        lambda n: canonical.convert({"index": 0, "slot": 0, "proof": "x" * n}, consent_api.GrantAnswer), "bad_form"
    ),
    "consent_api.MAX_PAGE": Limit(p.openings, "bad_form"),
    "consent_api.MAX_PAGE_BYTES": Limit(
        lambda n: p.body(consent_api.RevocationRequest, REVOCATION, n, consent_api.MAX_PAGE_BYTES), "too_large"
    ),
    "consent_api.MAX_PENDING": Limit(
        lambda n: canonical.convert({"revocations": [p.B32] * n}, consent_api.PendingRevocations), "bad_form"
    ),
    "consent_api.MAX_REQUEST_BYTES": Limit(
        lambda n: consent_api.parse_body(p.spaced(REVOCATION, n), consent_api.RevocationRequest), "too_large"
    ),
    "consent_api.MAX_RELEASE_BYTES": Limit(
        lambda n: p.body(consent_api.DepositRequest, p.DEPOSIT_REQUEST, n, consent_api.MAX_RELEASE_BYTES),
        "too_large",
    ),
    "issuer_jwt.MAX_CLOCK_SKEW": Limit(p.credential_ahead, "not_yet_valid"),
    "issuer_jwt.MAX_HEADER_CHARACTERS": Limit(
        lambda n: issuer_jwt.verify_issuer_jwt(f"{'A' * n}.e30.AA", b.TRUST, NOW), "too_large", "bad_json"
    ),
    "issuer_jwt.MAX_ISSUER_JWT_BYTES": Limit(
        lambda n: issuer_jwt.verify_issuer_jwt("a" * n, b.TRUST, NOW), "too_large", "bad_jws"
    ),
    "credential.MAX_SD_JWT_BYTES": Limit(lambda n: credential.split_sd_jwt("a" * (n - 1) + "~"), "too_large"),
    "dcql.MAX_CLAIMS": Limit(lambda n: p.query_claims([{"path": [name]} for name in p.fields(n)]), "bad_form"),
    "dcql.MAX_CREDENTIALS": Limit(p.queries, "bad_form"),
    "dcql.MAX_PATH": Limit(lambda n: p.query_claims([{"path": p.fields(n)}]), "bad_form"),
    "direct_post.MAX_FORM_BYTES": Limit(
        lambda n: direct_post.parse_response_form(b"response=".ljust(n, b"a")), "too_large"
    ),
    "direct_post.MAX_PRESENTATIONS": Limit(lambda n: p.response({"adres": p.fields(n)}), "bad_form"),
    "direct_post.MAX_URL_CHARS": Limit(lambda n: direct_post.check_url(p.url(n), "inbox"), "invalid_request"),
    "disclosure.MAX_DEPTH": Limit(lambda n: disclosure.process(p.nested_object(n), []), "too_deep"),
    "disclosure.MAX_DISCLOSURES": Limit(
        lambda n: credential.split_sd_jwt("a" + "~b" * n + "~"), "too_many_disclosures"
    ),
    "disclosure.MAX_DISCLOSURE_BYTES": Limit(
        lambda n: disclosure.parse_disclosure(b64u_encode(p.spaced(["salt", "name", 1], n))), "too_large"
    ),
    "fraud_form.MAX_FRAUD_BYTES": Limit(lambda n: fraud_form.parse_fraud_proof(b"a" * n), "too_large", "bad_json"),
    "fraud_form.MAX_RUN": Limit(p.run_of_leaves, "bad_form"),
    "fraud_form.MAX_TRANSCRIPT_BYTES": Limit(p.transcript, "bad_form"),
    "issuer_metadata.MAX_METADATA_BYTES": Limit(
        lambda n: openid4vci.parse_nonce_response(p.spaced({"c_nonce": "x"}, n)), "bad_nonce_response"
    ),
    "issuer_metadata.MAX_URL": Limit(lambda n: issuer_metadata.check_url(p.url(n), "bad_offer"), "bad_offer"),
    "jwe.MAX_HEADER_BYTES": Limit(
        lambda n: jwe.parse_header(b64u_encode(p.spaced({}, n)) + "...."), "too_large", "bad_algorithm"
    ),
    "jwe.MAX_JWE_BYTES": Limit(lambda n: jwe.parse_header("a" * n), "too_large", "bad_jwe"),
    "jws.MAX_JWS_BYTES": Limit(
        lambda n: jws.parse_jws(p.token_of(n, {}, b.HOLDER, "kb+jwt"), typ="kb+jwt"), "too_large"
    ),
    "key_binding.MAX_CLOCK_SKEW": Limit(p.binding_ahead, "stale_key_binding"),
    "key_binding.MAX_KEY_BINDING_BYTES": Limit(
        lambda n: p.binding(p.token_of(n, p.BINDING, b.HOLDER, "kb+jwt", in_payload=True)), "bad_key_binding"
    ),
    "key_proof.MAX_NONCE": Limit(lambda n: p.proof_of(nonce="n" * n), "invalid_proof"),
    "key_proof.MAX_PROOF_BYTES": Limit(lambda n: p.proof_of(size=n), "invalid_proof"),
    "key_proof.PROOF_MAX_AGE": Limit(lambda n: p.proof_at(NOW - n), "invalid_proof"),
    "key_proof.PROOF_MAX_AHEAD": Limit(lambda n: p.proof_at(NOW + n), "invalid_proof"),
    "leaf.MAX_SLOTS": Limit(lambda n: p.read_with(slot=n), "bad_form", is_open=True),
    "leaf.MAX_TREE_SIZE": Limit(
        lambda n: leaf.parse_leaf(b"\5" + n.to_bytes(8, "big") + bytes(37)), "bad_leaf", is_open=True
    ),
    "merkle.MAX_PROOF_HASHES": Limit(p.proof, "bad_inclusion"),
    "merkle.MAX_SIZE": Limit(p.tree_size, "bad_checkpoint", is_open=True),
    "note.MAX_KEY_NAME_BYTES": Limit(p.vkey, "bad_vkey"),
    "note.MAX_NOTE_BYTES": Limit(p.note_of, "too_large"),
    "note.MAX_SIGNATURES": Limit(lambda n: note.parse_signature_lines(p.LINE * n), "bad_note"),
    "note.MAX_SIGNATURE_BYTES": Limit(p.signature_of, "bad_note"),
    "note.MAX_TIMESTAMP": Limit(p.cosigned_at, "bad_signature"),
    "openid4vci.MAX_CONFIGURATIONS": Limit(
        lambda n: openid4vci.parse_offer(json.dumps({**OFFER, "credential_configuration_ids": p.fields(n)})),
        "bad_offer",
    ),
    "openid4vci.MAX_OFFER_BYTES": Limit(lambda n: openid4vci.parse_offer(p.spaced(OFFER, n)), "bad_offer"),
    "openid4vci.MAX_TEXT": Limit(
        lambda n: openid4vci.parse_nonce_response(json.dumps({"c_nonce": "x" * n})), "bad_nonce_response"
    ),
    "names.MAX_NAME_CHARACTERS": Limit(lambda n: names.check_name("n" * n), "misleading_name"),
    "names.MAX_TEXT_CHARACTERS": Limit(lambda n: names.check_text("n" * n), "misleading_name"),
    "openid4vp.MAX_LINK_CHARS": Limit(p.link, "too_large"),
    "policy.MAX_AGE": Limit(lambda n: p.quorum_at(-n), "stale_checkpoint"),
    "policy.MAX_CLOCK_SKEW": Limit(p.quorum_at, "no_quorum"),
    "policy.MAX_GROUPS": Limit(lambda n: p.policy_with(groups=n), "bad_policy"),
    "policy.MAX_LOGS": Limit(lambda n: p.policy_with(logs=n), "bad_policy"),
    "policy.MAX_POLICY_BYTES": Limit(p.policy_of, "too_large"),
    "policy.MAX_WITNESSES": Limit(lambda n: p.policy_with(witnesses=n), "bad_policy"),
    "presentation.MAX_SEALED_BYTES": Limit(
        lambda n: canonical.parse_object(p.spaced({}, n), max_bytes=presentation.MAX_SEALED_BYTES), "too_large"
    ),
    "passphrase.MAX_PASSPHRASE_BYTES": Limit(lambda n: passphrase.check_passphrase(b"w" * n), "weak_passphrase"),
    "passphrase.MIN_DIGITS": Limit(
        lambda n: passphrase.check_passphrase(b"7" * n), "weak_passphrase", is_least=True
    ),
    "passphrase.MIN_PASSPHRASE_BYTES": Limit(
        lambda n: passphrase.check_passphrase(b"w" * n), "weak_passphrase", is_least=True
    ),
    "reading.MAX_READ_BYTES": Limit(p.read_of, "bad_read"),
    "reading.MAX_TICKET_BYTES": Limit(p.ticket_of, "bad_ticket"),
    "receipt.MAX_EXTRA_BYTES": Limit(p.extra, "bad_proof"),
    "receipt.MAX_PROOF_BYTES": Limit(lambda n: receipt.parse_tlog_proof("a" * n), "too_large", "bad_proof"),
    "request_form.MAX_LIFETIME": Limit(lambda n: read_request({**PAYLOAD, "exp": NOW + n}), "invalid_request"),
    "request_form.MAX_VERIFIER_INFO": Limit(
        lambda n: read_request({**PAYLOAD, "verifier_info": [{"format": "x", "data": 1}] * n}), "bad_form"
    ),
    "revocation_code.MAX_CODE_CHARS": Limit(p.code, "bad_code"),
    "paper_form.MAX_SHEETS": Limit(p.paper_form_of, "form_too_long"),
    "revocation_code.MAX_QR_CHARS": Limit(p.paper_qr, "bad_code"),
    "status_list.MAX_CLOCK_SKEW": Limit(lambda n: p.status(iat=NOW + n), "expired_status_list"),
    "status_list.MAX_LIST_BYTES": Limit(
        lambda n: status_list.decode_list(b64u_encode(zlib.compress(bytes(n)))), "too_large"
    ),
    "status_list.MAX_TOKEN_BYTES": Limit(lambda n: p.status_token("a" * n), "too_large", "bad_jws"),
    "status_list.MAX_TTL": Limit(p.ttl, "clamped"),
    "openid_connect.MIN_RSA_BITS": Limit(limits_oauth.rsa_of, "bad_id_token", is_least=True),
    "status_list.MIN_TTL": Limit(p.ttl, "clamped", is_least=True),
    "terms.MAX_CLAIMS": Limit(p.many_terms, "bad_form"),
    "terms.MAX_ELEMENT_BYTES": Limit(p.element_of, "invalid_transaction_data"),
    "terms.MAX_OPERATORS": Limit(p.operators_of, "bad_terms"),
    "terms.MAX_PIECES": Limit(p.pieces_of, "bad_form"),
    "terms.MAX_READS": Limit(lambda n: p.read_terms(max_reads=n), "bad_terms"),
    "terms.MAX_TIME": Limit(lambda n: p.read_terms(not_after=n), "bad_terms"),
    "terms.MAX_URL_CHARS": Limit(lambda n: p.read_element(inbox=p.url(n)), "invalid_transaction_data"),
    "tiles.MAX_ENTRY_BYTES": Limit(p.entry, "our_mistake"),
    "tiles.MAX_LEVEL": Limit(lambda n: p.tile(level=n), "bad_tile_path"),
    "tiles.MAX_TILE_INDEX": Limit(lambda n: p.tile(n=n), "bad_tile_path", is_open=True),
    "registration_certificate.MAX_REGISTRATION_DAYS": Limit(t.registered_since, "expired_registration"),
    "service_law.MAX_CONDITIONS": Limit(p.conditions, "bad_form"),
    "trust_list.MAX_CLOCK_SKEW": Limit(lambda n: p.listed(iat=NOW + n), "expired_trust_list"),
    "trust_list.MAX_FORMER_POLICIES": Limit(p.former_policies, "bad_form"),
    "trust_list.MAX_RETIRED_KEYS": Limit(p.retired_keys, "bad_form"),
    "trust_list.MAX_ROOTS": Limit(p.roots, "bad_form"),
    "trust_list.MAX_TRUST_LIST_BYTES": Limit(
        lambda n: trust_list.verify_trust_list("a" * n, b.REGISTRAR.public, NOW), "too_large", "bad_jws"
    ),
    "wallet_attestation.MAX_WALLET_KEY_AGE": Limit(lambda n: t.key_proof_at(NOW - n), "expired_proof"),
    "wallet_attestation.MAX_WALLET_KEY_BYTES": Limit(lambda n: t.read_key("a" * n), "too_large", "bad_jws"),
    "witness.MAX_REQUEST_BYTES": Limit(
        lambda n: witness.parse_add_checkpoint("a" * n), "too_large", "bad_request"
    ),
    "x509.MAX_CERTIFICATE_BYTES": Limit(
        lambda n: x509.parse_der_base64(note.encode_base64(bytes(n))), "bad_certificate"
    ),
    "x509.MAX_CHAIN": Limit(lambda n: x509.parse_x5c(b.ISSUER.x5c * n), "bad_x5c"),
}
ALSO = {
    "dcql.MAX_CREDENTIALS": Limit(p.query_options, "bad_form"),
    "direct_post.MAX_PRESENTATIONS": Limit(
        lambda n: p.response({name: ["x"] for name in p.fields(n)}), "bad_form"
    ),
    "disclosure.MAX_DISCLOSURES": Limit(
        lambda n: disclosure.process({}, ["x"] * n), "too_many_disclosures", "bad_base64"
    ),
    "issuer_metadata.BATCH_SIZE": Limit(p.copies, "invalid_proof"),
    "merkle.MAX_PROOF_HASHES": Limit(lambda n: checkpoint.decode_hashes(b64u_encode(bytes(32 * n))), "too_large"),
    "reading.READ_SKEW": Limit(p.decided_at, "stale"),
    "reading.TICKET_LIFETIME": Limit(p.ticket_ending, "bad_ticket"),
    "terms.MAX_CLAIMS": Limit(p.many_asked, "invalid_transaction_data"),
}
"""Other limits, and other places of the same."""


LIMITS |= {name: Limit(*row) for name, row in {**limits_oauth.LIMITS, **limits_mandates.LIMITS}.items()}
LIMITS |= {name: Limit(*row) for name, row in limits_mandate_api.LIMITS.items()}
LIMITS |= {name: Limit(*row) for name, row in {**limits_cohort.LIMITS, **f.LIMITS}.items()}
ALSO |= {name: Limit(*row) for name, row in {**limits_mandates.ALSO, **limits_cohort.ALSO}.items()}


def named_limits() -> set[str]:
    """Every public constant of `protocol` with MAX or MIN in its name, in the module that defines it."""
    found = set()
    for info in pkgutil.iter_modules(protocol.__path__):
        module = importlib.import_module(f"protocol.{info.name}")
        with open(str(module.__file__), encoding="utf-8") as source:
            for line in source:
                if re.match(r"[A-Z][A-Z0-9_, =]* = ", line):
                    names = re.findall(r"\b(?:[A-Z0-9_]+_)?(?:MAX|MIN)_[A-Z0-9_]+\b", line.rpartition(" = ")[0])
                    found |= {f"{info.name}.{name}" for name in names if not name.startswith("_")}
    return found


def limit_of(name: str) -> int:
    module, _, constant = name.partition(".")
    value = getattr(importlib.import_module(f"protocol.{module}"), constant)
    assert isinstance(value, int)
    return value


def code_of(limit: Limit, size: int) -> str | None:
    try:
        limit.probe(size)
    except Rejected as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(("name", "limit"), [*LIMITS.items(), *ALSO.items()], ids=[*LIMITS, *ALSO])
def test_limit_holds_exactly(name: str, limit: Limit) -> None:
    most = limit_of(name) - limit.is_open
    beyond = most - 1 if limit.is_least else most + 1
    assert code_of(limit, most) == limit.other
    assert code_of(limit, beyond) == limit.code


def test_every_named_limit_is_tested() -> None:
    assert named_limits() == set(LIMITS)
