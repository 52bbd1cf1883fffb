"""What an OpenID4VP request object says (section 5): members, dates and keys, whoever signed it.

`openid4vp.py` verifies the whole; nothing here looks at a signature or a certificate.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol import jwe
from protocol.canonical import convert
from protocol.dcql import FORMAT
from protocol.direct_post import EncryptionKey
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from protocol.registration_certificate import VERIFIER_INFO_FORMAT

MAX_LIFETIME = 3600
"""Seconds between `iat` and `exp` of a request: the ticket in it lives as long (protocol section 7)."""
DEFAULT_LIFETIME = 300
"""Seconds for a request of others that has no `exp`."""
SKEW = 60
MAX_VERIFIER_INFO = 16
"""Entries of `verifier_info`; those of other formats are ignored (section 5.1)."""


class _ClientMetadata(Struct, frozen=True):
    """The members of section 5.1 and 11.1 that a wallet needs; unknown ones are ignored."""

    vp_formats_supported: dict[str, Any]
    jwks: dict[str, Any] = {}
    encrypted_response_enc_values_supported: Sequence[str] = ("A128GCM",)


class _VerifierInfo(Struct, frozen=True):
    """Section 5.1: what others attest of the verifier."""

    format: str
    data: Any
    credential_ids: list[str] | UnsetType = UNSET


class Request(Struct, frozen=True):
    """The members of a request that a wallet reads; unknown ones are ignored (section 5)."""

    client_id: str
    aud: str
    response_type: str
    response_mode: str
    response_uri: str
    nonce: str
    dcql_query: dict[str, Any]
    client_metadata: _ClientMetadata | UnsetType = UNSET
    iat: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    exp: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    nbf: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    state: Annotated[str, Meta(max_length=512)] | UnsetType = UNSET
    wallet_nonce: str | UnsetType = UNSET
    transaction_data: Any = UNSET
    verifier_info: Annotated[list[_VerifierInfo], Meta(min_length=1, max_length=MAX_VERIFIER_INFO)] | UnsetType = (
        UNSET
    )


_FORBIDDEN = (
    "redirect_uri",
    "expected_origins",
    "presentation_definition",
    "presentation_definition_uri",
    "request",
    "request_uri",
    "scope",
)
"""With `response_uri` a `redirect_uri` must not stand (section 8.2); origins belong to the browser's API only; a
query stands in `dcql_query` and not behind a scope; the others are of drafts, whose rules we do not follow."""


def parse_request(payload: Mapping[str, Any]) -> Request:
    """The members of a request object. Raises `Rejected`: `invalid_request`, `bad_form`."""
    for name in _FORBIDDEN:
        if name in payload:
            raise Rejected("invalid_request", f"{name} does not belong in this request")
    return convert(payload, Request)


def check_dates(request: Request, now: int) -> tuple[int, int]:
    """Beginning and end. Lifetime is bounded, so that a request that leaked does not serve for ever.

    RFC 9101 lets a request object go without dates: one that was fetched just now is taken for five minutes.
    """
    iat = now if request.iat is UNSET else request.iat
    exp = iat + DEFAULT_LIFETIME if request.exp is UNSET else request.exp
    if iat > now + SKEW or (request.nbf is not UNSET and request.nbf > now + SKEW):
        raise Rejected("not_yet_valid", "the request is from the future")
    if now >= exp:
        raise Rejected("expired", "the request has expired")
    if exp - iat > MAX_LIFETIME:
        raise Rejected("invalid_request", f"a request lives at most {MAX_LIFETIME} seconds")
    return iat, exp


def find_key(metadata: _ClientMetadata | UnsetType, *, encrypted: bool) -> EncryptionKey | None:
    """The first P-256 key for ECDH-ES, with the best encryption offered; keys of other kinds are passed over.

    None for a plain answer. Raises `Rejected`: `invalid_request`.
    """
    if metadata is UNSET:
        if encrypted:
            raise Rejected("invalid_request", "the verifier names no key to encrypt to")
        return None
    algorithms = metadata.vp_formats_supported.get(FORMAT)
    if not isinstance(algorithms, dict) or not all(_takes_es256(values) for values in algorithms.values()):
        raise Rejected("invalid_request", "the verifier does not support our format and algorithm")
    if not encrypted:
        return None
    enc = next((e for e in jwe.ENCRYPTIONS if e in metadata.encrypted_response_enc_values_supported), None)
    keys = metadata.jwks.get("keys")
    if enc is None or not isinstance(keys, list) or len(keys) > 16:
        raise Rejected("invalid_request", "the verifier does not support our encryption")
    for jwk in keys:
        if not isinstance(jwk, dict) or jwk.get("alg") != jwe.ALGORITHM or jwk.get("use", "enc") != "enc":
            continue
        try:
            parse_jwk(jwk)
        except Rejected:
            continue
        return EncryptionKey(jwk, enc)
    raise Rejected("invalid_request", "no key of the request can be encrypted to")


def _takes_es256(values: Any) -> bool:
    """Of one member of `vp_formats_supported` (appendix B.3.4); members that we do not know say nothing."""
    return not isinstance(values, list) or "ES256" in values


def registration_tokens(request: Request) -> list[str]:
    """The registration certificates among what the verifier brings along. Raises `Rejected`: `invalid_request`."""
    tokens = []
    for entry in request.verifier_info or ():
        if entry.format != VERIFIER_INFO_FORMAT:
            continue
        if not isinstance(entry.data, str):
            raise Rejected("invalid_request", "a registration certificate is a compact JWT")
        tokens.append(entry.data)
    return tokens
