"""OpenID for Verifiable Credential Issuance 1.0: what issuer and wallet tell each other.

    wallet                                            issuer
      <- offer (link, by value or by reference)  4.1    offer_link, offer_reference_link, parse_offer_link
      -> metadata of issuer and OAuth server     12     modules issuer_metadata, signed_metadata
      -> authorization and token requests        5, 6   modules oauth, dpop, client_attestation
      -> nonce request                           7      parse_nonce_response
      -> credential request, now or later        8, 9   module credential_request
         proofs of keys                          D, F   modules key_proof, key_attestation
         encryption around both                  10     module credential_encryption
      -> notification                            11     parse_notification

Pure: no network, no store. Members that we do not know are ignored (RFC 6749 3.1, VCI 12.2.4). Errors are
`Rejected` whose `code` is the error code of the specification, so that the edge only has to write it down.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from protocol.canonical import canonical_bytes, parse_json
from protocol.errors import RegieError, Rejected
from protocol.issuer_metadata import (
    MAX_METADATA_BYTES,
    PRE_AUTHORIZED_GRANT,
    check_url,
    parse_foreign,
)

OFFER_SCHEMES = ("openid-credential-offer", "haip-vci")
MAX_OFFER_BYTES = 16 * 1024
MAX_TEXT = 1024
"""Longest code, tx_code, token, nonce or identifier that we look at."""
MAX_CONFIGURATIONS = 32

NOTIFICATION_ERRORS = frozenset({"invalid_notification_id", "invalid_notification_request"})

_ERROR_CODE = re.compile(r"[a-z0-9_]{1,64}\Z")
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


class NonceResponse(msgspec.Struct, frozen=True):
    c_nonce: str


class Notification(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the wallet did with what it got (11.1)."""

    notification_id: str
    event: Literal["credential_accepted", "credential_failure", "credential_deleted"]
    event_description: str | None = None


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


def parse_nonce_response(data: bytes | str) -> NonceResponse:
    """Raises `Rejected`: `bad_nonce_response`."""
    answer = parse_foreign(data, NonceResponse, "bad_nonce_response", MAX_METADATA_BYTES)
    if not _is_text(answer.c_nonce):
        raise Rejected("bad_nonce_response", "c_nonce is empty or too long")
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
