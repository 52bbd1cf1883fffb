"""Messages of residents about a grant: erasure asked, a complaint (protocol section 9).

The agency keeps the message and says in the log that it has it. The clock of one month runs in the wallet.
"""

from msgspec import Struct

from protocol.canonical import b64u_encode
from protocol.consent import verify_consent
from protocol.errors import Rejected, Unavailable
from protocol.reading import ResidentMessage, VerifiedMessage, sign_message, verify_resident_message
from verifier.desk import Desk
from verifier.grants import StoredGrant


class InboxMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a message: a `regie-message+jwt`."""

    message: str


def accept_message(desk: Desk, grant_id: str, token: str) -> str:
    """Keep a resident's message; `acknowledged` once the log has our acknowledgement, else `received`.

    1. the grant is known; 2. signed by a holder key of the grant, about its slot and lock; 3. kept, once;
    4. acknowledged in the log. A repetition tries step 4 again. Raises `Rejected`: `unknown_grant` 404,
    `bad_message`, `stale`.
    """
    now = desk.now()
    grant = desk.store.grants.get(grant_id)  # 1.
    message = _verify(desk, grant, token, now).message  # 2.
    if (message.slot, message.lock) != (grant.slot, grant.answer.terms.lock):
        raise Rejected("bad_message", "the message is about another grant")
    desk.store.seen.add_message(message, token, now)  # 3.
    if message.kind != "erasure_asked":
        return "received"
    return "acknowledged" if _acknowledge(desk, grant, now) else "received"  # 4.


def _verify(desk: Desk, grant: StoredGrant, token: str, now: int) -> VerifiedMessage:
    """By any of the keys that signed the grant; which they are was verified when it was stored."""
    trust = desk.trust(now)
    asked = desk.asked(trust, grant.request, grant.request_hash)
    consent = verify_consent(grant.answer, asked, trust=trust, now=grant.received, fresh=False)
    refusal = Rejected("bad_message", "no key of this grant signed the message")
    for credential in consent.credentials.values():
        try:
            return verify_resident_message(token, credential.holder, now)
        except Rejected as error:
            refusal = error
    raise refusal


def _acknowledge(desk: Desk, grant: StoredGrant, now: int) -> bool:
    """Enter `erasure_acknowledged` into the log, once; False when the log cannot take it now."""
    known = desk.store.seen.message_of(grant.lock, "erasure_acknowledged")
    if known is not None:
        return True
    signer = desk.signer(now)
    message = ResidentMessage(
        slot=grant.slot,
        lock=grant.answer.terms.lock,
        kind="erasure_acknowledged",
        iat=now,
        jti=b64u_encode(desk.parts.random(16)),
    )
    token = sign_message(message, signer.key, signer.x5c)
    try:
        desk.log(desk.log_trust(desk.trust(now), grant.log)).send_message(token)
    except (Unavailable, Rejected):
        return False
    desk.store.seen.add_message(message, token, now)
    return True
