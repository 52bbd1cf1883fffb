"""Messages of residents about a grant: what they ask of their rights, a complaint (protocol section 9).

The agency keeps the message and says in the log that it has it. Within a month (GDPR article 12 paragraph 3) it
answers: erased, shown or corrected; or refused under a law that it names, and what is kept until when.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from protocol.canonical import b64u_encode
from protocol.consent import verify_consent
from protocol.errors import Rejected, Unavailable
from protocol.issuer_jwt import VerifiedIssuerJwt
from protocol.reading import ResidentMessage, VerifiedMessage, sign_message, verify_resident_message
from protocol.rights import REFUSALS, RIGHTS, MessageKind, right_of
from protocol.trust_list import TrustList
from verifier.cosigners import kept_cosigners
from verifier.desk import Desk
from verifier.grants import StoredGrant
from verifier.seen import Asked

LAWS = ("Archiefwet 1995 artikel 3", "AWR artikel 52 lid 4", "BW boek 2 artikel 10 lid 3")
"""Under which a Dutch authority most often keeps: to choose from at the desk; the command takes any."""
GROUNDS = ("UAVG artikel 41 lid 1", "AVG artikel 12 lid 5", "AVG artikel 15 lid 4", "Wet BRP artikel 2.58")
"""On which a request to see or to correct data is most often refused; 2.58: it is for the register to correct."""
_ANSWER_LOCK, _ANSWER_WAIT = "answer.lock", 20.0
_LAW = re.compile(r"[A-Za-z0-9 .,:/_-]{1,128}")


class InboxMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a message: a `regie-message+jwt`."""

    message: str


def accept_message(desk: Desk, grant_id: str, token: str) -> str:
    """Keep a resident's message; `acknowledged` once the log has our acknowledgement, else `received`.

    1. the grant is known; 2. signed by a holder key of the grant, about its slot and lock, and who acts for
    another still may; 3. kept, once; 4. acknowledged in the log. A repetition tries step 4 again.
    Raises `Rejected`: `unknown_grant` 404, `bad_message`, `stale`, `mandate_ended` 403.
    """
    now = desk.now()
    grant = desk.store.grants.get(grant_id)  # 1.
    message = _verify(desk, grant, token, now).message  # 2.
    if (message.slot, message.lock) != (grant.slot, grant.answer.terms.lock):
        raise Rejected("bad_message", "the message is about another grant")
    if not set(message.claims or ()) <= {claim.digest for claim in grant.answer.terms.claims}:
        raise Rejected("bad_message", "the message names attributes that the grant does not have")
    desk.store.seen.add_message(message, token, now)  # 3.
    asked = desk.store.seen.asked_by(message.jti)
    if asked is None:
        return "received"
    return "acknowledged" if _acknowledge(desk, grant, asked, now) else "received"  # 4.


def _verify(desk: Desk, grant: StoredGrant, token: str, now: int) -> VerifiedMessage:
    """By any of the keys that signed the grant; which they are was verified when it was stored."""
    trust = desk.trust(now)
    asked = desk.asked(trust, grant.request, grant.request_hash)
    consent = verify_consent(grant.answer, asked, trust=trust, now=grant.received, fresh=False)
    refusal = Rejected("bad_message", "no key of this grant signed the message")
    for name, credential in {**consent.everybody, **kept_cosigners(desk, grant, trust)}.items():
        try:
            verified = verify_resident_message(token, credential.holder, now)
        except Rejected as error:
            refusal = error
            continue
        if credential.party:  # not of the represented, whose rights these are
            _check_not_ended(desk, {name: credential}, trust, now)
        return verified
    raise refusal


def _check_not_ended(desk: Desk, signing: Mapping[str, VerifiedIssuerJwt], trust: TrustList, now: int) -> None:
    """Ending a mandate revokes its cards. A list that cannot be had stops no message: rights go before doubt."""
    if "revoked" in desk.statuses(signing, trust, now).values():
        raise Rejected("mandate_ended", "who signed may not act for the resident any more", status=403)


def _acknowledge(desk: Desk, grant: StoredGrant, asked: Asked, now: int) -> bool:
    """Enter that we have it into the log, once for all that waits; False when the log cannot take it now."""
    if asked.acknowledged is not None:
        return True
    message = ResidentMessage(
        slot=asked.slot,
        lock=asked.lock,
        kind=RIGHTS[asked.right].acknowledged,
        iat=now,
        jti=b64u_encode(desk.parts.random(16)),
    )
    try:
        token = _send(desk, grant, message, now)
    except (Unavailable, Rejected):
        return False
    desk.store.seen.add_message(message, token, now)
    return True


def _send(desk: Desk, grant: StoredGrant, message: ResidentMessage, now: int) -> str:
    signer = desk.signer(now)
    token = sign_message(message, signer.key, signer.x5c)
    desk.log(desk.log_trust(desk.trust(now), grant.log)).send_message(token)
    return token


def answer_request(
    desk: Desk,
    jti: str,
    kind: MessageKind,
    *,
    law: str | None = None,
    until: int | None = None,
    document: str | None = None,
) -> None:
    """Answer the request with this `jti`: into the log, and only then as answered here.

    1. it is known and waits for an answer; 2. it is an answer to this; a law belongs to a refusal, a date in the
    future to `kept`, and only there; 3. the receipt is in the log (else it goes first); 4. so is the answer;
    5. kept, and what still waits here to be handed over is deleted when the data are erased. One at a time, or two
    officers would both be in the log. `document`: hash of what was given as an answer to a request for access.
    Raises `Rejected`: `unknown_message` 404, `answered_already` 409, `bad_answer`, and the log's; `Unavailable`
    when the log cannot take it now, `in_use` while another answer goes on for long.
    """
    with desk.home.lock(_ANSWER_LOCK, wait_seconds=_ANSWER_WAIT):
        asked, now = desk.store.seen.asked_by(jti), desk.now()
        if asked is None:  # 1.
            raise Rejected("unknown_message", "no resident asked this", status=404)
        if asked.answer is not None:
            raise Rejected("answered_already", "this request has been answered", status=409)
        if right_of(kind) != asked.right or kind not in RIGHTS[asked.right].final:  # 2.
            raise Rejected("bad_answer", "this is no answer to what was asked")
        _check_answer(kind, law, until, document, now)
        message = ResidentMessage(
            slot=asked.slot, lock=asked.lock, kind=kind, iat=now, jti=b64u_encode(desk.parts.random(16)),
            law=law, until=until, document=document,
        )  # fmt: skip
        _answer(desk, asked, message, now)


def _answer(desk: Desk, asked: Asked, message: ResidentMessage, now: int) -> None:
    grant = desk.store.grants.get(asked.request)
    if not _acknowledge(desk, grant, asked, now):  # 3.
        raise Unavailable("log", "the log cannot take this now; nothing was answered")
    token = _send(desk, grant, message, now)  # 4.
    erased = asked.request if message.kind == "erased" else None
    desk.store.seen.answer(message, token, now, erased=erased)  # 5.


def _check_answer(kind: MessageKind, law: str | None, until: int | None, document: str | None, now: int) -> None:
    if document is not None and kind != "access_answered":
        raise Rejected("bad_answer", "a document belongs to what was shown")
    if kind in REFUSALS:
        if law is None or not _LAW.fullmatch(law):
            raise Rejected("bad_answer", "name the law in 1 to 128 plain letters, digits and signs")
    elif law is not None:
        raise Rejected("bad_answer", "a law belongs to a refusal")
    if (kind == "kept") != (until is not None) or (until is not None and until <= now):
        raise Rejected("bad_answer", "data are kept until a day in the future, and a day belongs to nothing else")
