"""Issuer and authorization server metadata (OpenID4VCI 1.0 section 12, RFC 8414): built by ours, read from others.

Unlike in our own formats, members that we do not know are ignored, for that is what both specifications say; what
we do know must have its form, and the JSON reader is the strict one all the same.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from protocol.attributes import CredentialType
from protocol.canonical import convert, parse_json
from protocol.errors import Rejected

PRE_AUTHORIZED_GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
CREDENTIAL_FORMAT = "dc+sd-jwt"
BATCH_SIZE = 30
"""Most copies of one credential in one request: enough for a few years of agencies, and half a second to sign."""
MAX_METADATA_BYTES = 256 * 1024
MAX_URL = 1024
_AUTHORITY = re.compile(r"(?:[^\[\]\\]+|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?)\Z")
"""Brackets around an IPv6 address and nowhere else, and no backslash: readers differ on whose `evil[::1]` is."""
T = TypeVar("T")


class BatchIssuance(msgspec.Struct, frozen=True):
    batch_size: int


class CredentialConfiguration(msgspec.Struct, frozen=True, omit_defaults=True):
    """One credential that an issuer can make (12.2.4, A.3); only `dc+sd-jwt` is of use to us."""

    format: str
    vct: str | None = None
    scope: str | None = None
    cryptographic_binding_methods_supported: list[str] | None = None
    credential_signing_alg_values_supported: list[str | int] | None = None
    proof_types_supported: dict[str, dict[str, Any]] | None = None
    credential_metadata: dict[str, Any] | None = None


class KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class RequestEncryption(msgspec.Struct, frozen=True, omit_defaults=True):
    """How credential requests may, or must, be encrypted (10, 12.2.4); each key has a `kid`."""

    jwks: KeySet
    enc_values_supported: list[str]
    encryption_required: bool
    zip_values_supported: list[str] | None = None


class ResponseEncryption(msgspec.Struct, frozen=True, omit_defaults=True):
    """How credential responses may, or must, be encrypted (10, 12.2.4)."""

    alg_values_supported: list[str]
    enc_values_supported: list[str]
    encryption_required: bool
    zip_values_supported: list[str] | None = None


class IssuerMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """`/.well-known/openid-credential-issuer` (12.2.4)."""

    credential_issuer: str
    credential_endpoint: str
    credential_configurations_supported: dict[str, CredentialConfiguration]
    nonce_endpoint: str | None = None
    deferred_credential_endpoint: str | None = None
    notification_endpoint: str | None = None
    credential_request_encryption: RequestEncryption | None = None
    credential_response_encryption: ResponseEncryption | None = None
    authorization_servers: list[str] | None = None
    batch_credential_issuance: BatchIssuance | None = None
    display: list[dict[str, Any]] | None = None


class AuthorizationServerMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """`/.well-known/oauth-authorization-server` (RFC 8414, VCI 12.3; members of RFC 9126, 9207, 9449, 9396 and of
    attestation-based client authentication).
    """

    issuer: str
    token_endpoint: str | None = None
    authorization_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    require_pushed_authorization_requests: bool | None = None
    challenge_endpoint: str | None = None
    grant_types_supported: list[str] | None = None
    pre_authorized_anonymous: bool | None = msgspec.field(
        name="pre-authorized_grant_anonymous_access_supported", default=None
    )
    response_types_supported: list[str] | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool | None = None
    dpop_signing_alg_values_supported: list[str] | None = None
    client_attestation_signing_alg_values_supported: list[str] | None = None
    client_attestation_pop_signing_alg_values_supported: list[str] | None = None
    scopes_supported: list[str] | None = None
    authorization_details_types_supported: list[str] | None = None


def parse_foreign(data: bytes | str, kind: type[T], code: str, max_bytes: int) -> T:
    """A message of somebody else: strict JSON, known members of their form; every fault has the one `code`."""
    try:
        return convert(parse_json(data, max_bytes=max_bytes, floats=True), kind)
    except Rejected as error:
        raise Rejected(code, error.detail) from error


def check_url(url: str, code: str) -> None:
    """An http(s) URL with a host, without user, query or fragment where an identifier must be plain.

    **Not** whether http may be used or the host may be reached: that is decided where the fetch is made.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc
        plain = plain and _AUTHORITY.match(parts.netloc) is not None
        _ = parts.port
    except ValueError as error:
        raise Rejected(code, "not a URL") from error
    if not plain or parts.fragment or len(url) > MAX_URL or not url.isascii() or not url.isprintable():
        raise Rejected(code, "not an http(s) URL")


def well_known_url(issuer: str, name: str) -> str:
    """Address of a metadata document: `/.well-known/{name}` between host and path (12.2.2, RFC 8414 3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.rstrip('/')}"


def issuer_metadata(issuer: str, name: str, types: Iterable[CredentialType]) -> IssuerMetadata:
    """Metadata of our issuer for the credential types it makes."""
    return IssuerMetadata(
        credential_issuer=issuer,
        credential_endpoint=f"{issuer}/credential",
        nonce_endpoint=f"{issuer}/nonce",
        notification_endpoint=f"{issuer}/notification",
        batch_credential_issuance=BatchIssuance(BATCH_SIZE),
        display=[{"name": name, "locale": "nl-NL"}],
        credential_configurations_supported={kind.configuration_id: _configuration(kind) for kind in types},
    )


def _configuration(kind: CredentialType) -> CredentialConfiguration:
    return CredentialConfiguration(
        format=CREDENTIAL_FORMAT,
        vct=kind.vct,
        scope=kind.configuration_id,
        cryptographic_binding_methods_supported=["jwk"],
        credential_signing_alg_values_supported=["ES256"],
        proof_types_supported={"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
        credential_metadata={
            "display": _display(kind.label_nl, kind.label_en),
            "claims": [{"path": [a.name], "display": _display(a.label_nl, a.label_en)} for a in kind.attributes],
        },
    )


def _display(label_nl: str, label_en: str) -> list[dict[str, str]]:
    return [{"name": label_nl, "locale": "nl-NL"}, {"name": label_en, "locale": "en-GB"}]


def authorization_server_metadata(issuer: str) -> AuthorizationServerMetadata:
    """Metadata of the OAuth server inside our issuer: one grant, no client authentication."""
    return AuthorizationServerMetadata(
        issuer=issuer,
        token_endpoint=f"{issuer}/token",
        grant_types_supported=[PRE_AUTHORIZED_GRANT],
        pre_authorized_anonymous=True,
        response_types_supported=[],
        token_endpoint_auth_methods_supported=["none"],
    )


def endpoints_of(metadata: IssuerMetadata) -> tuple[str, ...]:
    """Every endpoint of the issuer that is there."""
    urls = (
        metadata.credential_endpoint,
        metadata.nonce_endpoint,
        metadata.deferred_credential_endpoint,
        metadata.notification_endpoint,
    )
    return tuple(url for url in urls if url is not None)


def server_endpoints_of(metadata: AuthorizationServerMetadata) -> tuple[str, ...]:
    """Every endpoint of the OAuth server that is there."""
    urls = (
        metadata.token_endpoint,
        metadata.authorization_endpoint,
        metadata.pushed_authorization_request_endpoint,
        metadata.challenge_endpoint,
    )
    return tuple(url for url in urls if url is not None)


def parse_issuer_metadata(data: bytes | str, issuer: str) -> IssuerMetadata:
    """1. form; 2. `credential_issuer` is the very string that was asked for (12.2.1); 3. endpoints are URLs.

    Raises `Rejected`: `bad_metadata`.
    """
    metadata = parse_foreign(data, IssuerMetadata, "bad_metadata", MAX_METADATA_BYTES)
    if metadata.credential_issuer != issuer:
        raise Rejected("bad_metadata", "credential_issuer is not the issuer that was asked")
    for url in endpoints_of(metadata):
        check_url(url, "bad_metadata")
    batch = metadata.batch_credential_issuance
    if batch is not None and batch.batch_size < 2:
        raise Rejected("bad_metadata", "batch_size is at least 2")
    return metadata


def parse_authorization_server_metadata(data: bytes | str, issuer: str) -> AuthorizationServerMetadata:
    """1. form; 2. `issuer` is the very string that was asked for (RFC 8414 3.3); 3. the token endpoint is a URL.

    Raises `Rejected`: `bad_metadata`.
    """
    metadata = parse_foreign(data, AuthorizationServerMetadata, "bad_metadata", MAX_METADATA_BYTES)
    if metadata.issuer != issuer:
        raise Rejected("bad_metadata", "issuer is not the server that was asked")
    if metadata.token_endpoint is None:
        raise Rejected("bad_metadata", "there is no token endpoint")
    for url in server_endpoints_of(metadata):
        check_url(url, "bad_metadata")
    return metadata
