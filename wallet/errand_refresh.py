"""The errand of refreshing (protocol section 9): new data for an agency that may have them.

Each step is kept before the next begins:

    (intent)   the whole newer version is in the vault -> POST /v1/grants with r of the old, always the same bytes
    renewing   the log's receipt is verified; the old
               version is over, a stop ends the newer  -> pieces to the operators, POST to the agency's inbox
    active     the agency has it; `renewed_at` says when

A crash anywhere leaves a record from which `carry_on_refresh` goes on, or which can be stopped: `errand_revoke`
ends the old version and then the newer one, whether or not the log has got that far.
"""

from dataclasses import dataclass, field

from protocol.canonical import b64u_decode
from protocol.errors import RegieError, Rejected, Unavailable
from wallet.choose import Chosen
from wallet.errand_deposit import deliver_deposits
from wallet.errand_versions import drop_intent, take_newer
from wallet.grant import consent_of, has_enough_deposits, verify_receipt
from wallet.opened import OpenWallet
from wallet.records import GrantRecord
from wallet.records_refresh import RefreshIntent
from wallet.refresh import FINAL, Wait, draft_refresh, find_renewable, newer_copies, sign_delivery
from wallet.seed import key_of

LATER = frozenset({"too_soon", "busy", "stale_checkpoint", "no_quorum", "read_only"})
"""Codes of the log after which the same bytes are sent again another time."""


@dataclass
class RefreshReport:
    """Numbers of agreements: `renewed`; `waiting`: what could not be delivered yet; `asks`: what waits for the
    resident, and why; `problems`: number and code.
    """

    renewed: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    asks: list[tuple[str, Wait]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def choose_follow(wallet: OpenWallet, grant_id: str, *, follow: bool) -> GrantRecord:
    """Keep the standing choice for one agreement. Raises `Rejected`: `unknown_grant`."""
    return wallet.update_grant(grant_id, follow=follow)


def refresh_agreements(wallet: OpenWallet) -> RefreshReport:
    """Carry on with what was begun, then begin what the resident chose. Never raises for a peer."""
    report = RefreshReport()
    for grant_id, record in wallet.grants().items():
        if is_refreshing(wallet, grant_id):
            _try(wallet, grant_id, report)
            continue
        found = find_renewable(record, wallet.copies())
        if found is None or wallet.must_search or wallet.now() >= record.body.terms.not_after:
            continue
        if found.wait is not None:
            report.asks.append((grant_id, found.wait))
            continue
        _try(wallet, grant_id, report)
    return report


def _try(wallet: OpenWallet, grant_id: str, report: RefreshReport) -> None:
    try:
        record = refresh_agreement(wallet, grant_id)
    except Unavailable:
        report.waiting.append(grant_id)
    except RegieError as error:
        if error.code in LATER:
            report.waiting.append(grant_id)
        else:
            report.problems.append((grant_id, error.code))
    else:
        if record.state == "active":
            report.renewed.append(grant_id)


def is_refreshing(wallet: OpenWallet, grant_id: str) -> bool:
    """Whether a refresh was begun that is not finished, and that nobody stopped."""
    record = wallet.grant(grant_id)
    return record.stop is None and (record.state == "renewing" or intent_of(wallet, grant_id) is not None)


def intent_of(wallet: OpenWallet, grant_id: str) -> RefreshIntent | None:
    """The newer version that the log may or may not have."""
    return wallet.vault.get("refreshes", grant_id, RefreshIntent)


def refresh_agreement(wallet: OpenWallet, grant_id: str) -> GrantRecord:
    """Send the newest data under one agreement now: the resident's own yes, or the standing one.

    Raises `Rejected`: `nothing_newer`, `sync_first`, those of `draft_refresh` and of the peers; `Unavailable`,
    after which the same call goes on.
    """
    if not is_refreshing(wallet, grant_id):
        wallet.check_searched()
        _intend(wallet, grant_id)
    return carry_on_refresh(wallet, grant_id)


def _intend(wallet: OpenWallet, grant_id: str) -> None:
    """The whole of it into the vault, before a byte leaves."""
    record = wallet.grant(grant_id)
    chosen = newer_copies(record, wallet.copies())
    is_open = record.state == "active" and record.stop is None and record.body.terms.on_behalf_of is None
    if chosen is None or not is_open:
        raise Rejected("nothing_newer", "there is nothing newer to send under this agreement", status=409)
    trust = wallet.trust_list()
    log = trust.log(record.body.terms.log)
    operators = [trust.witness(name) for name in log.operators.members] if log.operators is not None else []
    intent = draft_refresh(
        record,
        chosen,
        wallet.code(record),
        log,
        operators=operators,
        now=wallet.now(),
        random=wallet.random,
    )
    with wallet.vault.transaction():
        wallet.vault.put("refreshes", grant_id, intent)


def carry_on_refresh(wallet: OpenWallet, grant_id: str) -> GrantRecord:
    """Do what is left, from whichever step it stands at. Raises as `refresh_agreement`."""
    intent = intent_of(wallet, grant_id)
    if intent is not None:
        _to_log(wallet, grant_id, intent)
    record = wallet.grant(grant_id)
    if record.state != "renewing" or record.stop is not None:
        return record
    if record.deposits:
        record = deliver_deposits(wallet, grant_id)
    if not has_enough_deposits(record):
        raise Unavailable("no_operators", f"too few of those who guard the key of grant {grant_id} answer")
    return _to_agency(wallet, grant_id, record)


def _to_log(wallet: OpenWallet, grant_id: str, intent: RefreshIntent) -> None:
    """Send the kept bytes; keep the verified receipt, and the version that it replaced, at once."""
    log = wallet.known_log(intent.body.terms.log).log
    try:
        answer = wallet.peers.grant(log.url, intent.body)
    except Rejected as error:
        if error.code in FINAL:
            drop_intent(wallet, grant_id)
        raise
    verify_receipt(answer, intent.body.terms, b64u_decode(intent.body.opening_key), log, wallet.now())
    take_newer(wallet, grant_id, intent, slot=answer.slot, index=answer.index, proof=answer.proof)


def _to_agency(wallet: OpenWallet, grant_id: str, record: GrantRecord) -> GrantRecord:
    """To its inbox, signed now. An agency that refuses keeps nothing it can read; it is tried again."""
    copies, secrets = wallet.copies(), wallet.secrets()
    if not set(record.copies.values()) <= set(copies):
        raise Rejected("no_key", "a card of this agreement is no longer here; stop it and begin again", status=409)
    chosen = {query_id: Chosen(name, copies[name]) for query_id, name in record.copies.items()}
    keys = {query_id: key_of(secrets, item.copy) for query_id, item in chosen.items()}
    vp_token, sealed = sign_delivery(record, chosen, keys, wallet.now())
    try:
        wallet.peers.deliver_refresh(consent_of(record.request).inbox, vp_token, sealed)
    except Rejected as error:
        wallet.update_grant(grant_id, problem=error.code)
        raise Rejected(
            error.code,
            f"{record.agency.name} did not take the new data under grant {grant_id}; it can read nothing now: "
            f"{error.detail}",
            status=error.status,
        ) from error
    return wallet.update_grant(
        grant_id, state="active", sealed=[], share_a="", problem=None, renewed_at=wallet.now()
    )
