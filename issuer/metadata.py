"""What the issuer says of itself (OpenID4VCI 1.0 section 12.2, 12.3; RFC 8414), built on
`protocol.issuer_metadata`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from issuer.offer import configuration
from protocol.client_attestation import CLIENT_AUTH_METHOD
from protocol.credential_encryption import request_encryption, response_encryption
from protocol.issuer_metadata import (
    PRE_AUTHORIZED_GRANT,
    AuthorizationServerMetadata,
    CredentialConfiguration,
    IssuerMetadata,
    authorization_server_metadata,
    issuer_metadata,
)
from protocol.keys import Es256Public
from protocol.oauth import AUTHORIZATION_CODE_GRANT, CREDENTIAL_DETAIL, REFRESH_TOKEN_GRANT

_ES256 = ["ES256"]
_COLOURS = {"background_color": "#154273", "text_color": "#ffffff"}
_DESCRIPTIONS = {
    "persoon": ("Wie u bent, uit de Basisregistratie Personen", "Who you are, from the Dutch population register"),
    "adres": ("Waar u staat ingeschreven", "Where you are registered"),
    "gezin": ("Uw partner, kinderen en ouders", "Your partner, children and parents"),
    "gezag": (
        "Wie gezag over u heeft, over wie u gezag heeft, en curatele",
        "Who has parental responsibility for you, whom you have it for, and guardianship",
    ),
    "woz": ("Wat uw woning waard is voor de WOZ", "What your home is worth under the property tax act (WOZ)"),
}


def metadata_of_issuer(
    url: str, name: str, encryption: Es256Public, made: Sequence[str], *, has_login: bool
) -> IssuerMetadata:
    """What can be had at `url`: the configurations that are `made` there. Key attestations are taken where wallet
    providers are known: with login.
    """
    base = issuer_metadata(url, name, map(configuration, made))
    configurations = {
        key: _configuration(key, one, has_login=has_login)
        for key, one in base.credential_configurations_supported.items()
    }
    return msgspec.structs.replace(
        base,
        deferred_credential_endpoint=f"{url}/deferred-credential",
        credential_request_encryption=request_encryption(encryption, required=False),
        credential_response_encryption=response_encryption(required=False),
        display=[{"name": name, "locale": "nl-NL"}, {"name": name, "locale": "en-GB"}],
        credential_configurations_supported=configurations,
    )


def _configuration(key: str, base: CredentialConfiguration, *, has_login: bool) -> CredentialConfiguration:
    proofs: dict[str, dict[str, Any]] = {"jwt": {"proof_signing_alg_values_supported": _ES256}}
    if has_login:
        proofs["attestation"] = {"proof_signing_alg_values_supported": _ES256, "key_attestations_required": {}}
    return msgspec.structs.replace(
        base, proof_types_supported=proofs, credential_metadata=_shown(key, base.credential_metadata or {})
    )


def _shown(key: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """How wallets show it: descriptions in the order of the languages of `issuer_metadata`, Dutch and English."""
    described = zip(metadata["display"], _DESCRIPTIONS[key], strict=True)
    return {**metadata, "display": [{**one, "description": text, **_COLOURS} for one, text in described]}


def metadata_of_server(url: str, made: Sequence[str], *, has_login: bool) -> AuthorizationServerMetadata:
    """The OAuth server inside the issuer; without login only codes from the desk lead to a token."""
    common = msgspec.structs.replace(
        authorization_server_metadata(url),
        grant_types_supported=[PRE_AUTHORIZED_GRANT, REFRESH_TOKEN_GRANT],
        dpop_signing_alg_values_supported=_ES256,
    )
    if not has_login:
        return common
    return msgspec.structs.replace(
        common,
        authorization_endpoint=f"{url}/authorize",
        pushed_authorization_request_endpoint=f"{url}/par",
        require_pushed_authorization_requests=True,
        challenge_endpoint=f"{url}/challenge",
        grant_types_supported=[AUTHORIZATION_CODE_GRANT, PRE_AUTHORIZED_GRANT, REFRESH_TOKEN_GRANT],
        response_types_supported=["code"],
        token_endpoint_auth_methods_supported=[CLIENT_AUTH_METHOD, "none"],
        code_challenge_methods_supported=["S256"],
        authorization_response_iss_parameter_supported=True,
        client_attestation_signing_alg_values_supported=_ES256,
        client_attestation_pop_signing_alg_values_supported=_ES256,
        scopes_supported=list(made),
        authorization_details_types_supported=[CREDENTIAL_DETAIL],
    )


def keys_of_issuer(url: str, key: Es256Public) -> dict[str, Any]:
    """`/.well-known/jwt-vc-issuer` (SD-JWT VC section 5)."""
    return {
        "issuer": url,
        "jwks": {"keys": [{**key.jwk(), "alg": "ES256", "use": "sig", "kid": key.thumbprint()}]},
    }
