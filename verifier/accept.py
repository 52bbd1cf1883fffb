"""An answer comes in: every check, and only then the store (OpenID4VP 1.0 section 8, protocol sections 7.4 and 9).

The order is: form and decryption, signatures, the network, and one transaction. An answer that fails leaves the
request open and the store as it was.
"""

from msgspec import json

from protocol.canonical import b64u_decode, b64u_encode, is_equal
from protocol.checkpoint import ChunkProof, VerifiedStanding
from protocol.consent import verify_consent
from protocol.direct_post import (
    ResponseObject,
    WalletError,
    check_state,
    decrypt_response,
    parse_response_form,
)
from protocol.errors import Rejected
from protocol.formats import Challenge
from protocol.keys import Es256Private
from protocol.light_check import verify_slot_status
from protocol.policy import satisfied
from protocol.seal import NONCE_BYTES, aead_seal
from protocol.standing import VerifiedStandingGrant, verify_refresh
from protocol.terms import check_terms, terms_hash
from protocol.trust_list import TrustList
from verifier.cosigners import kept_cosigners
from verifier.desk import Desk
from verifier.grants import StoredGrant
from verifier.requests import StoredRequest
from verifier.verdict import Trace
from verifier.verify import LogTrust, judge_statuses, standing_answer, verify_copy, verify_grant

COPY_FORMAT = b"regie/copy/v2"
FIRST_COPY_FORMAT = b"regie/copy/v1"
"""Values by name, as 0.1 sealed them: those of the last seven days may still wait."""


def accept_answer(desk: Desk, request_id: str, body: bytes) -> str | None:
    """The form that a wallet posted to `response_uri`; the `redirect_uri` to answer with, if any.

    1. the request exists; 2. form; a refusal of the wallet ends the request; 3. it is still open, or was answered
    with this very grant (a wallet that did not hear us repeats itself); 4. decryption and `state`; 5. everything
    else by kind. What was found out is kept as the verdict, of the answer that ended the request and of refusals.
    Raises `Rejected`, after which nothing else has changed; `Unavailable` when log or trust list cannot be had.
    """
    now, trace = desk.now(), Trace()
    stored = desk.store.requests.get(request_id)  # 1.
    try:
        return _accept(desk, stored, body, trace, now)
    except Rejected as error:
        desk.store.verdicts.refuse(request_id, trace.verdict(stored.request.kind, error.code), now)
        raise


def _accept(desk: Desk, stored: StoredRequest, body: bytes, trace: Trace, now: int) -> str | None:
    """Steps 2 to 5."""
    request = stored.request
    with trace.step("form"):
        posted = parse_response_form(body, plain=request.is_plain)  # 2.
    if isinstance(posted, WalletError):
        _decline(desk, stored, posted, trace, now)
        return None
    with trace.step("request_open"):
        if request.answer_key is None or stored.state == "declined":  # 3.
            raise Rejected("already_answered", "this request has been answered")
        if now >= request.exp:
            raise Rejected("expired", "this request has expired")
    with trace.step("answers_request"):
        response = _read(posted, request.answer_key, request.state)  # 4.
    if request.kind == "copy":  # 5.
        return _accept_copy(desk, stored, response, trace, now)
    return _accept_standing(desk, stored, response, trace, now)


def _read(posted: str | ResponseObject, key: Es256Private, state: str) -> ResponseObject:
    """The answer, which brings back the state of the request, decrypted unless it came plain."""
    if isinstance(posted, str):
        return decrypt_response(posted, key, state=state)
    check_state(posted, state)
    return posted


def _decline(desk: Desk, stored: StoredRequest, error: WalletError, trace: Trace, now: int) -> None:
    """Only who read the request knows its `state`."""
    with trace.step("answers_request"):
        if error.state is None or not is_equal(error.state.encode(), stored.request.state.encode()):
            raise Rejected("invalid_request", "state is not that of the request")
    trace.note("wallet_agrees", "failed", code=error.code)
    verdict = trace.verdict(stored.request.kind, error.code)
    desk.store.requests.decline(stored.request.id, error.code, verdict, now)


def _redirect(desk: Desk, stored: StoredRequest, code: str) -> str:
    return f"{desk.config.url}/answers/{stored.request.id}?response_code={code}"


def _accept_copy(desk: Desk, stored: StoredRequest, response: ResponseObject, trace: Trace, now: int) -> str:
    """Share once: the values are kept sealed under a key of the home until they are handed over."""
    request = stored.request
    copy = verify_copy(
        response,
        request.query,
        trust=desk.trust(now),
        challenge=Challenge(request.client_id, request.nonce),
        now=now,
        trace=trace,
        transactions=request.transactions,
    )
    judge_statuses(
        desk.statuses_of_copy(copy.contents, now),
        accept_undetermined=desk.accepts_undetermined(request.service),
        trace=trace,
    )
    nonce = desk.parts.random(NONCE_BYTES)
    sealed = nonce + aead_seal(
        desk.copies_key(), nonce, json.encode(copy.shared), COPY_FORMAT + request.id.encode()
    )
    code = b64u_encode(desk.parts.random(16))
    desk.store.requests.answer_with_copy(request.id, sealed, trace.verdict(request.kind), code=code, now=now)
    return _redirect(desk, stored, code)


def _accept_standing(
    desk: Desk, stored: StoredRequest, response: ResponseObject, trace: Trace, now: int
) -> str | None:
    """Standing access: signatures and receipt, then credential status, then the log as it stands now."""
    request, trust = stored.request, desk.trust(now)
    with trace.step("terms"):
        answer = standing_answer(response)
        wanted = b64u_decode(answer.terms.request_hash)
        if answer.terms.version != 1 or wanted not in desk.store.requests.objects(request.id):
            raise Rejected("wrong_request", "terms answer another request")
        if request.kem is None:
            raise Rejected("already_answered", "this request has been answered")
        asked = desk.asked(trust, request, wanted)
        log = desk.log_trust(trust, asked.element.log.origin)
    with trace.step("grant"):
        grant = verify_grant(answer, asked, trust=trust, kem=request.kem, log=log, now=now)
    if grant.consent.mandate is not None:
        trace.note("mandate", "passed")
    if stored.state == "answered":
        if stored.binding is None or not is_equal(stored.binding, terms_hash(answer.terms)):
            raise Rejected("already_answered", "this request has been answered")
        # Who did not hear us is told the same again: on one device the grant counts only after the way back.
        return None if stored.response_code is None else _redirect(desk, stored, stored.response_code)
    standing = _check_now(desk, grant, trust, log, request.service, trace, now)
    code = b64u_encode(desk.parts.random(16))
    desk.store.grants.add(request.id, grant, standing, trace.verdict(request.kind), code=code, now=now)
    return _redirect(desk, stored, code)


def _check_now(
    desk: Desk,
    grant: VerifiedStandingGrant,
    trust: TrustList,
    log: LogTrust,
    service: str,
    trace: Trace,
    now: int,
) -> VerifiedStanding:
    """What only the network knows: the status of the credentials, and that the grant stands in the log today."""
    # Nobody but its issuer hears that a mandate was ended, so what is given under one is asked about anew.
    statuses = desk.statuses(grant.consent.everybody, trust, now, anew=grant.consent.mandate is not None)
    judge_statuses(statuses, accept_undetermined=desk.accepts_undetermined(service), trace=trace)
    with trace.step("standing"):
        return desk.current_standing(grant.answer, grant.grant_index, log, now)


def accept_refresh(desk: Desk, grant_id: str, response: ResponseObject) -> None:
    """A renewed grant delivered to the inbox (protocol section 9). The same one again changes nothing.

    1. the grant is known, the answer is of a later version; 2. every check of an answer (`verify_grant`);
    3. it only renews and narrows, for the same person; 4. the old slot is revoked in the log; 5. credential status
    and light check of the new one; nor may a card be revoked that co-signed the first one.
    Raises `Rejected`: `unknown_grant`, `not_replaced` and those of the parts.
    """
    now = desk.now()
    old = desk.store.grants.get(grant_id)  # 1.
    answer = standing_answer(response)
    check_terms(answer.terms)
    if terms_hash(answer.terms) == terms_hash(old.answer.terms):
        return
    if answer.terms.version == 1 or old.request.kem is None:
        raise Rejected("wrong_request", "not a refresh of this grant")
    trust = desk.trust(now)
    log, asked = desk.log_trust(trust, old.log), desk.asked(trust, old.request, old.request_hash)
    grant = verify_grant(answer, asked, trust=trust, kem=old.request.kem, log=log, now=now)  # 2.
    # The old consent was verified when it was stored; its credentials may have ended since: judge it at that time.
    consent = verify_consent(old.answer, asked, trust=trust, now=old.received, fresh=False)
    verify_refresh(VerifiedStandingGrant(old.answer, consent, old.grant_index), grant)  # 3.
    _check_replaced(desk, old, log, now)  # 4.
    standing = _check_now(desk, grant, trust, log, old.request.service, Trace(), now)  # 5.
    agreed = {**consent.cosigners, **kept_cosigners(desk, old, trust)}
    if "revoked" in desk.statuses(agreed, trust, now).values():  # a refresh brings no co-signature
        raise Rejected("credential_revoked", "the issuer revoked a card that agreed to this grant", status=403)
    desk.store.grants.replace(old, grant, standing, now=now)


def _check_replaced(desk: Desk, old: StoredGrant, log: LogTrust, now: int) -> None:
    """Both versions at once would double what the resident granted. Raises `Rejected`: `not_replaced`."""
    chunk = desk.log(log).status_chunk(old.slot)
    checkpoint = satisfied(log.policy, chunk.checkpoint, now, log_keys=(log.key,)).checkpoint
    status = verify_slot_status(
        chunk.checkpoint,
        chunk.head,
        ChunkProof(chunk.chunk, chunk.hashes),
        old.slot,
        log_key=log.key,
        policy=log.policy,
        now=now,
        kept=desk.kept(log, checkpoint, now),
    )
    if not status.is_revoked:
        raise Rejected("not_replaced", "the old version still stands in the log")
