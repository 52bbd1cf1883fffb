"""An answer comes in: every check, and only then the store (openid4vc.md clause 18, protocol sections 7.4 and 9).

The order is: form and decryption, signatures, the network, and one transaction. An answer that fails leaves the
request open and the store as it was.
"""

from msgspec import json

from protocol.canonical import b64u_decode, b64u_encode, is_equal
from protocol.checkpoint import ChunkProof, VerifiedStanding
from protocol.consent import StandingAnswer, verify_consent
from protocol.direct_post import ResponseObject, WalletError, decrypt_response, parse_response_form
from protocol.errors import Rejected
from protocol.light_check import verify_slot_status
from protocol.policy import satisfied
from protocol.seal import NONCE_BYTES, aead_seal
from protocol.standing import VerifiedStandingGrant, verify_refresh
from protocol.terms import check_terms, terms_hash
from protocol.trust_list import TrustList
from verifier.desk import Desk
from verifier.grants import StoredGrant
from verifier.requests import StoredRequest
from verifier.verify import (
    LogTrust,
    check_statuses,
    label_values,
    standing_answer,
    verify_copy,
    verify_grant,
)

COPY_FORMAT = b"regie/copy/v1"


def accept_answer(desk: Desk, request_id: str, body: bytes) -> str | None:
    """The form that a wallet posted to `response_uri`; the `redirect_uri` to answer with, if any.

    1. the request exists; 2. form; a refusal of the wallet ends the request; 3. it is still open, or was answered
    with this very grant (a wallet that did not hear us repeats itself); 4. decryption and `state`; 5. everything
    else by kind.
    Raises `Rejected`, after which nothing has changed; `Unavailable` when log or trust list cannot be had.
    """
    now = desk.now()
    stored = desk.store.requests.get(request_id)  # 1.
    posted = parse_response_form(body)  # 2.
    if isinstance(posted, WalletError):
        _decline(desk, stored, posted, now)
        return None
    key = stored.request.answer_key
    if key is None or stored.state == "declined":  # 3.
        raise Rejected("already_answered", "this request has been answered")
    if now >= stored.request.exp:
        raise Rejected("expired", "this request has expired")
    if isinstance(posted, ResponseObject):
        raise Rejected("invalid_request", "encryption was asked for")
    response = decrypt_response(posted, key, state=stored.request.state)  # 4.
    if stored.request.kind == "copy":  # 5.
        return _accept_copy(desk, stored, response, now)
    return _accept_standing(desk, stored, standing_answer(response), now)


def _decline(desk: Desk, stored: StoredRequest, error: WalletError, now: int) -> None:
    """Only who read the request knows its `state`."""
    if error.state is None or not is_equal(error.state.encode(), stored.request.state.encode()):
        raise Rejected("invalid_request", "state is not that of the request")
    desk.store.requests.decline(stored.request.id, error.code, now)


def _redirect(desk: Desk, stored: StoredRequest, code: str) -> str:
    return f"{desk.config.url}/answers/{stored.request.id}?response_code={code}"


def _accept_copy(desk: Desk, stored: StoredRequest, response: ResponseObject, now: int) -> str:
    """Share once: the values are kept sealed under a key of the home until they are handed over."""
    request, trust = stored.request, desk.trust(now)
    copy = verify_copy(
        response, request.query, trust=trust, audience=request.client_id, nonce=request.nonce, now=now
    )
    check_statuses(
        desk.statuses(copy.credentials, trust, now),
        accept_undetermined=desk.accepts_undetermined(request.service),
    )
    nonce = desk.parts.random(NONCE_BYTES)
    plaintext = json.encode(label_values(copy.values))
    sealed = nonce + aead_seal(desk.copies_key(), nonce, plaintext, COPY_FORMAT + request.id.encode())
    code = b64u_encode(desk.parts.random(16))
    desk.store.requests.answer_with_copy(request.id, sealed, code=code, now=now)
    return _redirect(desk, stored, code)


def _accept_standing(desk: Desk, stored: StoredRequest, answer: StandingAnswer, now: int) -> str | None:
    """Standing access: signatures and receipt, then credential status, then the log as it stands now."""
    request, trust = stored.request, desk.trust(now)
    wanted = b64u_decode(answer.terms.request_hash)
    if answer.terms.version != 1 or wanted not in desk.store.requests.objects(request.id):
        raise Rejected("wrong_request", "terms answer another request")
    if request.kem is None:
        raise Rejected("already_answered", "this request has been answered")
    asked = desk.asked(trust, request, wanted)
    log = desk.log_trust(trust, asked.element.log.origin)
    grant = verify_grant(answer, asked, trust=trust, kem=request.kem, log=log, now=now)
    if stored.state == "answered":
        if stored.binding is None or not is_equal(stored.binding, terms_hash(answer.terms)):
            raise Rejected("already_answered", "this request has been answered")
        return None
    standing = _check_now(desk, grant, trust, log, request.service, now)
    code = b64u_encode(desk.parts.random(16))
    desk.store.grants.add(request.id, grant, standing, code=code, now=now)
    return _redirect(desk, stored, code)


def _check_now(
    desk: Desk, grant: VerifiedStandingGrant, trust: TrustList, log: LogTrust, service: str, now: int
) -> VerifiedStanding:
    """What only the network knows: the status of the credentials, and that the grant stands in the log today."""
    check_statuses(
        desk.statuses(grant.consent.credentials, trust, now),
        accept_undetermined=desk.accepts_undetermined(service),
    )
    return desk.current_standing(grant.answer, grant.grant_index, log, now)


def accept_refresh(desk: Desk, grant_id: str, response: ResponseObject) -> None:
    """A renewed grant delivered to the inbox (protocol section 9). The same one again changes nothing.

    1. the grant is known, the answer is of a later version; 2. every check of an answer (`verify_grant`);
    3. it only renews and narrows, for the same person; 4. the old slot is revoked in the log; 5. credential status
    and light check of the new one. Raises `Rejected`: `unknown_grant`, `not_replaced` and those of the parts.
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
    standing = _check_now(desk, grant, trust, log, old.request.service, now)  # 5.
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
