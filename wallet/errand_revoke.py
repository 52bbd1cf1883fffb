"""The errand of stopping (protocol section 9): the wallet's own part first, then log and cosigners at once.

A stop that cannot be delivered waits in the vault and is delivered by `sync` or at the next errand. It counts as
confirmed only when the revocation's inclusion and the grant's own status bit were verified.
"""

import dataclasses
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
from wallet.errand_history import PATIENCE, look_back
from wallet.errand_versions import drop_intent, take_newer
from wallet.opened import OpenWallet
from wallet.records import GrantRecord
from wallet.records_refresh import RefreshIntent
from wallet.revoke import begin_stop, verify_cosigner_promise, verify_log_promise
from wallet.state import waits_for_log

CONFIRM_TRIES = 12
CONFIRM_PAUSE = 0.5
"""Seconds between two looks whether the revocation is in a witnessed checkpoint; after six `sync` goes on."""


@dataclass(frozen=True)
class Delivery:
    """What came of handing over one r. `promise`: the log's verified answer; `log_code`: why there is none.
    `newer`: the same of the version after it, where there may be one.
    """

    lock: bytes
    promise: RevocationAnswer | None
    log_code: str | None
    cosigners: tuple[str, ...]
    newer: "Delivery | None" = None

    @property
    def slot(self) -> int | None:
        """Of the version in force: the slot that the log promised to end; None while it did not."""
        last = self.newer.promise if self.newer and self.newer.promise else self.promise
        return last.slot if last else None


@dataclass(frozen=True)
class Errand:
    """What has to be handed over to whom, so that nobody needs the open wallet while it is on its way.

    `newer`: r of the next version, when a refresh is under way that the log may have taken: it comes second, since
    nothing can replace a version that is over.
    """

    log: TrustedLog
    cosigners: tuple[TrustedWitness, ...]
    r: bytes
    newer: bytes | None = None


def stop_grant(wallet: OpenWallet, grant_id: str) -> GrantRecord:
    """Stop presenting, durably; then deliver what can be delivered. Never fails for want of a network.

    Raises `Rejected`: those of `stop_here`.
    """
    stop_here(wallet, grant_id)
    return deliver_stop(wallet, grant_id)


def stop_here(wallet: OpenWallet, grant_id: str) -> GrantRecord:
    """The wallet's own part, durable: nothing more is presented under this grant. Sends nothing.

    Raises `Rejected`: `unknown_grant`, `no_grant` (the log refused it; there is nothing to stop).
    """
    record = wallet.grant(grant_id)
    if record.state == "failed" and record.stop is None:
        raise Rejected("no_grant", "the log refused this grant, so there is nothing to stop", status=409)
    if record.stop is not None:
        return record
    stop = begin_stop(record, wallet.now())
    return wallet.update_grant(grant_id, stop=stop, sealed=[], share_a="", deposits=[])


def deliver_stop(wallet: OpenWallet, grant_id: str, *, pause: Callable[[float], None] = time.sleep) -> GrantRecord:
    """Hand r to the log and to every auditing cosigner at the same time, and look whether it is in the log."""
    errand = prepare_delivery(wallet, grant_id)
    if errand is None:
        return wallet.grant(grant_id)
    delivery = carry_out(wallet.peers, errand)
    record = note_delivery(wallet, grant_id, delivery)
    if delivery.slot is None:
        return record
    return _confirm(wallet, grant_id, delivery.slot, pause)


def carry_out(peers: Peers, errand: Errand) -> Delivery:
    """Hand over the r of an errand, and of a newer version that there may be once the log has the first."""
    delivery = hand_over(peers, errand.log, errand.cosigners, errand.r)
    if errand.newer is None or delivery.promise is None:
        return delivery
    return dataclasses.replace(delivery, newer=hand_over(peers, errand.log, errand.cosigners, errand.newer))


def prepare_delivery(wallet: OpenWallet, grant_id: str) -> Errand | None:
    """What `hand_over` needs; None when there is nothing to deliver. Raises `Unavailable` without a known log."""
    record = wallet.grant(grant_id)
    if not waits_for_log(record):
        return None
    known = wallet.known_log(record.body.terms.log)
    code, version = wallet.code(record), record.body.terms.version
    is_refreshing = wallet.vault.get("refreshes", grant_id, RefreshIntent) is not None
    newer = revocation_secret(code, version + 1) if is_refreshing else None
    return Errand(known.log, tuple(known.cosigners), revocation_secret(code, version), newer)


def note_delivery(wallet: OpenWallet, grant_id: str, delivery: Delivery) -> GrantRecord:
    """Keep who has r by now; a grant that can no longer come into being is over."""
    record = wallet.grant(grant_id)
    if record.stop is None or not waits_for_log(record):
        return record
    if delivery.newer is not None:
        record = _note_newer(wallet, grant_id, delivery.newer)
        delivery = delivery.newer if delivery.newer.promise else delivery
    if record.stop is None:
        return record
    took = sorted({*record.stop.cosigners, *delivery.cosigners})
    receipt = delivery.promise.receipt if delivery.promise else record.stop.receipt
    stop = replace(record.stop, cosigners=took, receipt=receipt)
    record = wallet.update_grant(grant_id, stop=stop, problem=delivery.log_code)
    if delivery.log_code == "unknown_lock" and stop.moot_after is not None and wallet.now() > stop.moot_after:
        # The ticket is over, so a request of ours that was under way can no longer make this grant.
        record = wallet.update_grant(grant_id, state="failed", problem="never_logged")
    return record


def _note_newer(wallet: OpenWallet, grant_id: str, newer: Delivery) -> GrantRecord:
    """Whether the log had taken the refresh before the stop: then the newer version is what was stopped."""
    intent = wallet.vault.get("refreshes", grant_id, RefreshIntent)
    if intent is not None and newer.promise is not None:
        return take_newer(wallet, grant_id, intent, slot=newer.promise.slot, index=None)
    if intent is not None and newer.log_code == "unknown_lock":
        drop_intent(wallet, grant_id)
    return wallet.grant(grant_id)


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
        if is_confirmed(wallet, grant_id, slot):
            break
    return wallet.grant(grant_id)


def is_confirmed(wallet: OpenWallet, grant_id: str, slot: int) -> bool:
    """Look once; whether there is nothing more to wait for: it is confirmed, or wrong, which is kept."""
    try:
        record = look_back(wallet, grant_id, slot=slot).record
    except RegieError as error:
        if error.code in PATIENCE:
            return False
        wallet.update_grant(grant_id, problem=error.code)
        return True
    if record.stop is None or record.stop.confirmed is None:
        return False
    wallet.update_grant(grant_id, problem=None)
    return True
