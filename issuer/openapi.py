"""What an issuer answers, for `/v1/openapi.json`: every endpoint is defined by a standard."""

from protocol.issuer_metadata import PRE_AUTHORIZED_GRANT, AuthorizationServerMetadata, IssuerMetadata
from protocol.openid4vci import (
    CREDENTIAL_ERRORS,
    NOTIFICATION_ERRORS,
    TOKEN_ERRORS,
    CredentialOffer,
    CredentialRequest,
    CredentialResponse,
    NonceResponse,
    Notification,
    TokenResponse,
)
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
_TOKEN = oauth_error("invalid_token")
_OFFER = Parameter("offer_id", "path", "Which offer.")
_TEXT = {"type": "string", "minLength": 1, "maxLength": 1024}

_METADATA = (
    Operation(
        "getIssuerMetadata",
        "GET",
        "/.well-known/openid-credential-issuer",
        "What can be had here, and where",
        {200: Reply("Credential issuer metadata.", (json_of(IssuerMetadata),), _PUBLIC)},
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
        "A code against an access token",
        {200: Reply("An access token.", (json_of(TokenResponse),))},
        own_errors={400: oauth_error(*sorted(TOKEN_ERRORS))},
        body=(
            Content(
                FORM,
                {
                    "type": "object",
                    "required": ["grant_type", "pre-authorized_code"],
                    "properties": {
                        "grant_type": {"const": PRE_AUTHORIZED_GRANT},
                        "pre-authorized_code": _TEXT,
                        "tx_code": _TEXT,
                    },
                },
            ),
        ),
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
        {200: Reply("As many credentials as proofs.", (json_of(CredentialResponse),))},
        own_errors={400: oauth_error(*sorted(CREDENTIAL_ERRORS)), 401: _TOKEN},
        body=(json_of(CredentialRequest),),
        security=("accessToken",),
        standard=f"{_OPENID4VCI} section 8",
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
ISSUER = Api(
    "Regie issuer",
    "Credentials out of a base register.",
    (*_METADATA, *_ISSUANCE),
    {"accessToken": {"type": "http", "scheme": "bearer", "description": "From the token endpoint."}},
    {
        "metadata": "What can be had here.",
        "issuance": "From an offer to credentials.",
        "status": "Whether credentials still count.",
    },
)
