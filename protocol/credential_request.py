"""Credential and deferred credential requests and responses (OpenID4VCI 1.0 sections 8 and 9).

    wallet                                            issuer
      -> credential_request_body                        parse_credential_request
      <- credentials, or transaction_id and interval    CredentialResponse, parse_credential_response
      -> deferred_request_body                          parse_deferred_request

Encryption around them is module `credential_encryption`, the proofs inside are `key_proof` and `key_attestation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from protocol.credential_encryption import parse_response_parameters
from protocol.direct_post import EncryptionKey
from protocol.errors import Rejected
from protocol.issuer_metadata import BATCH_SIZE, parse_foreign

MAX_REQUEST_BYTES = 128 * 1024
"""`BATCH_SIZE` proofs of the usual size, or a few with key attestations, fit."""
MAX_RESPONSE_BYTES = 2 * 1024 * 1024
"""A batch of `BATCH_SIZE` copies of a credential whose every disclosure fills its padded size fits."""
MAX_NAME = 1024
"""Longest identifier or transaction id that we look at."""
MAX_INTERVAL = 30 * 86_400
"""Seconds: a later answer than in a month is as good as none."""
ProofType = Literal["jwt", "attestation"]
CREDENTIAL_ERRORS = frozenset(
    {
        "invalid_credential_request",
        "unknown_credential_configuration",
        "unknown_credential_identifier",
        "invalid_proof",
        "invalid_nonce",
        "invalid_encryption_parameters",
        "credential_request_denied",
    }
)
DEFERRED_ERRORS = CREDENTIAL_ERRORS | {"invalid_transaction_id"}


@dataclass(frozen=True)
class AskedCredential:
    """A credential request of good form: one of `configuration` and `identifier` is there.

    `proofs`: 1 to `BATCH_SIZE` unread proofs of `proof_type`, of type `attestation` exactly one.
    """

    configuration: str | None
    identifier: str | None
    proof_type: ProofType
    proofs: tuple[str, ...]
    encryption: EncryptionKey | None


@dataclass(frozen=True)
class AskedDeferred:
    """A deferred credential request of good form."""

    transaction_id: str
    encryption: EncryptionKey | None


class CredentialRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of the credential request (8.2); `proofs` names one proof type with its proofs."""

    credential_configuration_id: str | None = None
    credential_identifier: str | None = None
    proofs: dict[str, Any] | None = None
    credential_response_encryption: Any = None


class DeferredRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of the deferred credential request (9.1)."""

    transaction_id: str
    credential_response_encryption: Any = None


class IssuedCredential(msgspec.Struct, frozen=True):
    credential: str


class CredentialResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer (8.3, 9.2): credentials, or a transaction to come back for after `interval` seconds."""

    credentials: list[IssuedCredential] | None = None
    notification_id: str | None = None
    transaction_id: str | None = None
    interval: int | None = None


def parse_credential_request(data: bytes | str, *, encrypted: bool) -> AskedCredential:
    """1. form; 2. a configuration or an identifier, not both; 3. exactly one proof type that we know, with texts;
    4. an encrypted answer only for an encrypted request (8.2). **Not** checked: whether the names are known.

    Raises `Rejected`: `invalid_credential_request`, `invalid_encryption_parameters`, `invalid_proof`.
    """
    request = parse_foreign(data, CredentialRequest, "invalid_credential_request", MAX_REQUEST_BYTES)  # 1.
    configuration, identifier = request.credential_configuration_id, request.credential_identifier
    if (configuration is None) == (identifier is None):  # 2.
        raise Rejected("invalid_credential_request", "name a configuration or an identifier, and only one of them")
    if not _is_name(configuration or identifier):
        raise Rejected("invalid_credential_request", "the name of the credential is empty or too long")
    encryption = _encryption(request.credential_response_encryption, encrypted)  # 4.
    proof_type, proofs = _proofs(request.proofs)  # 3.
    return AskedCredential(configuration, identifier, proof_type, proofs, encryption)


def _proofs(proofs: dict[str, Any] | None) -> tuple[ProofType, tuple[str, ...]]:
    if proofs is None or len(proofs) != 1:
        raise Rejected("invalid_proof", "proofs hold one member, the proof type")
    kinds: dict[str, tuple[ProofType, int]] = {"jwt": ("jwt", BATCH_SIZE), "attestation": ("attestation", 1)}
    ((name, values),) = proofs.items()
    if name not in kinds:
        raise Rejected("invalid_proof", "only the proof types jwt and attestation are supported")
    kind, most = kinds[name]
    if not isinstance(values, list) or not 1 <= len(values) <= most:
        raise Rejected("invalid_proof", f"there are 1 to {most} proofs of type {kind}")
    if not all(isinstance(value, str) for value in values):
        raise Rejected("invalid_proof", "a proof is a text")
    return kind, tuple(values)


def _encryption(value: object, encrypted: bool) -> EncryptionKey | None:
    if value is None:
        return None
    if not encrypted:
        raise Rejected("invalid_encryption_parameters", "a request for an encrypted answer is itself encrypted")
    return parse_response_parameters(value)


def parse_deferred_request(data: bytes | str, *, encrypted: bool) -> AskedDeferred:
    """1. form; 2. a transaction id that an issuer could have given out; 3. encryption as in a credential request.

    Raises `Rejected`: `invalid_credential_request`, `invalid_transaction_id`, `invalid_encryption_parameters`.
    """
    request = parse_foreign(data, DeferredRequest, "invalid_credential_request", MAX_REQUEST_BYTES)
    if not _is_name(request.transaction_id):
        raise Rejected("invalid_transaction_id", "not a transaction id")
    return AskedDeferred(request.transaction_id, _encryption(request.credential_response_encryption, encrypted))


def _is_name(text: str | None) -> bool:
    """Printable ASCII: a NUL would make some databases fail."""
    return text is not None and 0 < len(text) <= MAX_NAME and text.isascii() and text.isprintable()


def credential_request_body(
    proofs: Sequence[str],
    *,
    proof_type: ProofType = "jwt",
    configuration: str | None = None,
    identifier: str | None = None,
    encryption: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The wallet's request: an identifier where the token response named some, else the configuration (8.2)."""
    body: dict[str, Any] = {"proofs": {proof_type: list(proofs)}} if proofs else {}
    if identifier is not None:
        body["credential_identifier"] = identifier
    else:
        body["credential_configuration_id"] = configuration
    if encryption is not None:
        body["credential_response_encryption"] = encryption
    return body


def deferred_request_body(transaction_id: str, encryption: dict[str, Any] | None = None) -> dict[str, Any]:
    """The wallet's request for what was put off (9.1)."""
    body: dict[str, Any] = {"transaction_id": transaction_id}
    return body if encryption is None else {**body, "credential_response_encryption": encryption}


def parse_credential_response(
    data: bytes | str, *, copies: int, transaction: str | None = None
) -> CredentialResponse:
    """The wallet's reading of an answer (8.3, 9.2). 1. form; 2. either 1 to `copies` credentials, or a transaction
    with an interval and nothing else; 3. a transaction that goes on keeps its id.

    `transaction`: the id that a deferred request named. The credentials MUST still be verified.
    Raises `Rejected`: `bad_credential_response`.
    """
    answer = parse_foreign(data, CredentialResponse, "bad_credential_response", MAX_RESPONSE_BYTES)
    if answer.transaction_id is None:
        if answer.credentials is None or not 1 <= len(answer.credentials) <= copies:
            raise Rejected("bad_credential_response", "there are no credentials, or more than keys")
        if answer.notification_id is not None and not _is_name(answer.notification_id):
            raise Rejected("bad_credential_response", "notification_id is empty or too long")
        return answer
    if answer.credentials is not None or answer.notification_id is not None:
        raise Rejected("bad_credential_response", "an answer holds credentials or a transaction")
    if answer.interval is None or not 0 < answer.interval <= MAX_INTERVAL or not _is_name(answer.transaction_id):
        raise Rejected("bad_credential_response", "a transaction has an id and an interval of seconds")
    if transaction is not None and answer.transaction_id != transaction:
        raise Rejected("bad_credential_response", "the transaction changed its id")
    return answer
