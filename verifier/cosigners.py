"""Who agreed to a grant beside its holder, also after a refresh, which brings no co-signature (section 10).

Those are the cards of its first version, which stays in the store. One of them that was taken back ends reading as
it does before any refresh: the other party may have ended the mandate, or lost the phone.
"""

from collections.abc import Mapping

from protocol.consent import FIRST_VERSION, verify_consent
from protocol.issuer_jwt import VerifiedIssuerJwt
from protocol.trust_list import TrustList
from verifier.desk import Desk
from verifier.grants import StoredGrant


def kept_cosigners(desk: Desk, grant: StoredGrant, trust: TrustList) -> Mapping[str, VerifiedIssuerJwt]:
    """By name, of a version that was refreshed; empty for a first one, whose answer holds them itself.

    Raises `Rejected` of `verify_consent`, `unknown_grant`.
    """
    terms = grant.answer.terms
    if terms.on_behalf_of is None or terms.version == FIRST_VERSION:
        return {}
    first = desk.store.grants.first(grant.id)
    asked = desk.asked(trust, first.request, first.request_hash)
    # Verified when it was stored; its credentials may have ended since: judged at that time, but for their status.
    return verify_consent(first.answer, asked, trust=trust, now=first.received, fresh=False).cosigners
