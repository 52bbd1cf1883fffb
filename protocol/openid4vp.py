"""OpenID4VP 1.0 under HAIP 1.0, what a wallet does with a request: the link, the signed request object behind it.

A request is for a copy (plain OpenID4VP) or, with one `transaction_data` element of type `urn:regie:consent:1`,
for standing access (protocol section 3). Taken are signed requests by `request_uri` of askers with a certificate
(`asker.py`), answered by `direct_post.jwt` or `direct_post`. A wallet learns everything about the asker from
certificate, trust list and registration certificate, nothing from `client_metadata`. `request_object.py` makes
requests, `direct_post.py` holds the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from urllib.parse import urlencode, urlsplit

from msgspec import UNSET

from protocol.asker import (
    X509_SAN_DNS,
    Asker,
    Wanted,
    check_client_id,
    find_service,
    is_bsn,
    may_ask,
    verify_asker,
    verify_registrations,
    wanted_of,
)
from protocol.canonical import parse_object, sha256
from protocol.dcql import FORMAT, Query, parse_query
from protocol.direct_post import EncryptionKey, check_url, parse_form
from protocol.errors import Rejected
from protocol.jws import parse_jws, verify_jws
from protocol.narrowing import check_element
from protocol.registration_certificate import VerifiedRegistration
from protocol.request_form import Request, check_dates, find_key, parse_request, registration_tokens
from protocol.request_object import AUDIENCE, REQUEST_TYP, RESPONSE_TYPE
from protocol.terms import ConsentElement, parse_element
from protocol.trust_list import Agency, Service, TrustList
from protocol.x509 import parse_x5c

SCHEMES = ("openid4vp", "haip-vp", "https")
ENCRYPTED, PLAIN = "direct_post.jwt", "direct_post"
"""The response modes that are answered (section 8.2, 8.3.1). HAIP 5.1 has the first one only."""
MAX_LINK_CHARS = 4096
_NONCE = re.compile(r"[A-Za-z0-9._~-]{16,512}")
"""URL-safe (section 5.2); 22 characters hold 128 bits, 16 is the least that others may send us."""


# --- the link --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AuthorizationLink:
    """What a QR or a same-device link carries; nothing in it is trusted before the request object is verified."""

    client_id: str
    request_uri: str
    post: bool
    """Whether to fetch by POST with a `wallet_nonce` (section 5.10)."""


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
    client_id = check_client_id(members.get("client_id"))
    method = members.get("request_uri_method", "get")
    if method not in ("get", "post"):
        raise Rejected("invalid_request_uri_method", "request_uri_method is get or post")
    return AuthorizationLink(client_id, check_url(members["request_uri"], "request_uri"), method == "post")


# --- the request -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VerifiedRequest:
    """A request of somebody known, made by `verify_request_object` only. Answering MUST look at `exp` again.

    `agency`: the listed one that asks, None for a stranger. `service`: of a consent element the one it names, of a
    copy the narrowest that covers it, None when none does. `encryption`: None when the answer goes plain.
    """

    token: str
    request_hash: bytes
    client_id: str
    asker: Asker
    agency: Agency | None
    service: Service | None
    consent: ConsentElement | None
    transaction_data: tuple[str, ...]
    query: Query
    nonce: str
    state: str | None
    response_uri: str
    encryption: EncryptionKey | None
    iat: int
    exp: int

    @property
    def transaction_data_hashes(self) -> tuple[bytes, ...]:
        """SHA-256 of each element as it was sent (appendix B.3.3.1), for the KB-JWT of the named credential."""
        return tuple(sha256(item.encode("ascii")) for item in self.transaction_data)

    @property
    def vcts(self) -> dict[str, str]:
        """First credential type of each DCQL id; queries for formats that we do not know have none."""
        return {item.id: item.meta.vct_values[0] for item in self.query.credentials if item.meta.vct_values}

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Every claim that is asked, of each type that could answer."""
        return _wanted(self.query, self.consent)

    def allows(self, wanted: Wanted) -> bool:
        """Whether the asker registered this claim; for the service of the request when there is one."""
        services = self.asker.services if self.service is None else (self.service,)
        return may_ask(self.asker, services, wanted)


def verify_request_object(
    token: str, client_id: str, trust: TrustList, now: int, *, wallet_nonce: str | None = None
) -> VerifiedRequest:
    """Everything a wallet must know before it shows a request (OpenID4VP 1.0 section 5), in this order:

    1. size, compact form, `typ`, `alg`, no foreign keys in the header; 2. the chain leads to a listed agency or to
    a root that the home trusts, its leaf is that of the client identifier (`verify_asker`); 3. signature; 4. no
    member that belongs elsewhere; 5. the same client identifier inside, audience, dates; 6. response type, mode
    and address, which by x509_san_dns lies at the host of the certificate; 7. nonces; 8. query; 9. transaction
    data; 10. an encryption key that can be used, where the answer is to be encrypted; 11. what registrars say.
    Does **not** compare with the registration: the caller MUST call `check_registration` as well.
    Raises `Rejected`: `invalid_request`, `invalid_client`, `not_listed`, `misleading_name`, `expired`,
    `invalid_transaction_data` and those of parsing, signatures and registration certificates.
    """
    jws = parse_jws(token, typ=REQUEST_TYP)  # 1.
    chain = parse_x5c(jws.header.get("x5c"))
    asker, agency, leaf = verify_asker(chain, client_id, trust, now)  # 2.
    payload = parse_object(verify_jws(jws, leaf.key))  # 3.
    request = parse_request(payload)  # 4.
    if request.client_id != client_id or request.aud != AUDIENCE:  # 5.
        raise Rejected("invalid_client", "the request is of another client or for another audience")
    iat, exp = check_dates(request, now)
    if request.response_type != RESPONSE_TYPE or request.response_mode not in (ENCRYPTED, PLAIN):  # 6.
        raise Rejected("invalid_request", "only vp_token by direct_post.jwt or direct_post is answered")
    response_uri = _check_response_uri(request.response_uri, client_id)
    if not _NONCE.fullmatch(request.nonce):  # 7.
        raise Rejected("invalid_request", "nonce is missing, short or not URL-safe")
    if wallet_nonce is not None and request.wallet_nonce != wallet_nonce:
        raise Rejected("invalid_request", "wallet_nonce does not come back")
    query = parse_query(request.dcql_query)  # 8.
    items, consent = _parse_transaction_data(request, query, agency, trust)  # 9.
    encryption = find_key(request.client_metadata, encrypted=request.response_mode == ENCRYPTED)  # 10.
    registrations = verify_registrations(registration_tokens(request), asker, leaf, trust, now)  # 11.
    asker = _with_registration(asker, registrations, _wanted(query, consent))
    return VerifiedRequest(
        token=token,
        request_hash=sha256(token.encode("ascii")),
        client_id=client_id,
        asker=asker,
        agency=agency,
        service=_service_of(asker, trust, query, consent),
        consent=consent,
        transaction_data=items,
        query=query,
        nonce=request.nonce,
        state=None if request.state is UNSET else request.state,
        response_uri=response_uri,
        encryption=encryption,
        iat=iat,
        exp=exp,
    )


def _check_response_uri(value: str, client_id: str) -> str:
    """Section 5.9.3: whom a certificate names by x509_san_dns gets the answer at that host and nowhere else."""
    uri = check_url(value, "response_uri")
    if client_id.startswith(X509_SAN_DNS) and urlsplit(uri).hostname != client_id.removeprefix(X509_SAN_DNS):
        raise Rejected("invalid_request", "response_uri lies at another host than the certificate names")
    return uri


def _parse_transaction_data(
    request: Request, query: Query, agency: Agency | None, trust: TrustList
) -> tuple[tuple[str, ...], ConsentElement | None]:
    """The elements as sent and the one consent element (section 8.4: whoever does not know a type refuses).

    1. absent, or exactly one; 2. type and members; 3. recipient is the listed agency that asks; 4. the log is a
    listed one; 5. it names queried credentials, each of one type and without claims, so that nothing opens by the
    query; 6. the request has an end, and its answer is encrypted.
    """
    value = request.transaction_data
    if value is UNSET:
        return (), None
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], str):  # 1.
        raise Rejected("invalid_transaction_data", "exactly one element of a known type is accepted")
    element = parse_element(value[0])  # 2.
    if agency is None or element.recipient != agency.id:  # 3.
        raise Rejected("invalid_transaction_data", "the recipient is not the agency that asks")
    if trust.log(element.log.origin).url != element.log.url:  # 4.
        raise Rejected("invalid_transaction_data", "the log has another address in the trust list")
    for item in query.credentials:  # 5.
        if item.format != FORMAT or len(item.meta.vct_values) != 1 or item.claims is not UNSET or item.multiple:
            raise Rejected("invalid_transaction_data", "a query of standing access names one type and no claims")
    ids = {item.id for item in query.credentials}
    if query.credential_sets is not UNSET or {claim.credential for claim in element.claims} != ids:
        raise Rejected("invalid_transaction_data", "claims and queries do not name the same credentials")
    if request.iat is UNSET or request.response_mode != ENCRYPTED:  # 6.
        raise Rejected("invalid_request", "a request for standing access has a date and an encrypted answer")
    return (value[0],), element


def _wanted(query: Query, consent: ConsentElement | None) -> tuple[Wanted, ...]:
    if consent is None:
        return tuple(wanted for item in query.credentials for wanted in wanted_of(item))
    vcts = {item.id: item.meta.vct_values[0] for item in query.credentials}
    return tuple(Wanted(vcts[claim.credential], tuple(claim.path)) for claim in consent.claims)


def _with_registration(
    asker: Asker, registrations: Sequence[VerifiedRegistration], wanted: Sequence[Wanted]
) -> Asker:
    """One intended use has to cover the whole request: the certificate that does, else the first one."""
    candidates = [changed(asker, registration=registration) for registration in registrations]
    covering = (one for one in candidates if all(may_ask(one, one.services, item) for item in wanted))
    return next(covering, next(iter(candidates), asker))


def _service_of(asker: Asker, trust: TrustList, query: Query, consent: ConsentElement | None) -> Service | None:
    if consent is not None:
        return trust.service(asker.id, consent.service, consent.service_version)
    return find_service(asker.services, query)


def check_registration(request: VerifiedRequest, *, unregistered: bool = False) -> Service | None:
    """That the request asks nothing too much, for both kinds of request; of a listed agency the service version.

    A copy names no service: some registered version of the agency must cover it. A stranger needs a registration
    certificate that covers it, or `unregistered`: the resident's word that none is needed. What a certificate
    does not cover, and the burgerservicenummer, no such word lets pass.
    Raises `Rejected`: `over_asking` 403, which a wallet shows and by default does not pass.
    """
    if request.consent is not None and request.agency is not None and request.service is not None:
        check_element(request.consent, request.vcts, request.agency, request.service)
    elif request.asker.is_listed and request.service is None:
        raise Rejected("over_asking", "no registered service of this agency asks for this", status=403)
    for wanted in request.wanted:
        if not request.allows(wanted):
            _refuse(request, wanted, unregistered=unregistered)
    return request.service


def _refuse(request: VerifiedRequest, wanted: Wanted, *, unregistered: bool) -> None:
    if is_bsn(wanted):
        raise Rejected("over_asking", "this asker has no right to the burgerservicenummer", status=403)
    if request.asker.is_listed or request.asker.registration is not None:
        raise Rejected("over_asking", "the asker has not registered that it asks for this", status=403)
    if not unregistered:
        raise Rejected("over_asking", "a stranger asks without a registration that we can check", status=403)
