"""The errand of granting (protocol section 7), in steps that each are kept before the next begins.

    intended     the whole grant is in the vault                        -> POST /v1/grants, always the same bytes
    logged       the log's receipt is verified                          -> POST /v1/deposits to each operator;
                                                                           then about to answer the agency
    delivering   the answer may have left                               -> direct_post.jwt with fresh KB-JWTs
    active       the agency confirmed

A crash anywhere leaves a record from which `carry_on` goes on, or which can be stopped: the code, and so r, is in
the vault before the log or the agency hears anything.
"""

from dataclasses import dataclass

from protocol.canonical import b64u_decode
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.openid4vp import VerifiedRequest
from protocol.presentation import RegieSealed
from wallet.choose import choose_copies
from wallet.errand_acting import acting_of
from wallet.errand_check import is_revoked
from wallet.errand_deposit import deliver_deposits
from wallet.errand_intend import check_open, chosen_again, intend, next_code, reread, same_request
from wallet.errand_joint import gather_signatures
from wallet.errand_request import Approve, approved, read_request
from wallet.errand_revoke import stop_grant
from wallet.grant import (
    FINAL_REFUSALS,
    decide_grant,
    has_enough_deposits,
    presented_query,
    sign_answer,
    verify_receipt,
)
from wallet.mandated import check_acting, check_decision
from wallet.opened import OpenWallet
from wallet.records import Choice, GrantRecord
from wallet.revoke import is_presentable
from wallet.seed import key_of

MAX_CODES = 16
"""Codes tried when the log says that a lock is taken: by another wallet that was restored from the same backup."""


@dataclass(frozen=True)
class Granted:
    """A grant's number and record, and where the agency wants the resident to go on."""

    id: str
    record: GrantRecord
    redirect: str | None = None


def grant(
    wallet: OpenWallet, link: str, choice: Choice, approve: Approve = approved, *, mandate: str | None = None
) -> Granted:
    """From a link to an active grant; or, when the log cannot be reached, to one that `carry_on` finishes.

    `approve` shows the request and raises when the resident says no; nothing has been kept or sent by then.
    `mandate`: number or hash of the one to act under.
    Raises `Rejected` `sync_first`, and `Rejected` and `Unavailable` of rules and peers; after the intent was kept
    the error's text says what became of the grant.
    """
    wallet.check_searched()
    return allow(wallet, read_request(wallet, link), choice, approve, mandate=mandate)


def allow(
    wallet: OpenWallet,
    request: VerifiedRequest,
    choice: Choice,
    approve: Approve = approved,
    *,
    mandate: str | None = None,
) -> Granted:
    """The same for a request that was read before. Raises as `grant`."""
    wallet.check_searched()
    acting = acting_of(wallet, mandate) if mandate is not None else None
    under = acting.hash if acting else None
    if request.consent is not None and (known := same_request(wallet, request.consent.ticket, choice, under)):
        return carry_on(wallet, known)
    check_open(wallet, request)
    decision = decide_grant(request, choice)
    if acting is not None:
        check_acting(acting, wallet.now())
        check_decision(acting, decision)
    query = presented_query(request, decision)
    chosen = choose_copies(wallet.copies(), query, decision.agency.id, wallet.now(), mandate=under)
    if acting is not None and is_revoked(wallet, [item.copy for item in chosen.values()]):
        # Another party may have ended it, and nobody told us; the log would not know either.
        raise Rejected(
            "cards_revoked",
            "the cards under this mandate were taken back, so nothing was given; ask with "
            "`regie wallet mandates --ask` whether you may still act",
            status=403,
        )
    approve(request)
    return carry_on(wallet, intend(wallet, request, choice, chosen, acting))


def carry_on(wallet: OpenWallet, grant_id: str) -> Granted:
    """Do what is left of a grant, from whichever step it stands at.

    Raises `Unavailable` when a peer cannot be reached (call again later), `Rejected` when it ended otherwise.
    """
    record = wallet.grant(grant_id)
    for _ in range(MAX_CODES):
        if record.state != "intended" or record.stop is not None:
            break
        if record.joint is not None and not record.joint.is_complete:
            record = gather_signatures(wallet, grant_id, record)
            if record.joint is not None and not record.joint.is_complete:
                return Granted(grant_id, record)
        record = _to_log(wallet, grant_id, record)
    if record.state == "intended" and record.stop is None:
        raise Rejected("lock_used", f"the log has no place for grant {grant_id}; stop it and tell the auditor")
    if not is_presentable(record):
        return Granted(grant_id, record)
    record = _to_operators(wallet, grant_id, record)
    return _to_agency(wallet, grant_id, record)


def _to_log(wallet: OpenWallet, grant_id: str, record: GrantRecord) -> GrantRecord:
    """Send the kept bytes; keep the verified receipt. A taken lock leads to the next code, an end to `failed`."""
    log = wallet.known_log(record.body.terms.log).log
    try:
        answer = wallet.peers.grant(log.url, record.body)
    except Rejected as error:
        if error.code == "lock_used":
            return next_code(wallet, grant_id, record)
        if error.code in FINAL_REFUSALS:
            wallet.update_grant(grant_id, state="failed", problem=error.code, sealed=[], share_a="", deposits=[])
            raise Rejected(error.code, f"the log refused this grant; nothing was given: {error.detail}") from error
        raise
    except Unavailable as error:
        raise Unavailable(error.code, f"{error.detail}; grant {grant_id} is kept: `regie wallet sync`") from error
    opening_key = b64u_decode(record.body.opening_key)
    try:
        verify_receipt(answer, record.body.terms, opening_key, log, wallet.now())
    except Rejected as error:
        wallet.update_grant(grant_id, problem=error.code)
        raise Rejected(
            error.code,
            f"the log's receipt for grant {grant_id} is not good, so the agency got nothing; "
            f"stop it with `regie wallet revoke {grant_id}`: {error.detail}",
        ) from error
    return wallet.update_grant(
        grant_id, state="logged", index=answer.index, slot=answer.slot, proof=answer.proof, problem=None
    )


def _to_operators(wallet: OpenWallet, grant_id: str, record: GrantRecord) -> GrantRecord:
    """Enough of them hold their pieces before the agency hears of the grant; the rest get theirs by `sync`.

    Raises `Unavailable`: `no_operators`.
    """
    if record.deposits:
        record = deliver_deposits(wallet, grant_id)
    if not has_enough_deposits(record):
        raise Unavailable(
            "no_operators",
            f"grant {grant_id} is in the log, but too few of those who guard its key answer: `regie wallet sync`",
        )
    return record


def _to_agency(wallet: OpenWallet, grant_id: str, record: GrantRecord) -> Granted:
    """Answer the agency. Its no to a first answer is certain, and the grant is stopped again; its no to a repeated
    one may mean that it took the first.
    """
    is_first = record.state == "logged"
    try:
        request = reread(wallet, record)
        form = _answer_form(wallet, request, record)
    except Rejected as error:
        return _undelivered(wallet, grant_id, error, certain=is_first)
    if is_first:
        record = wallet.update_grant(grant_id, state="delivering")
    try:
        redirect = wallet.peers.answer(request.response_uri, form)
    except Rejected as error:
        return _undelivered(wallet, grant_id, error, certain=is_first)
    except Unavailable as error:
        raise Unavailable(
            error.code,
            f"grant {grant_id} is in the log, but {record.agency.name} could not be told: `regie wallet sync`",
        ) from error
    record = wallet.update_grant(grant_id, state="active", sealed=[], share_a="", problem=None)
    return Granted(grant_id, record, redirect)


def _answer_form(wallet: OpenWallet, request: VerifiedRequest, record: GrantRecord) -> bytes:
    secrets, chosen = wallet.secrets(), chosen_again(wallet, record)
    sealed = RegieSealed(
        terms=record.body.terms,
        slot=record.slot or 0,
        sealed=record.sealed,
        opening_key=record.body.opening_key,
        share_a=record.share_a,
        proof=record.proof or "",
        mandate=record.body.mandate,
        cosigned=record.joint.cosigned if record.joint else [],
    )
    credentials = {query_id: item.copy.credential for query_id, item in chosen.items()}
    keys = {query_id: key_of(secrets, item.copy) for query_id, item in chosen.items()}
    return sign_answer(request, sealed, credentials, keys, wallet.now())


def _undelivered(wallet: OpenWallet, grant_id: str, error: RegieError, *, certain: bool) -> Granted:
    if not certain:
        return Granted(grant_id, wallet.update_grant(grant_id, state="uncertain", problem=error.code))
    record = wallet.update_grant(grant_id, problem=error.code)
    stop_grant(wallet, grant_id)
    raise Rejected(
        error.code,
        f"{record.agency.name} did not take grant {grant_id}, so it is stopped again: {error.detail}",
    ) from error
