"""OpenID4VP 1.0 under HAIP 1.0, what a wallet does with a request: the link, the signed request object behind it.

A request is for a copy (plain OpenID4VP) or, with one `transaction_data` element of type `urn:regie:consent:1`,
for standing access (protocol section 3). Only what HAIP needs is taken: `x509_hash` client identifiers, requests
by `request_uri`, `direct_post.jwt`. A wallet learns everything about the asker from certificate and trust list,
nothing from `client_metadata`. `request_object.py` makes requests, `direct_post.py` holds the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol import jwe
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import convert, parse_object, sha256
from protocol.dcql import FORMAT, Query, parse_query
from protocol.direct_post import EncryptionKey, check_url, parse_form
from protocol.errors import Rejected
from protocol.jws import parse_jws, verify_jws
from protocol.keys import parse_jwk
from protocol.narrowing import check_element
from protocol.request_object import (
    AUDIENCE,
    CLIENT_ID_PREFIX,
    REQUEST_TYP,
    RESPONSE_MODE,
    RESPONSE_TYPE,
    client_id_of,
)
from protocol.terms import BSN_ATTRIBUTE, ConsentElement, parse_element
from protocol.trust_list import Agency, Service, TrustList, agency_of_leaf
from protocol.x509 import parse_x5c, verify_chain

SCHEMES = ("openid4vp", "haip-vp", "https")
MAX_LINK_CHARS = 4096
MAX_LIFETIME = 3600
"""Seconds between `iat` and `exp` of a request: the ticket in it lives as long (protocol section 7)."""
DEFAULT_LIFETIME = 300
"""Seconds for a request of others that has no `exp`."""
SKEW = 60
_NONCE = re.compile(r"[A-Za-z0-9._~-]{16,512}")
"""URL-safe (section 5.2); 22 characters hold 128 bits, 16 is the least that others may send us."""
_CERT_HASH = re.compile(r"[A-Za-z0-9_-]{43}")


# --- the link --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AuthorizationLink:
    """What a QR or a same-device link carries; nothing in it is trusted before the request object is verified."""

    client_id: str
    request_uri: str
    post: bool
    """Whether to fetch by POST with a `wallet_nonce` (section 5.10)."""


def _check_client_id(value: Any) -> str:
    """Section 5.9.3: an unknown prefix, none at all, and those that allow unsigned requests are refused alike."""
    if not isinstance(value, str) or not value.startswith(CLIENT_ID_PREFIX):
        raise Rejected("invalid_client", "only client identifiers by x509_hash are accepted")
    if not _CERT_HASH.fullmatch(value.removeprefix(CLIENT_ID_PREFIX)):
        raise Rejected("invalid_client", "x509_hash is not a SHA-256 in base64url")
    return value


def build_authorization_url(
    client_id: str, request_uri: str, *, post: bool = True, scheme: str = "openid4vp"
) -> str:
    """The link that a wallet opens (section 5.10)."""
    members = {"client_id": client_id, "request_uri": request_uri}
    if post:
        members["request_uri_method"] = "post"
    return f"{scheme}://?{urlencode(members)}"


def parse_authorization_url(url: str) -> AuthorizationLink:
    """A link by `request_uri`; requests by value are not taken, since HAIP 5.1 does without them.

    Raises `Rejected`: `invalid_request`, `invalid_client`, `invalid_request_uri_method`.
    """
    if len(url) > MAX_LINK_CHARS:
        raise Rejected("too_large", f"link is longer than {MAX_LINK_CHARS} characters")
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in SCHEMES:
        raise Rejected("invalid_request", "not a link for a wallet")
    members = parse_form(rest.partition("?")[2].partition("#")[0])
    if "request" in members or "request_uri" not in members:
        raise Rejected("invalid_request", "a request comes by request_uri")
    client_id = _check_client_id(members.get("client_id"))
    method = members.get("request_uri_method", "get")
    if method not in ("get", "post"):
        raise Rejected("invalid_request_uri_method", "request_uri_method is get or post")
    return AuthorizationLink(client_id, check_url(members["request_uri"], "request_uri"), method == "post")


# --- the request -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VerifiedRequest:
    """A request of a listed agency, made by `verify_request_object` only. Answering MUST look at `exp` again."""

    token: str
    request_hash: bytes
    client_id: str
    agency: Agency
    leaf_name: str
    """Common name in the certificate: with `agency.name` the only names to show."""
    service: Service | None
    """The registered service: of a consent element the one it names, of a copy the narrowest that covers it."""
    consent: ConsentElement | None
    transaction_data: tuple[str, ...]
    query: Query
    nonce: str
    state: str | None
    response_uri: str
    encryption: EncryptionKey
    iat: int
    exp: int

    @property
    def transaction_data_hashes(self) -> tuple[bytes, ...]:
        """SHA-256 of each element as it was sent (appendix B.3.3.1), for the KB-JWT of the named credential."""
        return tuple(sha256(item.encode("ascii")) for item in self.transaction_data)

    @property
    def vcts(self) -> dict[str, str]:
        """First credential type of each DCQL id."""
        return {item.id: item.meta.vct_values[0] for item in self.query.credentials}


class _ClientMetadata(Struct, frozen=True):
    """The members of section 5.1 and 11.1 that a wallet needs; unknown ones are ignored."""

    vp_formats_supported: dict[str, Any]
    jwks: dict[str, Any]
    encrypted_response_enc_values_supported: Sequence[str] = ("A128GCM",)


class _Request(Struct, frozen=True):
    """The members of a request that a wallet reads; unknown ones are ignored (section 5)."""

    client_id: str
    aud: str
    iat: Annotated[int, Meta(ge=0)]
    response_type: str
    response_mode: str
    response_uri: str
    nonce: str
    dcql_query: dict[str, Any]
    client_metadata: _ClientMetadata
    exp: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    nbf: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    state: Annotated[str, Meta(max_length=512)] | UnsetType = UNSET
    wallet_nonce: str | UnsetType = UNSET
    transaction_data: Any = UNSET


_FORBIDDEN = (
    "redirect_uri",
    "expected_origins",
    "presentation_definition",
    "presentation_definition_uri",
    "request",
)
"""With `response_uri` a `redirect_uri` must not stand (section 8.2); origins belong to the browser's API only; the
others are of drafts, whose rules we do not follow."""


def verify_request_object(
    token: str, client_id: str, trust: TrustList, now: int, *, wallet_nonce: str | None = None
) -> VerifiedRequest:
    """Everything a wallet must know before it shows a request (openid4vc.md clause 23), in this order:

    1. size, compact form, `typ`, `alg`, no foreign keys in the header; 2. the client identifier of the link is the
    hash of the leaf; 3. the leaf is not self-signed and chains to a listed agency; 4. signature; 5. no member that
    belongs elsewhere; 6. the same client identifier inside, audience, dates; 7. response type, mode and address;
    8. nonces; 9. query; 10. transaction data; 11. a usable encryption key.
    Does **not** compare with the registration: the caller MUST call `check_registration` as well.
    Raises `Rejected`: `invalid_request`, `invalid_client`, `not_listed`, `expired`, `invalid_transaction_data` and
    those of parsing and signatures.
    """
    jws = parse_jws(token, typ=REQUEST_TYP)  # 1.
    chain = parse_x5c(jws.header.get("x5c"))
    if client_id_of(chain[0]) != _check_client_id(client_id):  # 2.
        raise Rejected("invalid_client", "client_id is not the hash of the certificate")
    agency = agency_of_leaf(trust, chain, now)  # 3.
    leaf = verify_chain(chain, agency.root_certificates, now)
    payload = parse_object(verify_jws(jws, leaf.key))  # 4.
    for name in _FORBIDDEN:  # 5.
        if name in payload:
            raise Rejected("invalid_request", f"{name} does not belong in this request")
    request = convert(payload, _Request)
    if request.client_id != client_id or request.aud != AUDIENCE:  # 6.
        raise Rejected("invalid_client", "the request is of another client or for another audience")
    exp = _check_dates(request, now)
    if request.response_type != RESPONSE_TYPE or request.response_mode != RESPONSE_MODE:  # 7.
        raise Rejected("invalid_request", "only vp_token by direct_post.jwt is answered")
    response_uri = check_url(request.response_uri, "response_uri")
    if not _NONCE.fullmatch(request.nonce):  # 8.
        raise Rejected("invalid_request", "nonce is missing, short or not URL-safe")
    if wallet_nonce is not None and request.wallet_nonce != wallet_nonce:
        raise Rejected("invalid_request", "wallet_nonce does not come back")
    query = parse_query(request.dcql_query)  # 9.
    items, consent = _parse_transaction_data(request.transaction_data, query, agency, trust)  # 10.
    return VerifiedRequest(
        token=token,
        request_hash=sha256(token.encode("ascii")),
        client_id=client_id,
        agency=agency,
        leaf_name=leaf.common_name,
        service=_find_service(agency, trust, query, consent),
        consent=consent,
        transaction_data=items,
        query=query,
        nonce=request.nonce,
        state=None if request.state is UNSET else request.state,
        response_uri=response_uri,
        encryption=_usable_key(request.client_metadata),  # 11.
        iat=request.iat,
        exp=exp,
    )


def _check_dates(request: _Request, now: int) -> int:
    """The end of the request. Lifetime is bounded, so that a request that leaked does not serve for ever."""
    exp = request.iat + DEFAULT_LIFETIME if request.exp is UNSET else request.exp
    if request.iat > now + SKEW or (request.nbf is not UNSET and request.nbf > now + SKEW):
        raise Rejected("not_yet_valid", "the request is from the future")
    if now >= exp:
        raise Rejected("expired", "the request has expired")
    if exp - request.iat > MAX_LIFETIME:
        raise Rejected("invalid_request", f"a request lives at most {MAX_LIFETIME} seconds")
    return exp


def _usable_key(metadata: _ClientMetadata) -> EncryptionKey:
    """The first P-256 key for ECDH-ES, with the best encryption offered; keys of other kinds are passed over."""
    enc = next((e for e in jwe.ENCRYPTIONS if e in metadata.encrypted_response_enc_values_supported), None)
    keys = metadata.jwks.get("keys")
    if enc is None or FORMAT not in metadata.vp_formats_supported or not isinstance(keys, list) or len(keys) > 16:
        raise Rejected("invalid_request", "the verifier does not support our format and encryption")
    for jwk in keys:
        if not isinstance(jwk, dict) or jwk.get("alg") != jwe.ALGORITHM or jwk.get("use", "enc") != "enc":
            continue
        try:
            parse_jwk(jwk)
        except Rejected:
            continue
        return EncryptionKey(jwk, enc)
    raise Rejected("invalid_request", "no key of the request can be encrypted to")


def _parse_transaction_data(
    value: Any, query: Query, agency: Agency, trust: TrustList
) -> tuple[tuple[str, ...], ConsentElement | None]:
    """The elements as sent and the one consent element (section 8.4: whoever does not know a type refuses).

    1. absent, or exactly one; 2. type and members; 3. recipient is the asker; 4. the log is a listed one;
    5. it names queried credentials, each of one type and without claims, so that nothing opens by the query.
    """
    if value is UNSET:
        return (), None
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], str):  # 1.
        raise Rejected("invalid_transaction_data", "exactly one element of a known type is accepted")
    element = parse_element(value[0])  # 2.
    if element.recipient != agency.id:  # 3.
        raise Rejected("invalid_transaction_data", "the recipient is not the agency that asks")
    if trust.log(element.log.origin).url != element.log.url:  # 4.
        raise Rejected("invalid_transaction_data", "the log has another address in the trust list")
    for item in query.credentials:  # 5.
        if item.format != FORMAT or len(item.meta.vct_values) != 1 or item.claims is not UNSET or item.multiple:
            raise Rejected("invalid_transaction_data", "a query of standing access names one type and no claims")
    ids = {item.id for item in query.credentials}
    if query.credential_sets is not UNSET or {claim.credential for claim in element.claims} != ids:
        raise Rejected("invalid_transaction_data", "claims and queries do not name the same credentials")
    return (value[0],), element


def _find_service(
    agency: Agency, trust: TrustList, query: Query, consent: ConsentElement | None
) -> Service | None:
    if consent is not None:
        return trust.service(agency.id, consent.service, consent.service_version)
    covering = [service for service in agency.services if _covers(service, query)]
    return min(covering, key=lambda service: len(service.claims), default=None)


def _covers(service: Service, query: Query) -> bool:
    """Whether every claim of the query is registered for the service, whichever of its types answers."""
    registered = {(claim.vct, *claim.path) for claim in service.claims}
    flags = {name: set(_flags(name)) for item in query.credentials for name in item.meta.vct_values}
    return all(
        (vct, *claim.path) in registered or (len(claim.path) == 1 and claim.path[0] in flags[vct])
        for item in query.credentials
        for vct in item.meta.vct_values
        for claim in item.claims or ()
    )


def _flags(vct: str) -> tuple[str, ...]:
    """Register flags travel with every attribute; a type that we do not know has none."""
    known = CREDENTIAL_TYPES.get(vct)
    return known.flags if known else ()


def check_registration(request: VerifiedRequest) -> Service:
    """The service version under which the request asks nothing too much. For both kinds of request.

    A copy names no service: some registered version of the agency must cover it.
    Raises `Rejected`: `over_asking` 403, which a wallet shows and by default does not pass.
    """
    if request.service is None:
        raise Rejected("over_asking", "no registered service of this agency asks for this", status=403)
    if request.consent is not None:
        check_element(request.consent, request.vcts, request.agency, request.service)
    elif not request.agency.bsn_allowed and any(
        claim.path == [BSN_ATTRIBUTE] for item in request.query.credentials for claim in item.claims or ()
    ):
        raise Rejected("over_asking", "this agency has no right to the burgerservicenummer", status=403)
    return request.service
