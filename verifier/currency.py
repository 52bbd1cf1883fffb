"""Are the data of a grant still what the register says? Asked before a READ, which the resident would see.

The issuer says of each card in its status list that a newer one exists; not since when, and not what changed. An
issuer that cannot be asked has not said so. A card that was revoked is another matter: it is refused (`reader`).
"""

from collections.abc import Mapping

from protocol.consent import CredentialStatus, VerifiedConsent, verify_consent
from protocol.errors import Rejected
from verifier.desk import Desk
from verifier.grants import StoredGrant


def outdated_types(desk: Desk, grant: StoredGrant) -> tuple[str, ...]:
    """Types (`urn:regie:nl:adres:1`) of the cards of a grant of which a newer one exists, in the order of T.

    Raises `Rejected` of `verify_consent`; `Unavailable` without a trust list.
    """
    now = desk.now()
    trust = desk.trust(now)
    asked = desk.asked(trust, grant.request, grant.request_hash)
    consent = verify_consent(grant.answer, asked, trust=trust, now=now, fresh=False)
    statuses = desk.statuses(consent.credentials, trust, now)
    return outdated_of(grant, consent, statuses)


def outdated_of(
    grant: StoredGrant, consent: VerifiedConsent, statuses: Mapping[str, CredentialStatus]
) -> tuple[str, ...]:
    """The same of a consent that was verified, with the status of each of its credentials."""
    old = {credential.vct for name, credential in consent.credentials.items() if statuses[name] == "superseded"}
    return tuple(dict.fromkeys(claim.vct for claim in grant.answer.terms.claims if claim.vct in old))


def check_current(outdated: tuple[str, ...]) -> None:
    """For who can do nothing with old data: no READ is made of them. Raises `Rejected`: `out_of_date` 409."""
    if outdated:
        raise Rejected("out_of_date", "the register has newer data than this grant holds", status=409)
