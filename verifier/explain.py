"""At which step a presentation was refused (pure): the same checks again, one by one, after the whole has failed.

The decision is that of `formats`; this only finds the words for it, so the hot path carries no bookkeeping.
"""

from collections.abc import Mapping

from protocol.consent import KEY_BINDING_AGE
from protocol.credential import split_sd_jwt
from protocol.errors import Rejected
from protocol.formats import Challenge
from protocol.issuer_jwt import verify_issuer_jwt
from protocol.key_binding import verify_key_binding
from protocol.trust_list import TrustList

_OF_ISSUER: Mapping[str, str] = {
    "not_listed": "issuer_known",
    "vct_not_allowed": "issuer_may_issue",
    "bad_x5c": "issuer_certificate",
    "bad_certificate": "issuer_certificate",
    "bad_chain": "issuer_certificate",
    "untrusted_chain": "issuer_certificate",
    "certificate_expired": "issuer_certificate",
    "certificate_not_yet_valid": "issuer_certificate",
    "wrong_issuer": "issuer_certificate",
    "bad_signature": "issuer_signature",
    "expired_credential": "credential_dates",
    "not_yet_valid": "credential_dates",
}
_OF_HOLDER: Mapping[str, str] = {
    "bad_key_binding": "sd_hash",
    "wrong_audience": "audience",
    "wrong_nonce": "nonce",
    "stale_key_binding": "binding_time",
}


def failed_step(text: str, trust: TrustList, challenge: Challenge, now: int, code: str) -> tuple[str, str]:
    """The first step of `verdict.PRESENTATION_STEPS` at which `text` fails, and why.

    It MUST have been refused, with `code`: where several things are wrong, that may be of a later step.
    """
    try:
        parts = split_sd_jwt(text)
    except Rejected as error:
        return "credential_form", error.code
    if parts.kb_jwt is None:
        return "key_binding", code
    try:
        issuer_jwt = verify_issuer_jwt(parts.jwt, trust, now)
        holder = issuer_jwt.holder
    except Rejected as error:
        step = "key_binding" if error.code == "no_holder" else _OF_ISSUER.get(error.code, "credential_form")
        return step, error.code
    try:
        verify_key_binding(
            parts.kb_jwt,
            parts.presented,
            holder,
            audience=challenge.client_id,
            nonce=challenge.nonce,
            now=now,
            max_age=KEY_BINDING_AGE,
        )
    except Rejected as error:
        return _OF_HOLDER.get(error.code, "holder_signature"), error.code
    return "disclosures", code
