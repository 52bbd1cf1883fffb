"""OpenID for Verifiable Credential Issuance 1.0, pre-authorized code flow: what issuer and wallet tell each other.

    wallet                                            issuer
      <- offer (link, by value or by reference)  4.1    offer_link, offer_reference_link, parse_offer_link
      -> metadata of issuer and OAuth server     12     module issuer_metadata
      -> token request: code and tx_code         6      token_request_form, parse_token_request
      -> nonce request                           7      parse_nonce_response
      -> credential request: a proof for a copy  8      parse_credential_request, parse_credential_response
         key proofs                              F.1    module key_proof
      -> notification                            11     parse_notification

Pure: no network, no store. Members that we do not know are ignored (RFC 6749 3.1, VCI 12.2.4). Errors are
`Rejected` whose `code` is the error code of the specification, so that the edge only has to write it down.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import canonical_bytes, parse_json
from protocol.errors import RegieError, Rejected
from protocol.issuer_metadata import (
    BATCH_SIZE,
    MAX_METADATA_BYTES,
    PRE_AUTHORIZED_GRANT,
    check_url,
    parse_foreign,
)

OFFER_SCHEMES = ("openid-credential-offer", "haip-vci")
MAX_OFFER_BYTES = 16 * 1024
MAX_CREDENTIAL_REQUEST_BYTES = 128 * 1024
"""`BATCH_SIZE` proofs of the largest size that `key_proof` reads fit."""
MAX_CREDENTIAL_RESPONSE_BYTES = 2 * 1024 * 1024
"""A batch of `BATCH_SIZE` copies of a credential whose every disclosure fills its padded size fits."""
MAX_TEXT = 1024
"""Longest code, tx_code, token, nonce or identifier that we look at."""
MAX_CONFIGURATIONS = 32

TOKEN_ERRORS = frozenset({"invalid_request", "invalid_grant", "invalid_client", "unsupported_grant_type"})
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
NOTIFICATION_ERRORS = frozenset({"invalid_notification_id", "invalid_notification_request"})

_ERROR_CODE = re.compile(r"[a-z0-9_]{1,64}\Z")
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_NOT_IN_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


class TxCode(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the wallet asks for the transaction code (4.1.1); the code itself travels another way."""

    input_mode: Literal["numeric", "text"] = "numeric"
    length: int | None = None
    description: str | None = None


class PreAuthorizedGrant(msgspec.Struct, frozen=True, omit_defaults=True):
    """A short-lived single-use code, guarded by a transaction code."""

    pre_authorized_code: str = msgspec.field(name="pre-authorized_code")
    tx_code: TxCode | None = None
    authorization_server: str | None = None


class AuthorizationCodeGrant(msgspec.Struct, frozen=True, omit_defaults=True):
    """The resident logs in at the issuer (4.1.1); `issuer_state` ties the login to this offer."""

    issuer_state: str | None = None
    authorization_server: str | None = None


class OfferGrants(msgspec.Struct, frozen=True, omit_defaults=True):
    """Other grants are ignored. Without any, the wallet finds out from the metadata (4.1.1)."""

    pre_authorized: PreAuthorizedGrant | None = msgspec.field(name=PRE_AUTHORIZED_GRANT, default=None)
    authorization_code: AuthorizationCodeGrant | None = None


class CredentialOffer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The offer object (4.1.1)."""

    credential_issuer: str
    credential_configuration_ids: list[str]
    grants: OfferGrants | None = None


class TokenResponse(msgspec.Struct, frozen=True):
    """Seconds until the token dies in `expires_in` (6.2). There is no c_nonce in VCI 1.0 final."""

    access_token: str
    token_type: str
    expires_in: int | None = None


class NonceResponse(msgspec.Struct, frozen=True):
    c_nonce: str


class CredentialRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of the credential request (8.2); `proofs` names one proof type with its proofs."""

    credential_configuration_id: str | None = None
    credential_identifier: str | None = None
    proofs: dict[str, Any] | None = None
    credential_response_encryption: dict[str, Any] | None = None


class IssuedCredential(msgspec.Struct, frozen=True):
    credential: str


class CredentialResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer (8.3): as many credentials as proofs, in their order."""

    credentials: list[IssuedCredential] | None = None
    notification_id: str | None = None
    transaction_id: str | None = None


class Notification(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the wallet did with what it got (11.1)."""

    notification_id: str
    event: Literal["credential_accepted", "credential_failure", "credential_deleted"]
    event_description: str | None = None


@dataclass(frozen=True)
class TokenRequest:
    """A token request of good form; nothing in it has been looked up."""

    pre_authorized_code: str
    tx_code: str | None


@dataclass(frozen=True)
class OfferLink:
    """What a link carries: the offer, or the address of one. Neither is trusted (15.7: ask before fetching)."""

    offer: CredentialOffer | None
    uri: str | None


def _is_text(value: str | None) -> bool:
    return value is not None and 0 < len(value) <= MAX_TEXT


def offer_link(offer: CredentialOffer, *, scheme: str = OFFER_SCHEMES[0]) -> str:
    """The link that carries the offer itself (4.1.2)."""
    return f"{scheme}://?credential_offer={quote(canonical_bytes(offer), safe='')}"


def offer_reference_link(uri: str, *, scheme: str = OFFER_SCHEMES[0]) -> str:
    """The link that carries the offer's address (4.1.3): short enough for a QR code on a screen."""
    return f"{scheme}://?credential_offer_uri={quote(uri, safe='')}"


def parse_offer_link(link: str) -> OfferLink:
    """1. size and scheme; 2. exactly one of the two parameters, once; 3. a form of its own for each.

    Raises `Rejected`: `bad_offer`.
    """
    if len(link) > MAX_OFFER_BYTES:
        raise Rejected("bad_offer", f"link is longer than {MAX_OFFER_BYTES} bytes")
    try:
        parts = urlsplit(link)
        values = parse_qsl(parts.query, strict_parsing=True, max_num_fields=8, errors="strict")
    except ValueError as error:
        raise Rejected("bad_offer", "not a credential offer link") from error
    if parts.scheme not in OFFER_SCHEMES and parts.scheme not in ("https", "http"):
        raise Rejected("bad_offer", "not a credential offer link")
    found = [(name, value) for name, value in values if name in ("credential_offer", "credential_offer_uri")]
    if len(found) != 1:
        raise Rejected("bad_offer", "a link carries one offer or one address of an offer")
    name, value = found[0]
    if name == "credential_offer":
        return OfferLink(parse_offer(value), None)
    check_url(value, "bad_offer")
    return OfferLink(None, value)


def parse_offer(data: bytes | str) -> CredentialOffer:
    """Form of an offer (4.1.1): issuer a URL, configurations non-empty and unique, a code if the grant is there.

    Raises `Rejected`: `bad_offer`.
    """
    offer = parse_foreign(data, CredentialOffer, "bad_offer", MAX_OFFER_BYTES)
    check_url(offer.credential_issuer, "bad_offer")
    ids = offer.credential_configuration_ids
    if not 0 < len(ids) <= MAX_CONFIGURATIONS or len(set(ids)) != len(ids) or not all(map(_is_text, ids)):
        raise Rejected("bad_offer", "credential_configuration_ids are not a list of different names")
    grant = offer.grants.pre_authorized if offer.grants else None
    if grant is not None:
        if not _is_text(grant.pre_authorized_code):
            raise Rejected("bad_offer", "the pre-authorized code is empty or too long")
        if grant.tx_code and len(grant.tx_code.description or "") > 300:
            raise Rejected("bad_offer", "tx_code description is longer than 300 characters")
    login = offer.grants.authorization_code if offer.grants else None
    if login is not None and login.issuer_state is not None and not _is_text(login.issuer_state):
        raise Rejected("bad_offer", "issuer_state is empty or too long")
    for one in (grant, login):
        if one is not None and one.authorization_server is not None:
            check_url(one.authorization_server, "bad_offer")
    return offer


def token_request_form(grant: PreAuthorizedGrant, tx_code: str | None) -> dict[str, str]:
    """Form of the wallet's token request (6.1), without a client_id: anonymous access."""
    form = {"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": grant.pre_authorized_code}
    return form if tx_code is None else {**form, "tx_code": tx_code}


def parse_token_request(pairs: Sequence[tuple[str, str]]) -> TokenRequest:
    """1. no known parameter twice; 2. the grant; 3. a code. An empty value counts as left out (RFC 6749 3.2).

    Raises `Rejected`: `invalid_request`, `unsupported_grant_type`.
    """
    known: dict[str, str] = {}
    for name, value in pairs:
        if name in ("grant_type", "pre-authorized_code", "tx_code") and value:
            if name in known or len(value) > MAX_TEXT:
                raise Rejected("invalid_request", f"{name} is repeated or too long")
            known[name] = value
    if "grant_type" not in known:
        raise Rejected("invalid_request", "grant_type is missing")
    if known["grant_type"] != PRE_AUTHORIZED_GRANT:
        raise Rejected("unsupported_grant_type", "only the pre-authorized code grant is supported")
    if "pre-authorized_code" not in known:
        raise Rejected("invalid_request", "pre-authorized_code is missing")
    return TokenRequest(known["pre-authorized_code"], known.get("tx_code"))


def parse_token_response(data: bytes | str) -> TokenResponse:
    """Raises `Rejected`: `bad_token_response`. A token that needs a proof of possession is refused."""
    answer = parse_foreign(data, TokenResponse, "bad_token_response", MAX_METADATA_BYTES)
    if answer.token_type.lower() != "bearer":
        raise Rejected("bad_token_response", "only Bearer tokens are supported")
    if not _BEARER_TOKEN.match(answer.access_token) or len(answer.access_token) > 8 * MAX_TEXT:
        raise Rejected("bad_token_response", "the access token is not a Bearer token")
    return answer


def parse_nonce_response(data: bytes | str) -> NonceResponse:
    """Raises `Rejected`: `bad_nonce_response`."""
    answer = parse_foreign(data, NonceResponse, "bad_nonce_response", MAX_METADATA_BYTES)
    if not _is_text(answer.c_nonce):
        raise Rejected("bad_nonce_response", "c_nonce is empty or too long")
    return answer


def parse_credential_request(data: bytes | str) -> tuple[str, tuple[str, ...]]:
    """The configuration asked for and 1 to `BATCH_SIZE` unread proofs (8.2).

    1. form; 2. encryption, which we do not offer; 3. a configuration and no identifier, since we never give out
    identifiers; 4. exactly one proof type, `jwt`, with a list of texts.
    Raises `Rejected`: `invalid_credential_request`, `invalid_encryption_parameters`,
    `unknown_credential_identifier`, `unknown_credential_configuration`, `invalid_proof`.
    """
    request = parse_foreign(data, CredentialRequest, "invalid_credential_request", MAX_CREDENTIAL_REQUEST_BYTES)
    if request.credential_response_encryption is not None:
        raise Rejected("invalid_encryption_parameters", "encrypted answers are not offered")
    if request.credential_identifier is not None:
        if request.credential_configuration_id is not None:
            raise Rejected("invalid_credential_request", "configuration and identifier exclude each other")
        raise Rejected("unknown_credential_identifier", "there are no credential identifiers here")
    if request.credential_configuration_id is None:
        raise Rejected("invalid_credential_request", "credential_configuration_id is missing")
    if request.credential_configuration_id not in {kind.configuration_id for kind in CREDENTIAL_TYPES.values()}:
        raise Rejected("unknown_credential_configuration", "this credential is not made here")
    proofs = (request.proofs or {}).get("jwt")
    if request.proofs is None or len(request.proofs) != 1 or not isinstance(proofs, list) or not proofs:
        raise Rejected("invalid_proof", "proofs hold one member, jwt, with at least one proof")
    if len(proofs) > BATCH_SIZE or not all(isinstance(proof, str) for proof in proofs):
        raise Rejected("invalid_proof", f"a request has at most {BATCH_SIZE} proofs and each is a text")
    return request.credential_configuration_id, tuple(proofs)


def parse_credential_response(data: bytes | str, *, copies: int) -> CredentialResponse:
    """The wallet's reading of an answer (8.3): one text for each proof. The credentials MUST still be verified.

    Raises `Rejected`: `bad_credential_response`, `deferred` (we do not wait for a later answer).
    """
    answer = parse_foreign(data, CredentialResponse, "bad_credential_response", MAX_CREDENTIAL_RESPONSE_BYTES)
    if answer.transaction_id is not None:
        raise Rejected("deferred", "the issuer answers later, which is not supported")
    if answer.credentials is None or len(answer.credentials) != copies:
        raise Rejected("bad_credential_response", "there are not as many credentials as proofs")
    return answer


def parse_notification(data: bytes | str) -> Notification:
    """Raises `Rejected`: `invalid_notification_request`; `invalid_notification_id` for what no issuer gave out."""
    notification = parse_foreign(data, Notification, "invalid_notification_request", MAX_OFFER_BYTES)
    # Every id is printable ASCII text; a NUL in it would make some databases fail.
    name = notification.notification_id
    if not _is_text(name) or not name.isascii() or not name.isprintable():
        raise Rejected("invalid_notification_id", "not an id")
    return notification


def error_body(error: RegieError, known: Collection[str], otherwise: str) -> dict[str, str]:
    """OAuth error object: a code of the endpoint's own list, a description in the characters that it may have."""
    body = {"error": error.code if error.code in known else otherwise}
    description = _NOT_IN_DESCRIPTION.sub("'", error.detail)
    return {**body, "error_description": description} if description else body


def parse_error(data: bytes | str, status: int) -> Rejected:
    """The issuer's refusal as the wallet passes it on; without a readable error, its status only."""
    try:
        body = parse_json(data, max_bytes=MAX_OFFER_BYTES, floats=True)
    except Rejected:
        body = None
    code = body.get("error") if isinstance(body, dict) else None
    if not isinstance(code, str) or not _ERROR_CODE.match(code):
        return Rejected("issuer_refused", "the issuer gave no reason", status=status)
    text = body.get("error_description") if isinstance(body, dict) else None
    return Rejected(code, _NOT_IN_DESCRIPTION.sub("'", text[:300]) if isinstance(text, str) else "", status=status)
