"""The endpoints that make credentials (OpenID4VCI 1.0).

    POST /nonce                 c_nonce                              7
    POST /credential            key proofs -> copies                 8
    POST /deferred-credential   what became of a transaction         9
    POST /notification          what became of the copies            11

A request may be encrypted, and ask for an encrypted answer (10); refusals never are (8.3.1).
"""

from flask import Flask, Response, request

from issuer.issuing import Issuing
from issuer.possession import Possession
from issuer.store_oauth import Access
from issuer.web_errors import DPOP_NONCE_HEADER, resource_errors
from protocol.canonical import b64u_decode, canonical_bytes
from protocol.credential_encryption import (
    JWT_MEDIA_TYPE,
    MAX_ENCRYPTED_REQUEST_BYTES,
    decrypt_request,
    encrypt_response,
)
from protocol.credential_request import (
    CREDENTIAL_ERRORS,
    DEFERRED_ERRORS,
    MAX_REQUEST_BYTES,
    CredentialResponse,
    parse_credential_request,
    parse_deferred_request,
)
from protocol.direct_post import EncryptionKey
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.openid4vci import MAX_OFFER_BYTES, NOTIFICATION_ERRORS, NonceResponse
from service.app import json_response, read_body


def add_issuance(
    app: Flask, issuing: Issuing, possession: Possession, encryption: Es256Private, prefix: str
) -> None:
    """Add them below `prefix`."""

    def enter(path: str) -> tuple[bytes, Access]:
        """One in the address is refused even beside the header, as addresses are logged (RFC 9700 4.3.2)."""
        if "access_token" in request.args:
            raise Rejected("invalid_token", "a token has no place in an address", status=401)
        scheme, token = _access_token()
        return token, issuing.authenticate(scheme, token, request.headers.get("DPoP"), path)

    @app.post(f"{prefix}/nonce")
    def nonce() -> Response:
        answer = json_response(NonceResponse(issuing.nonce()))
        answer.headers[DPOP_NONCE_HEADER] = possession.dpop_nonce()  # 7.2
        return answer

    @app.post(f"{prefix}/credential")
    @resource_errors(possession, CREDENTIAL_ERRORS, "invalid_credential_request")
    def credential() -> Response:
        token, access = enter("/credential")
        body, encrypted = _body(encryption)
        asked = parse_credential_request(body, encrypted=encrypted)
        return _answer(issuing.credential(token, access, asked), asked.encryption)

    @app.post(f"{prefix}/deferred-credential")
    @resource_errors(possession, DEFERRED_ERRORS, "invalid_credential_request")
    def deferred_credential() -> Response:
        token, access = enter("/deferred-credential")
        body, encrypted = _body(encryption)
        asked = parse_deferred_request(body, encrypted=encrypted)
        return _answer(issuing.deferred(token, access, asked.transaction_id), asked.encryption)

    @app.post(f"{prefix}/notification")
    @resource_errors(possession, NOTIFICATION_ERRORS, "invalid_notification_request")
    def notification() -> Response:
        _, access = enter("/notification")
        if request.mimetype != "application/json":
            raise Rejected("invalid_notification_request", "send application/json")
        issuing.notify(access, read_body(max_bytes=MAX_OFFER_BYTES))
        return Response(status=204)


def _access_token() -> tuple[str, bytes]:
    """Scheme in lower case and decoded token of the Authorization header. Raises `Rejected`: `invalid_token`
    (401).
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        return scheme.lower(), b64u_decode(token, max_bytes=64)
    except Rejected as error:
        raise Rejected("invalid_token", "the access token is not one of ours", status=401) from error


def _body(key: Es256Private) -> tuple[bytes, bool]:
    """The request's JSON, and whether it came encrypted. Raises `Rejected`: `invalid_credential_request`,
    `invalid_encryption_parameters`, `too_large`."""
    if request.mimetype == JWT_MEDIA_TYPE:
        return decrypt_request(read_body(max_bytes=MAX_ENCRYPTED_REQUEST_BYTES), key), True
    if request.mimetype != "application/json":
        raise Rejected("invalid_credential_request", f"send application/json or {JWT_MEDIA_TYPE}")
    return read_body(max_bytes=MAX_REQUEST_BYTES), False


def _answer(made: CredentialResponse, encryption: EncryptionKey | None) -> Response:
    """200 with copies, 202 for later (8.3)."""
    status = 200 if made.transaction_id is None else 202
    if encryption is None:
        return json_response(made, status=status)
    text = encrypt_response(canonical_bytes(made), encryption)
    return Response(text, status=status, content_type=JWT_MEDIA_TYPE)
