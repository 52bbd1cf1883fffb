"""Who asks (OpenID4VP 1.0 section 5.9.3, HAIP 1.0 section 5): a listed agency, or a stranger under an anchor.

A listed agency may ask what its services on the trust list name. A stranger has neither OIN nor services: what it
may ask stands in its registration certificate. Either way the certificate says who it is, and nothing else does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.anchors import AnchoredTrust
from protocol.attributes import CREDENTIAL_TYPES
from protocol.dcql import FORMAT, CredentialQuery, PathElement, Query
from protocol.errors import Rejected
from protocol.names import check_name, check_no_double, check_text
from protocol.registration_certificate import (
    VerifiedRegistration,
    is_registered,
    verify_registration_certificate,
)
from protocol.terms import BSN_ATTRIBUTE
from protocol.trust_list import Agency, Service, TrustList, agency_of_leaf
from protocol.x509 import VerifiedLeaf, parse_der_base64, thumbprint_hash, verify_chain

X509_HASH, X509_SAN_DNS = "x509_hash:", "x509_san_dns:"
"""The prefixes that are answered: both need a signed request with a certificate chain (section 5.9.3)."""
MAX_REGISTRATIONS = 4
"""Registration certificates in one request: one is for one intended use."""
_CERT_HASH = re.compile(r"[A-Za-z0-9_-]{43}")
_DNS_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)


@dataclass(frozen=True)
class Asker:
    """Who asks; made only by `verify_asker`. Copies are spent for each `id`.

    `id`: the OIN of a listed agency; of a stranger `x509_san_dns:HOST` if its certificate names one, else its
    client identifier. `name`: the listed one, or a stranger's common name, which was checked (`names.py`).
    `host`: what a stranger's certificate names first. `registration`: what its registrar says that it may ask.
    """

    id: str
    name: str
    host: str | None
    is_listed: bool
    bsn_allowed: bool
    services: tuple[Service, ...] = ()
    registration: VerifiedRegistration | None = None


def check_client_id(value: object) -> str:
    """A client identifier of a kind that is answered, in its only spelling.

    Section 5.9.3: an unknown prefix, none at all, and those that allow unsigned requests are refused alike.
    Raises `Rejected`: `invalid_client`.
    """
    if isinstance(value, str) and value.startswith(X509_HASH):
        if _CERT_HASH.fullmatch(value.removeprefix(X509_HASH)):
            return value
        raise Rejected("invalid_client", "x509_hash is not a SHA-256 in base64url")
    if isinstance(value, str) and value.startswith(X509_SAN_DNS):
        if _DNS_NAME.fullmatch(value.removeprefix(X509_SAN_DNS)):
            return value
        raise Rejected("invalid_client", "x509_san_dns is not a host name in lower case")
    raise Rejected("invalid_client", "only client identifiers by x509_hash and x509_san_dns are accepted")


def verify_asker(
    chain: Sequence[bytes], client_id: str, trust: TrustList, now: int
) -> tuple[Asker, Agency | None, VerifiedLeaf]:
    """Who is behind this chain (DER, leaf first) and client identifier; the agency when it is a listed one.

    1. x509_hash is the hash of the leaf; 2. the chain leads to a listed agency or, failing that, to a root that
    the home's anchors trust for verifiers; 3. x509_san_dns is a dNSName of the leaf; 4. a stranger's name shows
    what it is, and neither its name nor its organization identifier is that of a listed party. **Not** checked:
    any signature by the leaf.
    Raises `Rejected`: `invalid_client`, `not_listed`, `ambiguous_agency`, `misleading_name` and those of chains.
    """
    check_client_id(client_id)
    if client_id.startswith(X509_HASH) and client_id != X509_HASH + thumbprint_hash(chain[0]):  # 1.
        raise Rejected("invalid_client", "client_id is not the hash of the certificate")
    agency = _find_agency(chain, trust, now)  # 2.
    leaf = _verify_leaf(chain, agency, trust, now)
    if client_id.startswith(X509_SAN_DNS) and client_id.removeprefix(X509_SAN_DNS) not in leaf.san_dns:  # 3.
        raise Rejected("invalid_client", "client_id is not a name of the certificate")
    if agency is None:
        return _stranger(leaf, client_id, trust), None, leaf  # 4.
    return Asker(agency.id, agency.name, None, True, agency.bsn_allowed, tuple(agency.services)), agency, leaf


def _find_agency(chain: Sequence[bytes], trust: TrustList, now: int) -> Agency | None:
    """None when no listed agency has this root, and the home has anchors for strangers."""
    try:
        return agency_of_leaf(trust, chain, now)
    except Rejected as error:
        if error.code not in ("not_listed", "untrusted_chain") or not _stranger_roots(trust):
            raise
        return None


def _verify_leaf(chain: Sequence[bytes], agency: Agency | None, trust: TrustList, now: int) -> VerifiedLeaf:
    if agency is not None:
        return verify_chain(chain, agency.root_certificates, now)
    try:
        return verify_chain(chain, _stranger_roots(trust), now)
    except Rejected as error:
        if error.code != "untrusted_chain":
            raise
        raise Rejected("not_listed", "neither the trust list nor this home knows who asks", status=403) from error


def _stranger_roots(trust: TrustList) -> tuple[bytes, ...]:
    if not isinstance(trust, AnchoredTrust):
        return ()
    return tuple(root for verifier in trust.anchors.verifiers for root in verifier.root_certificates)


def _stranger(leaf: VerifiedLeaf, client_id: str, trust: TrustList) -> Asker:
    host = next((name for name in leaf.san_dns if _DNS_NAME.fullmatch(name)), None)
    asker_id = client_id
    if host is not None:
        host = client_id.removeprefix(X509_SAN_DNS) if client_id.startswith(X509_SAN_DNS) else host
        asker_id = X509_SAN_DNS + host
    name = _check_stranger_name(leaf.common_name or host or "", trust)
    if any(agency.id == leaf.organization_id for agency in trust.agencies):
        # Everybody can fetch the agency's registration certificates: they would count for this stranger.
        raise Rejected(
            "misleading_name", "a stranger's certificate names a listed agency; nothing is shown", status=403
        )
    return Asker(asker_id, name, host, is_listed=False, bsn_allowed=False)


def _check_stranger_name(name: str, trust: TrustList) -> str:
    shown = check_name(name)
    check_no_double(shown, [party.name for party in (*trust.agencies, *trust.issuers)])
    return shown


def verify_registrations(
    tokens: Sequence[str], asker: Asker, leaf: VerifiedLeaf, trust: TrustList, now: int
) -> tuple[VerifiedRegistration, ...]:
    """What trusted registrars say of this asker. Certificates under roots that nobody trusts here count for none.

    Raises `Rejected`: `invalid_request` for too many, `misleading_name` for texts that hide something and for a
    stranger that is registered under the name of a listed party, and those of `verify_registration_certificate`:
    one that is false or not the asker's refuses the whole request.
    """
    if len(tokens) > MAX_REGISTRATIONS:
        raise Rejected("invalid_request", "too many registration certificates in one request")
    roots = [parse_der_base64(root) for root in trust.registration_roots]
    subjects = {asker.id} if asker.is_listed else {leaf.organization_id} - {""}
    found = []
    for token in tokens:
        try:
            registration = verify_registration_certificate(token, roots=roots, asker=subjects, now=now)
        except Rejected as error:
            if error.code == "untrusted_chain":
                continue
            raise
        for text in registration.purpose.values():
            check_text(text)
        if not asker.is_listed:
            _check_stranger_name(registration.name, trust)
        found.append(registration)
    return tuple(found)


# --- what may be asked ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """One claim asked, of one type that could answer; the empty path: a card of this type and no attribute."""

    vct: str
    path: tuple[PathElement, ...]
    values: tuple[str | int | bool, ...] = ()


def wanted_of(item: CredentialQuery) -> list[Wanted]:
    """What a credential query asks, of each of its types."""
    claims = [(tuple(claim.path), tuple(claim.values or ())) for claim in item.claims or ()] or [((), ())]
    return [Wanted(vct, path, values) for vct in item.meta.vct_values for path, values in claims]


def registers(service: Service, vct: str, path: Sequence[PathElement]) -> bool:
    """Whether a listed service version registers this claim, or what it is a part of; `()`: the type at all.

    Register flags travel with every attribute of their type, so one registered attribute registers them. A type of
    the vocabulary opens whole attributes, so there a part that is registered does not register the rest.
    """
    claims = [tuple(claim.path) for claim in service.claims if claim.vct == vct]
    known = CREDENTIAL_TYPES.get(vct)
    if not path:
        return bool(claims)
    if known is not None and claims:
        path = path[:1]
        claims += [(flag,) for flag in known.flags]
    return any(claim == tuple(path[: len(claim)]) for claim in claims)


def is_bsn(wanted: Wanted) -> bool:
    """Whether this is the burgerservicenummer, which only the law lets an agency use (Wabb article 10)."""
    return wanted.path[:1] == (BSN_ATTRIBUTE,)


def may_ask(asker: Asker, services: Sequence[Service], wanted: Wanted) -> bool:
    """Whether this claim is registered: for one of these services of a listed asker, and in its certificate.

    The burgerservicenummer only for a service that names the law which allows it. A listed one's certificate that
    names a type of ours covers its register flags, which go along with everything.
    """
    if is_bsn(wanted) and not asker.bsn_allowed:
        return False
    if is_bsn(wanted):
        services = [service for service in services if service.bsn_law is not None]
    if asker.is_listed and not any(registers(service, wanted.vct, wanted.path) for service in services):
        return False
    if asker.registration is None:
        return asker.is_listed
    known = CREDENTIAL_TYPES.get(wanted.vct) if asker.is_listed else None
    if wanted.path and not (known and wanted.path[0] in known.flags):
        return is_registered(asker.registration, wanted.vct, wanted.path, wanted.values or None)
    return any(
        wanted.vct in credential.types and credential.format == FORMAT
        for credential in asker.registration.credentials
    )


def find_service(services: Sequence[Service], query: Query) -> Service | None:
    """The narrowest registered service that covers every claim of the query, whichever of its types answers.

    A service that answers a cohort's question covers no copy: a copy is values, in whoever's hands it comes.
    """
    wanted = [one for item in query.credentials for one in wanted_of(item)]
    open_ones = [service for service in services if service.answers == "values"]
    covering = [service for service in open_ones if all(registers(service, w.vct, w.path) for w in wanted)]
    return min(covering, key=lambda service: len(service.claims), default=None)
