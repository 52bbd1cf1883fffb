"""The consent of a holder: key-binding JWTs that sign the terms, by the keys that the issuer bound (**ours**).

Protocol sections 4 and 10: one signature fixes who may read, what, why, until when and how often; the digests in T
bind the values. Nothing here needs a value, the log or a key of the agency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.cosign import mandated_party, verify_cosigned
from protocol.credential import split_sd_jwt
from protocol.errors import Rejected
from protocol.issuer_jwt import VerifiedIssuerJwt, verify_issuer_jwt
from protocol.key_binding import verify_key_binding
from protocol.mandate import VerifiedMandate, check_mandated, check_presence, check_signers, verify_mandate
from protocol.presentation import RegieSealed, grant_opening
from protocol.terms import ConsentElement, Terms, terms_hash
from protocol.trust_list import Service, TrustList

KEY_BINDING_AGE = 300
"""Seconds between the holder's signature and the agency's acceptance, of a copy too (section 7.4)."""
FIRST_VERSION = 1
"""Of a grant, before any refresh."""
CredentialStatus: TypeAlias = Literal["valid", "superseded", "revoked", "undetermined"]
"""`superseded`: good, but the register has changed since and a newer one exists (section 9)."""
GOOD_STATUSES: frozenset[CredentialStatus] = frozenset({"valid", "superseded"})


@dataclass(frozen=True)
class Asked:
    """What the agency asked, as it kept it: its own words, so they are trusted.

    `transaction_data`: the one element as sent; `audience`: the full client_id; `vcts`: type of each DCQL id.
    """

    element: ConsentElement
    transaction_data: str
    request_hash: bytes
    audience: str
    nonce: str
    vcts: Mapping[str, str]
    service: Service


@dataclass(frozen=True)
class StandingAnswer:
    """What the wallet sent: `vp_token` (issuer-signed JWT `~` KB-JWT under each DCQL id) and `regie_sealed`."""

    vp_token: Mapping[str, str]
    sealed: RegieSealed

    @property
    def terms(self) -> Terms:
        """T."""
        return self.sealed.terms


@dataclass(frozen=True)
class VerifiedConsent:
    """The holder's signature over T with every credential that T uses, all of one `set`.

    On behalf of somebody: the `mandate`, and the credentials by which other parties agreed to T, under names that
    no credential query can have.
    """

    credentials: Mapping[str, VerifiedIssuerJwt]
    set_id: str
    mandate: VerifiedMandate | None = None
    cosigners: Mapping[str, VerifiedIssuerJwt] = field(default_factory=dict)

    @property
    def everybody(self) -> Mapping[str, VerifiedIssuerJwt]:
        """All that the grant rests on: each has a status, and a holder who may write about the grant."""
        return {**self.credentials, **self.cosigners}


def refresh_nonce(terms: Terms) -> str:
    """Nonce of a refresh's KB-JWTs, for which nobody sent a request: b64u(H(`regie/refresh/v1` || JCS(T')))."""
    return b64u_encode(sha256(b"regie/refresh/v1", grant_opening(terms)))


def verify_consent(
    answer: StandingAnswer, asked: Asked, *, trust: TrustList, now: int, fresh: bool
) -> VerifiedConsent:
    """That the holder of all credentials that T uses signed T for this agency:

    1. one presentation for each credential that T touches and for the one that signs the request's element, and
    only asked ones; 2. no disclosure in it, a KB-JWT behind it (RFC 9901 section 9.5: always, not when it happens
    to be there); 3. issuer's signature, trust, dates; its type is the one asked and T's; 4. the digests of T stand
    in this JWT; 5. T ends no later than it; 6. key binding: audience, nonce, when `fresh` at most 300 s old,
    `consent` = H(JCS(T)), `transaction_data_hashes` at the named credential and nowhere else; 7. one `set`: not
    the attributes of two residents; 8. on behalf of somebody: the mandate that T names, T within it, every
    credential of that mandate and of its issuer, one party of each group that has to sign; on nobody's behalf: no
    credential of a mandate, no co-signature.
    **Not**: what the log says, and the status of `VerifiedConsent.everybody`.
    Raises `Rejected`: `bad_vp_token`, `disclosures_present`, `key_binding_missing`, `not_listed`,
    `claim_mismatch`, `digest_mismatch`, `outlives_credential`, `consent_mismatch`, `transaction_data_mismatch`,
    `mandate_mismatch` and those of `verify_mandate`, `check_mandated`, `check_signers`, `verify_cosigned`,
    `verify_issuer_jwt` and `verify_key_binding`.
    """
    terms = answer.terms
    check_presence(terms, answer.sealed.mandate)
    needed = {claim.credential for claim in terms.claims} | set(asked.element.credential_ids)  # 1.
    if not needed <= set(answer.vp_token) <= set(asked.vcts):
        raise Rejected("bad_vp_token", "not exactly the presentations that these terms need")
    binding = terms_hash(terms)
    credentials = {
        name: _verify_one(name, text, terms, binding, asked, trust=trust, now=now, fresh=fresh)
        for name, text in answer.vp_token.items()
    }
    sets = {credential.set_id for credential in credentials.values()}  # 7.
    set_id = sets.pop()
    if sets or set_id is None:
        raise Rejected("claim_mismatch", "credentials are not of one set")
    consent = VerifiedConsent(credentials, set_id)
    return _verify_mandated(consent, answer, asked.audience, trust=trust, now=now, fresh=fresh)  # 8.


def _verify_mandated(
    consent: VerifiedConsent, answer: StandingAnswer, audience: str, *, trust: TrustList, now: int, fresh: bool
) -> VerifiedConsent:
    """Step 8 of `verify_consent`.

    A refresh needs no co-signature: it never widens what all of them agreed to, and `verify_refresh` holds it
    against that.
    """
    terms, sealed = answer.terms, answer.sealed
    if sealed.mandate is None:
        if sealed.cosigned or any(one.mandate is not None for one in consent.credentials.values()):
            raise _mismatch("a credential of a mandate speaks for nobody but under that mandate")
        return consent
    verified = verify_mandate(sealed.mandate, trust, now)
    check_mandated(terms, verified)
    parties = {mandated_party(credential, verified) for credential in consent.credentials.values()}
    if len(parties) != 1:
        raise _mismatch("credentials of two parties sign as one")
    cosigned = [
        verify_cosigned(text, terms, client_id=audience, mandate=verified, trust=trust, now=now, fresh=fresh)
        for text in sealed.cosigned
    ]
    if terms.version == FIRST_VERSION:
        check_signers(verified.mandate, parties | {one.party for one in cosigned})
    cosigners = {f"cosigned.{number}": one.credential for number, one in enumerate(cosigned, start=1)}
    return replace(consent, mandate=verified, cosigners=cosigners)


def _mismatch(detail: str) -> Rejected:
    return Rejected("mandate_mismatch", detail, status=403)


def _verify_one(
    name: str,
    text: str,
    terms: Terms,
    binding: bytes,
    asked: Asked,
    *,
    trust: TrustList,
    now: int,
    fresh: bool,
) -> VerifiedIssuerJwt:
    """Steps 2 to 6 of `verify_consent` for one presentation."""
    parts = split_sd_jwt(text)  # 2.
    if parts.disclosures:
        raise Rejected("disclosures_present", "standing access presents no disclosure in the clear")
    if parts.kb_jwt is None:
        raise Rejected("key_binding_missing", "a presentation without the holder's signature")
    credential = verify_issuer_jwt(parts.jwt, trust, now)  # 3.
    if credential.stranger is not None:
        raise Rejected("not_listed", "standing access rests on credentials of listed issuers only", status=403)
    claims = [claim for claim in terms.claims if claim.credential == name]
    if any(credential.vct != vct for vct in (asked.vcts[name], *(claim.vct for claim in claims))):
        raise Rejected("claim_mismatch", "credential is of another type")
    if not all(b64u_decode(claim.digest) in credential.digests for claim in claims):  # 4.
        raise Rejected("digest_mismatch", "a digest of the terms is not in its credential")
    if terms.not_after > credential.exp:  # 5.
        raise Rejected("outlives_credential", "the grant ends later than a credential it uses")
    bound = verify_key_binding(  # 6.
        parts.kb_jwt,
        parts.presented,
        credential.holder,
        audience=asked.audience,
        nonce=asked.nonce if terms.version == 1 else refresh_nonce(terms),
        now=now if fresh else None,
        max_age=KEY_BINDING_AGE,
    )
    if bound.consent != binding:
        raise Rejected("consent_mismatch", "the holder signed other terms")
    signs_element = name in asked.element.credential_ids
    element_hash = sha256(asked.transaction_data.encode("ascii"))
    if bound.transaction_data_hashes != ((element_hash,) if signs_element else ()):
        raise Rejected("transaction_data_mismatch", "the holder signed another request")
    return credential


def check_status(
    consent: VerifiedConsent, statuses: Mapping[str, CredentialStatus], accept_undetermined: bool
) -> None:
    """Credential status by name in `everybody`, as the caller found it; not found: `undetermined`, for which each
    service decides.

    Raises `Rejected`: `credential_revoked`, `status_undetermined`, both 403.
    """
    for name in consent.everybody:
        status = statuses.get(name, "undetermined")
        if status == "revoked":
            raise Rejected("credential_revoked", "the issuer revoked a credential", status=403)
        if status not in GOOD_STATUSES and not accept_undetermined:
            raise Rejected("status_undetermined", "the status of a credential is not known", status=403)
