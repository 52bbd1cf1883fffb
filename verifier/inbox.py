"""Messages of residents about a grant: erasure asked, a complaint (protocol section 9).

The agency keeps the message and says in the log that it has it. Within a month (GDPR article 12 paragraph 3) it
answers: what it had is erased, or kept under a law that it names and until when.
"""

import re
from typing import Literal, TypeAlias

from msgspec import Struct

from protocol.canonical import b64u_encode
from protocol.consent import verify_consent
from protocol.errors import Rejected, Unavailable
from protocol.reading import ResidentMessage, VerifiedMessage, sign_message, verify_resident_message
from verifier.desk import Desk
from verifier.grants import StoredGrant

AnswerKind: TypeAlias = Literal["erased", "kept"]
LAWS = ("Archiefwet 1995 artikel 3", "AWR artikel 52 lid 4", "BW boek 2 artikel 10 lid 3")
"""Under which a Dutch authority most often keeps: to choose from at the desk; the command takes any."""
_ANSWER_LOCK, _ANSWER_WAIT = "answer.lock", 20.0
_LAW = re.compile(r"[A-Za-z0-9 .,:/_-]{1,128}")


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
    return "acknowledged" if _acknowledge(desk, grant, now, lock=grant.lock, slot=grant.slot) else "received"  # 4.


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


def _acknowledge(desk: Desk, grant: StoredGrant, now: int, *, lock: str, slot: int) -> bool:
    """Enter `erasure_acknowledged` into the log, once for each lock; False when the log cannot take it now."""
    known = desk.store.seen.message_of(lock, "erasure_acknowledged")
    if known is not None:
        return True
    signer = desk.signer(now)
    message = ResidentMessage(
        slot=slot,
        lock=lock,
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


def answer_erasure(
    desk: Desk, jti: str, kind: AnswerKind, *, law: str | None = None, until: int | None = None
) -> None:
    """Answer the request to erase with this `jti`: into the log, and only then as answered here.

    1. it is known and waits for an answer; 2. a law and a date in the future belong to `kept`, and only there;
    3. the receipt is in the log (else it goes first); 4. so is the answer; 5. kept, and what still waits here to
    be handed over is deleted when the data are erased. One at a time, or two officers would both be in the log.
    Raises `Rejected`: `unknown_message` 404, `answered_already` 409, `bad_answer`, and the log's; `Unavailable`
    when the log cannot take it now, `in_use` while another answer goes on for long.
    """
    with desk.home.lock(_ANSWER_LOCK, wait_seconds=_ANSWER_WAIT):
        _answer(desk, jti, kind, law, until)


def _answer(desk: Desk, jti: str, kind: AnswerKind, law: str | None, until: int | None) -> None:
    now, asked = desk.now(), desk.store.seen.erasure(jti)
    if asked is None:  # 1.
        raise Rejected("unknown_message", "no resident asked this", status=404)
    if asked.answer is not None:
        raise Rejected("answered_already", "this request has been answered", status=409)
    _check_answer(kind, law, until, now)  # 2.
    grant = desk.store.grants.get(asked.request)
    if asked.acknowledged is None and not _acknowledge(desk, grant, now, lock=asked.lock, slot=asked.slot):  # 3.
        raise Unavailable("log", "the log cannot take this now; nothing was answered")
    signer = desk.signer(now)
    message = ResidentMessage(
        slot=asked.slot, lock=asked.lock, kind=kind, iat=now, jti=b64u_encode(desk.parts.random(16)),
        law=law, until=until,
    )  # fmt: skip
    token = sign_message(message, signer.key, signer.x5c)
    desk.log(desk.log_trust(desk.trust(now), grant.log)).send_message(token)  # 4.
    desk.store.seen.answer(message, token, now, erased=asked.request if kind == "erased" else None)  # 5.


def _check_answer(kind: AnswerKind, law: str | None, until: int | None, now: int) -> None:
    if kind == "erased":
        if law is not None or until is not None:
            raise Rejected("bad_answer", "law and date belong to data that are kept")
        return
    if law is None or not _LAW.fullmatch(law):
        raise Rejected("bad_answer", "name the law in 1 to 128 plain letters, digits and signs")
    if until is None or until <= now:
        raise Rejected("bad_answer", "data are kept until a day in the future")
