"""The errand of stopping (protocol section 9): the wallet's own part first, then log and cosigners at once.

A stop that cannot be delivered waits in the vault and is delivered by `sync` or at the next errand. It counts as
confirmed only when the revocation's inclusion and the grant's own status bit were verified.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from msgspec.structs import replace

from protocol.consent_api import RevocationAnswer
from protocol.errors import RegieError, Rejected
from protocol.leaf import lock_of
from protocol.revocation_code import revocation_secret
from protocol.trust_list import TrustedLog, TrustedWitness
from wallet.client import Peers
from wallet.errand_history import look_back
from wallet.opened import OpenWallet
from wallet.records import GrantRecord
from wallet.revoke import begin_stop, verify_cosigner_promise, verify_log_promise

CONFIRM_TRIES = 12
CONFIRM_PAUSE = 0.5
"""Seconds between two looks whether the revocation is in a witnessed checkpoint; after six `sync` goes on."""
PATIENCE = frozenset({"stale_checkpoint", "no_quorum", "busy"})
"""What a log says while its witnesses are still at work."""


@dataclass(frozen=True)
class Delivery:
    """What came of handing over one r. `promise`: the log's verified answer; `log_code`: why there is none."""

    lock: bytes
    promise: RevocationAnswer | None
    log_code: str | None
    cosigners: tuple[str, ...]


def stop_grant(wallet: OpenWallet, grant_id: str) -> GrantRecord:
    """Stop presenting, durably; then deliver what can be delivered. Never fails for want of a network.

    Raises `Rejected`: `unknown_grant`, `no_grant` (the log refused it; there is nothing to stop).
    """
    record = wallet.grant(grant_id)
    if record.state == "failed" and record.stop is None:
        raise Rejected("no_grant", "the log refused this grant, so there is nothing to stop", status=409)
    if record.stop is None:
        stop = begin_stop(record, wallet.now())
        record = wallet.update_grant(grant_id, stop=stop, sealed=[], share_a="", deposits=[])
    return deliver_stop(wallet, grant_id)


def deliver_stop(wallet: OpenWallet, grant_id: str, *, pause: Callable[[float], None] = time.sleep) -> GrantRecord:
    """Hand r to the log and to every auditing cosigner at the same time, and look whether it is in the log."""
    record = wallet.grant(grant_id)
    if record.stop is None or record.stop.confirmed is not None or record.state == "failed":
        return record
    known = wallet.known_log(record.body.terms.log)
    r = revocation_secret(wallet.code(record), record.body.terms.version)
    delivery = hand_over(wallet.peers, known.log, known.cosigners, r)
    took = sorted({*record.stop.cosigners, *delivery.cosigners})
    receipt = delivery.promise.receipt if delivery.promise else record.stop.receipt
    stop = replace(record.stop, cosigners=took, receipt=receipt)
    record = wallet.update_grant(grant_id, stop=stop, problem=delivery.log_code)
    if delivery.promise is not None:
        return _confirm(wallet, grant_id, delivery.promise.slot, pause)
    moot_after = record.stop.moot_after if record.stop else None
    if delivery.log_code == "unknown_lock" and moot_after is not None and wallet.now() > moot_after:
        # The ticket is over, so a request of ours that was under way can no longer make this grant.
        record = wallet.update_grant(grant_id, state="failed", problem="never_logged")
    return record


def hand_over(peers: Peers, log: TrustedLog, cosigners: Sequence[TrustedWitness], r: bytes) -> Delivery:
    """r to the log and the cosigners in parallel; what fails is only noted. A log's promise is verified."""
    lock = lock_of(r)

    def to_log() -> tuple[RevocationAnswer | None, str | None]:
        try:
            answer = peers.revoke(log.url, r)
            verify_log_promise(answer, log, lock)
        except RegieError as error:
            return None, error.code
        return answer, None

    def to_cosigner(witness: TrustedWitness) -> bool:
        try:
            answer = peers.hand_over(witness.url, log.origin, r)
            verify_cosigner_promise(answer, witness, log.origin, lock)
        except RegieError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=1 + len(cosigners)) as pool:
        at_log = pool.submit(to_log)
        kept = list(pool.map(to_cosigner, cosigners))
    took = tuple(witness.name for witness, is_kept in zip(cosigners, kept, strict=True) if is_kept)
    return Delivery(lock, *at_log.result(), took)


def _confirm(wallet: OpenWallet, grant_id: str, slot: int, pause: Callable[[float], None]) -> GrantRecord:
    """Look until the revocation is in a checkpoint that the policy accepts; else leave it to `sync`, quietly."""
    for attempt in range(CONFIRM_TRIES):
        if attempt:
            pause(CONFIRM_PAUSE)
        try:
            record = look_back(wallet, grant_id, slot=slot).record
        except RegieError as error:
            if error.code in PATIENCE:
                continue
            return wallet.update_grant(grant_id, problem=error.code)
        if record.stop is not None and record.stop.confirmed is not None:
            return wallet.update_grant(grant_id, problem=None)
    return wallet.grant(grant_id)


def state_of_stop(record: GrantRecord) -> str:
    """As the resident reads it."""
    if record.state == "failed":
        return "never made"
    return "confirmed" if record.stop and record.stop.confirmed is not None else "not yet confirmed"
