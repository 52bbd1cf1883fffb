"""Receiving credentials (OpenID4VCI 1.0): whom to ask, how, and for how many copies. `accept` judges what comes.

An offer is a stranger's message: nothing is fetched before the trust list, or the home's own anchors, know the
issuer, and everything that is then fetched lies at that issuer or at the OAuth server that it names.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from protocol.anchors import AnchoredTrust, StrangerIssuer
from protocol.attributes import CREDENTIAL_TYPES
from protocol.client_attestation import CLIENT_AUTH_METHOD
from protocol.errors import Rejected
from protocol.formats import FORMATS
from protocol.issuer_metadata import (
    PRE_AUTHORIZED_GRANT,
    AuthorizationServerMetadata,
    CredentialConfiguration,
    IssuerMetadata,
    endpoints_of,
    server_endpoints_of,
)
from protocol.oauth import AUTHORIZATION_CODE_GRANT
from protocol.openid4vci import AuthorizationCodeGrant, CredentialOffer, PreAuthorizedGrant
from protocol.trust_list import TrustedIssuer

MAX_COPIES = 20
"""Of each credential: one is spent for each agency, and twenty agencies are a few years."""
MAX_TITLE = 128
PUBLIC_CLIENT_ID = "regie-wallet"
"""What a server knows us by that wants a name and no attestation."""
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """An issuer that may be asked: of the trust list, or a stranger that this home's owner trusts.

    `roots` (DER): whose chains its signed metadata leads to. `strangers`: the anchors that fit, empty when listed.
    """

    id: str
    name: str
    roots: tuple[bytes, ...]
    vcts: frozenset[str]
    strangers: tuple[StrangerIssuer, ...] = ()

    @property
    def is_listed(self) -> bool:
        """Whether the trust list vouches for it."""
        return not self.strangers

    def may_issue(self, vct: str) -> bool:
        """Whether it may issue this type, whatever it signs."""
        return vct in self.vcts or any(anchor.may_issue(vct) for anchor in self.strangers)


@dataclass(frozen=True)
class Under:
    """The mandate that cards are of: its hash, b64u, and which party of it we are."""

    mandate: str
    party: int


@dataclass(frozen=True)
class Batch:
    """One configuration to ask for, the credential type behind it, and how many copies to ask. `under`: of cards
    of somebody else, who is represented by us.

    `is_bound`: each copy to a key of ours; the one copy of an unbound type is anybody's who has it.
    """

    configuration: str
    vct: str
    copies: int
    format: str = "dc+sd-jwt"
    title: str = ""
    scope: str | None = None
    is_bound: bool = True
    under: Under | None = None


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and authority of a URL, lower case: what must not change between an issuer's documents."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def check_offer_uri(uri: str, trust: AnchoredTrust) -> None:
    """An offer by reference lies at an issuer that is known here, or it is not fetched (security: SSRF, VCI 15.7).

    Raises `Rejected`: `unknown_issuer`.
    """
    named = [anchor.id for anchor in trust.anchors.issuers]
    known = [issuer.id for issuer in trust.issuers] + [url for url in named if url is not None]
    if None not in named and origin_of(uri) not in set(map(origin_of, known)):
        raise _unknown_issuer()


def find_source(issuer_id: str, trust: AnchoredTrust) -> Source:
    """The issuer with this identifier: listed, else by anchors for it or for any. Raises: `unknown_issuer`."""
    try:
        listed: TrustedIssuer = trust.issuer(issuer_id)
        return Source(listed.id, listed.name, listed.root_certificates, frozenset(listed.vcts))
    except Rejected:
        strangers = tuple(one for one in trust.anchors.issuers if one.id in (None, issuer_id))
    if not strangers:
        raise _unknown_issuer()
    roots = tuple(dict.fromkeys(der for one in strangers for der in one.root_certificates))
    return Source(issuer_id, strangers[0].name, roots, frozenset(), strangers)


def _unknown_issuer() -> Rejected:
    return Rejected(
        "unknown_issuer", "this offer is not of an issuer on your trust list; do not use it", status=403
    )


def choose_grant(offer: CredentialOffer, tx_code: str | None) -> PreAuthorizedGrant | AuthorizationCodeGrant:
    """How to get what is offered: with the code in the offer, once the resident gave the one that guards it; else
    by logging in, which is also the way where an offer names no grant (4.1.1).

    Raises `Rejected`: `need_tx_code`.
    """
    grants = offer.grants
    code = grants.pre_authorized if grants else None
    if code is None:
        return (grants and grants.authorization_code) or AuthorizationCodeGrant()
    if code.tx_code is not None and tx_code is None:
        raise Rejected("need_tx_code", "the issuer gave you a code for this offer; add it with --tx-code")
    return code


def choose_server(metadata: IssuerMetadata, named: str | None, source: Source) -> str:
    """The OAuth server to use: the issuer itself unless it names others; of several the one that the offer hints
    at (12.2.4), else the first. That of a listed issuer lies at its address. Raises `Rejected`: `bad_metadata`.
    """
    servers = metadata.authorization_servers or [metadata.credential_issuer]
    if named is not None and named not in servers:
        raise Rejected("bad_metadata", "the offer names a server that the issuer does not name")
    chosen = named or servers[0]
    if source.is_listed and origin_of(chosen) != origin_of(source.id):
        raise Rejected("bad_metadata", "the issuer names a server at somebody else's address")
    return chosen


def check_endpoints(metadata: IssuerMetadata, server: AuthorizationServerMetadata, source: Source) -> None:
    """Every endpoint lies at the issuer itself, so that codes and tokens go nowhere else. A stranger may have its
    OAuth server elsewhere, where it names it; that one's endpoints lie there. Raises `Rejected`: `bad_metadata`.
    """
    home = origin_of(source.id)
    at_server = home if source.is_listed else origin_of(server.issuer)
    strays = [url for url in endpoints_of(metadata) if origin_of(url) != home]
    strays += [url for url in server_endpoints_of(server) if origin_of(url) != at_server]
    if strays:
        raise Rejected("bad_metadata", "the issuer names an endpoint at somebody else's address")


def check_server(server: AuthorizationServerMetadata, *, login: bool) -> None:
    """Whether the server can do what we are about to ask; a login only as HAIP 4 says: PAR, PKCE, `iss`, DPoP.

    Raises `Rejected`: `bad_metadata`.
    """
    grants = server.grant_types_supported
    wanted = AUTHORIZATION_CODE_GRANT if login else PRE_AUTHORIZED_GRANT
    if grants is not None and wanted not in grants:
        raise Rejected("bad_metadata", "the issuer's server does not know this way of getting a token")
    if not login:
        return
    methods = server.code_challenge_methods_supported
    lacking = {
        "pushed requests": server.pushed_authorization_request_endpoint is None,
        "an authorization endpoint": server.authorization_endpoint is None,
        "PKCE with S256": "S256" not in (methods or ()),  # left out, it has no PKCE (RFC 8414 2)
        "iss in its answers": server.authorization_response_iss_parameter_supported is False,
        "DPoP": not has_dpop(server),
    }
    for what, is_lacking in lacking.items():
        if is_lacking:
            raise Rejected("bad_metadata", f"the issuer's server does not offer {what}, so logging in is not safe")


def has_dpop(server: AuthorizationServerMetadata) -> bool:
    """Whether the server binds tokens to our key."""
    return "ES256" in (server.dpop_signing_alg_values_supported or [])


def wants_attestation(server: AuthorizationServerMetadata, *, login: bool) -> bool:
    """Whether to authenticate by wallet attestation; not for a code in an offer where anonymous access will do."""
    supported = CLIENT_AUTH_METHOD in (server.token_endpoint_auth_methods_supported or [])
    for algorithms in (
        server.client_attestation_signing_alg_values_supported,
        server.client_attestation_pop_signing_alg_values_supported,
    ):
        supported = supported and (algorithms is None or "ES256" in algorithms)
    return supported and (login or not server.pre_authorized_anonymous)


def plan_batches(
    metadata: IssuerMetadata, names: Iterable[str], source: Source, under: Under | None = None
) -> tuple[Batch, ...]:
    """What to ask: each configuration is in the metadata, in a format that we know, of a type that this issuer may
    issue, bound to keys as we prove them.

    Raises `Rejected`: `unknown_credential`, `vct_not_allowed`, `key_attestation_required`, `bad_metadata`.
    """
    if source.is_listed and metadata.nonce_endpoint is None:
        raise Rejected("bad_metadata", "the issuer has no nonce endpoint")
    size = metadata.batch_credential_issuance.batch_size if metadata.batch_credential_issuance else 1
    planned = (_plan(name, metadata, source, min(size, MAX_COPIES)) for name in names)
    return tuple(replace(batch, under=under) for batch in planned)


def _plan(name: str, metadata: IssuerMetadata, source: Source, copies: int) -> Batch:
    found = metadata.credential_configurations_supported.get(name)
    if found is None or found.format not in FORMATS or found.vct is None or not name.isprintable():
        raise Rejected("unknown_credential", "the offer holds a credential that this wallet does not know")
    if source.is_listed and found.vct not in CREDENTIAL_TYPES:
        raise Rejected("unknown_credential", "the offer holds a credential that this wallet does not know")
    if not source.may_issue(found.vct):
        raise Rejected("vct_not_allowed", "this issuer may not issue what it offers", status=403)
    is_bound = _is_bound(found)
    if source.is_listed and not is_bound:
        raise Rejected("bad_metadata", "the issuer does not bind its credentials to keys")
    title = "" if found.vct in CREDENTIAL_TYPES else _title(found)
    return Batch(name, found.vct, copies if is_bound else 1, found.format, title, found.scope, is_bound)


def _is_bound(configuration: CredentialConfiguration) -> bool:
    """We prove keys by JWT and hold them in software, which no key attestation would make better (appendix D)."""
    proofs = configuration.proof_types_supported
    if proofs is None:
        return configuration.cryptographic_binding_methods_supported is not None
    jwt = proofs.get("jwt", {})
    algorithms = jwt.get("proof_signing_alg_values_supported")
    if not isinstance(algorithms, list) or "ES256" not in algorithms:
        raise Rejected(
            "unknown_credential", "the issuer wants keys proven in a way that this wallet does not know"
        )
    if jwt.get("key_attestations_required") is not None:
        raise Rejected(
            "key_attestation_required",
            "the issuer wants keys in certified hardware; this wallet has them in software",
        )
    return True


def _title(configuration: CredentialConfiguration) -> str:
    """What the issuer calls the card: Dutch, else English, else the first; control characters left out."""
    display = (configuration.credential_metadata or {}).get("display")
    entries = [entry for entry in display if isinstance(entry, dict)] if isinstance(display, list) else []

    def rank(entry: dict[str, object]) -> int:
        locale = str(entry.get("locale", ""))[:2].lower()
        return ("nl", "en").index(locale) if locale in ("nl", "en") else 2

    names = [entry.get("name") for entry in sorted(entries, key=rank)]
    name = next((text for text in names if isinstance(text, str)), "")
    return "".join(char for char in name[:MAX_TITLE] if char.isprintable())
