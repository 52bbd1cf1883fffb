"""Another party agrees to a grant that needs several (**ours**, protocol section 10).

Each shows a credential of the same mandate, of its own copy, and signs T with it: `JWT~KB-JWT`, no disclosure.
"""

from dataclasses import dataclass

from protocol.canonical import b64u_encode, sha256
from protocol.credential import split_sd_jwt
from protocol.errors import Rejected
from protocol.issuer_jwt import VerifiedIssuerJwt, verify_issuer_jwt
from protocol.key_binding import sign_key_binding, verify_key_binding
from protocol.keys import Es256Private
from protocol.mandate import VerifiedMandate
from protocol.terms import Terms, terms_bytes, terms_hash
from protocol.trust_list import TrustList

COSIGN_AGE = 3600
"""Seconds that a co-signature may be old: the others have to find and read the proposal."""


@dataclass(frozen=True)
class VerifiedCosigner:
    """A party that agreed to T; only `verify_cosigned` makes one. **Not** checked: its credential's status."""

    credential: VerifiedIssuerJwt
    party: int


def cosign_nonce(terms: Terms) -> str:
    """Nonce of a co-signature, for which the agency sent no request: b64u(H(`regie/cosign/v1` || JCS(T)))."""
    return b64u_encode(sha256(b"regie/cosign/v1", terms_bytes(terms)))


def cosign(jwt: str, holder: Es256Private, terms: Terms, *, client_id: str, now: int) -> str:
    """`JWT~KB-JWT`. `jwt`: issuer-signed JWT of one credential of this party, without disclosures."""
    presented = f"{jwt}~"
    return presented + sign_key_binding(
        presented, holder, audience=client_id, nonce=cosign_nonce(terms), iat=now, consent=terms_hash(terms)
    )


def mandated_party(credential: VerifiedIssuerJwt, verified: VerifiedMandate) -> int:
    """Who its holder is under this mandate.

    1. issued under this very mandate (`VerifiedIssuerJwt.mandate`), 2. by the issuer of it; 3. to one of its
    parties. Raises `Rejected`: `mandate_mismatch` 403.
    """
    if credential.mandate != verified.hash:  # 1
        raise Rejected("mandate_mismatch", "a credential is not of the mandate of the terms", status=403)
    if credential.stranger is not None or credential.iss != verified.iss:  # 2
        raise Rejected("mandate_mismatch", "a credential is of another issuer than its mandate", status=403)
    if credential.party is None or credential.party not in verified.mandate.parties:  # 3
        raise Rejected("mandate_mismatch", "a credential is of nobody whom the mandate names", status=403)
    return credential.party


def verify_cosigned(
    text: str,
    terms: Terms,
    *,
    client_id: str,
    mandate: VerifiedMandate,
    trust: TrustList,
    now: int,
    fresh: bool = True,
) -> VerifiedCosigner:
    """That a party of `mandate` agreed to T for this agency.

    1. no disclosure, and a KB-JWT behind it; 2. issuer's signature, trust, dates; 3. `mandated_party`; 4. T ends
    no later than the credential; 5. key binding: `client_id`, `cosign_nonce`, `consent` = H(JCS(T)), when `fresh`
    at most `COSIGN_AGE` old.
    **Not** checked: its status. Raises `Rejected`: `disclosures_present`, `key_binding_missing`,
    `mandate_mismatch`, `outlives_credential`, `consent_mismatch`, those of `verify_issuer_jwt` and
    `verify_key_binding`.
    """
    parts = split_sd_jwt(text)  # 1
    if parts.disclosures:
        raise Rejected("disclosures_present", "a co-signature shows no disclosure")
    if parts.kb_jwt is None:
        raise Rejected("key_binding_missing", "a co-signature without the holder's signature")
    credential = verify_issuer_jwt(parts.jwt, trust, now)  # 2
    party = mandated_party(credential, mandate)  # 3
    if terms.not_after > credential.exp:  # 4
        raise Rejected("outlives_credential", "the grant ends later than a credential it rests on")
    bound = verify_key_binding(  # 5
        parts.kb_jwt, parts.presented, credential.holder, audience=client_id, nonce=cosign_nonce(terms),
        now=now if fresh else None, max_age=COSIGN_AGE,
    )  # fmt: skip
    if bound.consent != terms_hash(terms):
        raise Rejected("consent_mismatch", "the other party agreed to other terms")
    return VerifiedCosigner(credential, party)
