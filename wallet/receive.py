"""Receiving credentials (OpenID4VCI 1.0, pre-authorized code): whom to ask, how many copies, what to accept.

An offer is a stranger's message: nothing is fetched before the trust list knows the issuer, and everything that is
then fetched lies at that issuer. An issuer may lie too: no credential is accepted before it is verified whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from protocol.attributes import CREDENTIAL_TYPES
from protocol.credential import VerifiedCredential, verify_credential
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from protocol.issuer_metadata import CREDENTIAL_FORMAT, AuthorizationServerMetadata, IssuerMetadata
from protocol.keys import Es256Public
from protocol.openid4vci import CredentialOffer, PreAuthorizedGrant
from protocol.trust_list import TrustedIssuer, TrustList
from wallet.choose import claims_of
from wallet.records import Copy

MAX_COPIES = 20
"""Of each credential: one is spent for each agency, and twenty agencies are a few years."""


@dataclass(frozen=True)
class Batch:
    """One configuration of the offer, the credential type behind it, and how many copies to ask."""

    configuration: str
    vct: str
    copies: int


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and authority of a URL, lower case: what must not change between an issuer's documents."""
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def check_offer_uri(uri: str, trust: TrustList) -> None:
    """An offer by reference lies at a listed issuer, or it is not fetched. Raises `Rejected`: `unknown_issuer`."""
    if origin_of(uri) not in {origin_of(issuer.id) for issuer in trust.issuers}:
        raise _unknown_issuer()


def check_offer(offer: CredentialOffer, trust: TrustList) -> TrustedIssuer:
    """The listed issuer that the offer names. Raises `Rejected`: `unknown_issuer`."""
    try:
        return trust.issuer(offer.credential_issuer)
    except Rejected as error:
        raise _unknown_issuer() from error


def _unknown_issuer() -> Rejected:
    return Rejected(
        "unknown_issuer", "this offer is not of an issuer on your trust list; do not use it", status=403
    )


def check_code(offer: CredentialOffer, tx_code: str | None) -> PreAuthorizedGrant:
    """The grant of the offer, once the resident gave the code it asks.

    Raises `Rejected`: `bad_offer`, `need_tx_code`.
    """
    grant = offer.grants.pre_authorized if offer.grants else None
    if grant is None:
        raise Rejected("bad_offer", "the offer holds no code; ask the issuer for a new one")
    if grant.tx_code is not None and tx_code is None:
        raise Rejected("need_tx_code", "the issuer gave you a code for this offer; add it with --tx-code")
    return grant


def plan_batches(
    metadata: IssuerMetadata, server: AuthorizationServerMetadata, offer: CredentialOffer, issuer: TrustedIssuer
) -> tuple[Batch, ...]:
    """What to ask. 1. every endpoint lies at the issuer itself, so that codes and tokens go nowhere else; 2. each
    configuration offered is in the metadata and 3. a type that we know, in our format, which the issuer may issue.

    Raises `Rejected`: `bad_metadata`, `unknown_credential`, `vct_not_allowed`.
    """
    endpoints = (
        metadata.credential_endpoint,
        metadata.nonce_endpoint,
        metadata.notification_endpoint,
        server.token_endpoint,
    )
    if any(origin_of(url) != origin_of(issuer.id) for url in endpoints if url is not None):  # 1.
        raise Rejected("bad_metadata", "the issuer names an endpoint at somebody else's address")
    if metadata.nonce_endpoint is None:
        raise Rejected("bad_metadata", "the issuer has no nonce endpoint")
    size = metadata.batch_credential_issuance.batch_size if metadata.batch_credential_issuance else 1
    batches = []
    for name in offer.credential_configuration_ids:
        found = metadata.credential_configurations_supported.get(name)  # 2.
        if found is None or found.format != CREDENTIAL_FORMAT or found.vct not in CREDENTIAL_TYPES:  # 3.
            raise Rejected("unknown_credential", "the offer holds a credential that this wallet does not know")
        if found.vct not in issuer.vcts:
            raise Rejected("vct_not_allowed", "this issuer may not issue what it offers", status=403)
        batches.append(Batch(name, found.vct, min(size, MAX_COPIES)))
    return tuple(batches)


def verify_batch(
    credentials: Sequence[str],
    keys: Sequence[Es256Public],
    batch: Batch,
    issuer: TrustedIssuer,
    trust: TrustList,
    now: int,
) -> tuple[VerifiedCredential, ...]:
    """Every copy of one type, or none (openid4vc.md clause 22).

    1. a copy for each key; 2. each verifies (`verify_credential`: chain to the listed issuer, dates, all and only
    the attributes of the type, each in a disclosure of its own); 3. it is of this issuer and of the type that was
    asked for; 4. it is bound to the key that was proven for it; 5. the copies say the same, 6. and have nothing by
    which two agencies could link them: no common salt, status index or set, no dates of their own.
    Raises `Rejected`: `wrong_number`, `wrong_issuer`, `wrong_vct`, `wrong_key`, `differing_copies`,
    `linkable_copies` and those of `verify_credential`.
    """
    if len(credentials) != len(keys):  # 1.
        raise Rejected("wrong_number", "the issuer sent another number of copies than asked for")
    verified = tuple(verify_credential(credential, trust, now) for credential in credentials)  # 2.
    for copy, key in zip(verified, keys, strict=True):
        if copy.issuer_jwt.iss != issuer.id:  # 3.
            raise Rejected("wrong_issuer", "the credential is of another issuer than the offer")
        if copy.issuer_jwt.vct != batch.vct:
            raise Rejected("wrong_vct", "the credential is of another type than the one asked for")
        if copy.issuer_jwt.holder != key:  # 4.
            raise Rejected("wrong_key", "the credential is bound to a key that is not yours")
    if any(copy.claims != verified[0].claims for copy in verified):  # 5.
        raise Rejected("differing_copies", "the copies of one credential do not say the same")
    _check_unlinkable(verified)  # 6.
    return verified


def _check_unlinkable(copies: Sequence[VerifiedCredential]) -> None:
    statuses = {(c.issuer_jwt.status.uri, c.issuer_jwt.status.idx) for c in copies if c.issuer_jwt.status}
    salts = [parse_disclosure(text).salt for copy in copies for text in copy.disclosures.values()]
    sets = {copy.issuer_jwt.set_id for copy in copies}
    dates = {(copy.issuer_jwt.iat, copy.issuer_jwt.nbf, copy.issuer_jwt.exp) for copy in copies}
    distinct = len(statuses) == len(sets) == len(copies) and len(set(salts)) == len(salts)
    if not distinct or len(dates) != 1:
        raise Rejected(
            "linkable_copies", "two copies could be recognised as one person's; the issuer must repair it"
        )


def check_sets(batches: Sequence[Sequence[VerifiedCredential]]) -> None:
    """Copy i of every type carries the same `set` (protocol section 2), so that all are of one person.

    Raises `Rejected`: `mixed_sets`.
    """
    if len({tuple(copy.issuer_jwt.set_id for copy in batch) for batch in batches}) > 1:
        raise Rejected("mixed_sets", "the credentials of this offer do not belong together")


def superseded(copies: Mapping[str, Copy], new: VerifiedCredential) -> list[str]:
    """Names of unspent copies of the same type that say something else than `new`: they hold old data."""
    told = new.issuer_jwt
    return [
        name
        for name, copy in copies.items()
        if (copy.issuer, copy.vct, copy.agency) == (told.iss, told.vct, None)
        and claims_of(copy) != dict(new.claims)
    ]
