"""What an issuer answers, for `/v1/openapi.json`: every endpoint is defined by a standard, but for mandates."""

from collections.abc import Mapping
from typing import Any

from issuer.openapi_mandate import ASKS, BOARD
from protocol.client_attestation import ATTESTATION_HEADER, POP_HEADER
from protocol.credential_encryption import JWT_MEDIA_TYPE
from protocol.credential_request import (
    CREDENTIAL_ERRORS,
    DEFERRED_ERRORS,
    CredentialRequest,
    CredentialResponse,
    DeferredRequest,
)
from protocol.issuer_metadata import PRE_AUTHORIZED_GRANT, AuthorizationServerMetadata, IssuerMetadata
from protocol.oauth import (
    AUTHORIZATION_CODE_GRANT,
    PAR_ERRORS,
    REFRESH_TOKEN_GRANT,
    TOKEN_ERRORS,
    PushedResponse,
    TokenResponse,
)
from protocol.openid4vci import (
    NOTIFICATION_ERRORS,
    CredentialOffer,
    NonceResponse,
    Notification,
)
from protocol.signed_metadata import SIGNED_METADATA_MEDIA_TYPE
from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from service.operations import (
    FORM,
    Api,
    Content,
    Operation,
    Parameter,
    Reply,
    json_object,
    json_of,
    oauth_error,
    path_number,
)

MAX_LISTS = 10**6
"""More than anybody needs; a larger number would overflow the database's integers."""
_OPENID4VCI = "OpenID4VCI 1.0"
_PUBLIC = ("Access-Control-Allow-Origin", "Cache-Control")
_TOKEN = oauth_error("invalid_token", "invalid_dpop_proof", "use_dpop_nonce")
_MADE = (json_of(CredentialResponse), Content(JWT_MEDIA_TYPE))
_DPOP = Parameter("DPoP", "header", "A proof of the key that the token is, or will be, bound to (RFC 9449).")
_PROOFS = (
    _DPOP,
    Parameter(ATTESTATION_HEADER, "header", "What a wallet provider says of the wallet."),
    Parameter(POP_HEADER, "header", "A proof of the key that is attested."),
)
_OFFER = Parameter("offer_id", "path", "Which offer.")
_TEXT = {"type": "string", "minLength": 1, "maxLength": 1024}


def _form(*required: str, **properties: Mapping[str, Any]) -> Content:
    return Content(FORM, {"type": "object", "required": list(required), "properties": properties})


_PAGE = ("A page for the resident: the request or login is unknown, over or used.", Content("text/html"))
_LATER = ("A page for the resident: the OpenID provider cannot be reached.", Content("text/html"))
_METADATA = (
    Operation(
        "getIssuerMetadata",
        "GET",
        "/.well-known/openid-credential-issuer",
        "What can be had here, and where",
        {
            200: Reply(
                "Credential issuer metadata, signed for who asks for a JWT.",
                (json_of(IssuerMetadata), Content(SIGNED_METADATA_MEDIA_TYPE)),
                _PUBLIC,
            )
        },
        standard=f"{_OPENID4VCI} section 12.2",
        tag="metadata",
    ),
    Operation(
        "getAuthorizationServerMetadata",
        "GET",
        "/.well-known/oauth-authorization-server",
        "The OAuth server of this issuer",
        {200: Reply("Authorization server metadata.", (json_of(AuthorizationServerMetadata),), _PUBLIC)},
        standard="RFC 8414",
        tag="metadata",
    ),
    Operation(
        "getVcIssuerMetadata",
        "GET",
        "/.well-known/jwt-vc-issuer",
        "The keys of this issuer",
        {200: Reply("JWT VC issuer metadata.", (json_object("issuer", "jwks"),), _PUBLIC)},
        standard="SD-JWT VC section 5",
        tag="metadata",
    ),
)
_ISSUANCE = (
    Operation(
        "getOffer",
        "GET",
        "/offers/{offer_id}",
        "A credential offer by reference",
        {200: Reply("The offer.", (json_of(CredentialOffer),))},
        {404: "`not_found`"},
        parameters=(_OFFER,),
        standard=f"{_OPENID4VCI} section 4.1.3",
        tag="issuance",
    ),
    Operation(
        "postToken",
        "POST",
        "/token",
        "A code or a refresh token against an access token",
        {200: Reply("An access token.", (json_of(TokenResponse),))},
        own_errors={
            400: oauth_error(*sorted(TOKEN_ERRORS - {"invalid_client", "invalid_client_attestation"})),
            401: oauth_error("invalid_client", "invalid_client_attestation"),
        },
        body=(
            _form(
                "grant_type",
                grant_type={"enum": [PRE_AUTHORIZED_GRANT, AUTHORIZATION_CODE_GRANT, REFRESH_TOKEN_GRANT]},
                **dict.fromkeys(
                    ("pre-authorized_code", "tx_code", "code", "redirect_uri", "code_verifier", "refresh_token"),
                    _TEXT,
                ),
            ),
        ),
        parameters=_PROOFS,
        standard=f"{_OPENID4VCI} section 6",
        tag="issuance",
    ),
    Operation(
        "postNonce",
        "POST",
        "/nonce",
        "A nonce for key proofs",
        {200: Reply("A fresh nonce.", (json_of(NonceResponse),))},
        standard=f"{_OPENID4VCI} section 7",
        tag="issuance",
    ),
    Operation(
        "postCredential",
        "POST",
        "/credential",
        "Key proofs against copies of a credential",
        {200: Reply("As many credentials as keys.", _MADE), 202: Reply("A transaction: it comes later.", _MADE)},
        own_errors={400: oauth_error(*sorted(CREDENTIAL_ERRORS)), 401: _TOKEN},
        body=(json_of(CredentialRequest), Content(JWT_MEDIA_TYPE)),
        parameters=(_DPOP,),
        security=("accessToken",),
        standard=f"{_OPENID4VCI} section 8",
        tag="issuance",
    ),
    Operation(
        "postDeferredCredential",
        "POST",
        "/deferred-credential",
        "What became of a transaction",
        {200: Reply("The credentials.", _MADE), 202: Reply("It still waits.", _MADE)},
        own_errors={400: oauth_error(*sorted(DEFERRED_ERRORS)), 401: _TOKEN},
        body=(json_of(DeferredRequest), Content(JWT_MEDIA_TYPE)),
        parameters=(_DPOP,),
        security=("accessToken",),
        standard=f"{_OPENID4VCI} section 9",
        tag="issuance",
    ),
    Operation(
        "postNotification",
        "POST",
        "/notification",
        "What became of the credentials",
        {204: Reply("Noted.")},
        own_errors={400: oauth_error(*sorted(NOTIFICATION_ERRORS)), 401: _TOKEN},
        body=(json_of(Notification),),
        parameters=(_DPOP,),
        security=("accessToken",),
        standard=f"{_OPENID4VCI} section 11",
        tag="issuance",
    ),
    Operation(
        "getStatusList",
        "GET",
        "/status-lists/{number}",
        "The status of credentials",
        {200: Reply("A `statuslist+jwt`.", (Content(STATUS_LIST_MEDIA_TYPE),), _PUBLIC)},
        {404: "`not_found`"},
        parameters=(path_number("number", "Number of the list.", MAX_LISTS),),
        standard="Token Status List section 8",
        tag="status",
    ),
)
_LOGIN = (
    Operation(
        "postChallenge",
        "POST",
        "/challenge",
        "A challenge for a wallet attestation",
        {200: Reply("A fresh challenge.", (json_object("attestation_challenge"),))},
        standard="Attestation-based client authentication section 8",
        tag="login",
    ),
    Operation(
        "postPushedAuthorizationRequest",
        "POST",
        "/par",
        "What a wallet wants",
        {201: Reply("Where the browser refers to it.", (json_of(PushedResponse),))},
        own_errors={
            400: oauth_error(*sorted(PAR_ERRORS - {"invalid_client", "invalid_client_attestation"})),
            401: oauth_error("invalid_client", "invalid_client_attestation"),
        },
        parameters=_PROOFS,
        body=(
            _form(
                "response_type",
                "client_id",
                "redirect_uri",
                "code_challenge",
                "code_challenge_method",
                response_type={"const": "code"},
                code_challenge_method={"const": "S256"},
                **dict.fromkeys(
                    ("client_id", "redirect_uri", "code_challenge", "scope", "state", "issuer_state", "dpop_jkt"),
                    _TEXT,
                ),
                authorization_details={"type": "string"},
            ),
        ),
        standard="RFC 9126 section 2",
        tag="login",
    ),
    Operation(
        "getAuthorize",
        "GET",
        "/authorize",
        "The resident's browser comes, and is sent to log in",
        {303: Reply("To the OpenID provider.", headers=("Location",))},
        own_errors={400: _PAGE, 503: _LATER},
        parameters=(
            Parameter("client_id", "query", "The wallet.", _TEXT),
            Parameter("request_uri", "query", "What it has pushed.", _TEXT),
        ),
        standard="RFC 9126 section 4",
        tag="login",
    ),
    Operation(
        "getLoginCallback",
        "GET",
        "/login/callback",
        "It comes back, and is sent to the wallet",
        {303: Reply("To the wallet, with a code or an error.", headers=("Location",))},
        own_errors={400: _PAGE},
        parameters=tuple(Parameter(name, "query", "As the provider says.") for name in ("code", "state", "iss")),
        standard="OpenID Connect Core 1.0 section 3.1.2.5",
        tag="login",
    ),
)
ISSUER = Api(
    "Regie issuer",
    "Credentials out of a base register.",
    (*_METADATA, *_LOGIN, *_ISSUANCE, *ASKS, *BOARD),
    {
        "accessToken": {"type": "http", "scheme": "bearer", "description": "From the token endpoint."},
        "boardToken": {"type": "http", "scheme": "bearer", "description": "Made from the seed of a mandate."},
    },
    {
        "metadata": "What can be had here.",
        "login": "From a wallet's request to a code.",
        "issuance": "From an offer to credentials.",
        "status": "Whether credentials still count.",
        "mandates": "Who may act for whom.",
    },
)
