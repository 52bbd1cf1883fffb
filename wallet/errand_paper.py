"""Stopping by paper code, from any wallet or none: only the trust list is needed, no passphrase, no vault.

The code makes r_1, r_2 ... and the view key. Nobody knows how many versions the grant has had, so each r is posted
until one is unknown. While nobody can be reached they wait in the home's outbox: they end grants and open nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from protocol.canonical import parse_struct
from protocol.errors import RegieError, Rejected
from protocol.revocation_code import view_key
from protocol.trust_list import TrustedLog, TrustedWitness
from service.home import Home
from wallet import errand_revoke
from wallet.config import OUTBOX, Outbox
from wallet.errand_history import PATIENCE, history_pages
from wallet.errand_revoke import Delivery, hand_over
from wallet.history import OwnGrant, verify_history
from wallet.opened import Surroundings
from wallet.records import KnownLog
from wallet.recover import recover_terms
from wallet.revoke import auditing_cosigners, queue_secrets, queue_text, versions

_UNKNOWN = "unknown_lock"
MAX_OUTBOX_BYTES = 4 * 1024 * 1024
"""A code is 3 KiB in it; a stop paper leaves up to `errand_stop_all.QUEUED` of them."""


@dataclass(frozen=True)
class PaperStop:
    """`state`: `confirmed` or `not yet confirmed`; `at_log`: the log promised it; `cosigners` who keep it."""

    state: str
    at_log: bool
    cosigners: tuple[str, ...]


@dataclass(frozen=True)
class AtLog:
    """What one log and the cosigners said to r_1, r_2 ... The last delivery is the one that nobody took."""

    log: TrustedLog
    deliveries: tuple[Delivery, ...]

    @property
    def took(self) -> tuple[Delivery, ...]:
        return tuple(found for found in self.deliveries if found.promise or found.cosigners)

    @property
    def is_elsewhere(self) -> bool:
        """The log was reached and has no such grant."""
        return not self.took and self.deliveries[-1].log_code == _UNKNOWN

    @property
    def is_done(self) -> bool:
        """Every version that exists is promised by the log."""
        return all(found.promise for found in self.took) and self.deliveries[-1].log_code == _UNKNOWN


def stop_by_code(around: Surroundings, code: bytes, *, log_url: str | None = None) -> PaperStop:
    """Every grant that the code can end. `log_url`: from the QR of the receipt; the digits name no log.

    Raises `Rejected`: `unknown_code` when every log answered and none has such a grant, `unknown_log`;
    `Unavailable`: `trust_list`.
    """
    secrets = versions(code)
    outcomes = _post(around, secrets, log_url)
    if all(outcome.is_elsewhere for outcome in outcomes):
        raise Rejected("unknown_code", "no grant has this code; check the digits", status=404)
    cosigners = {name for outcome in outcomes for found in outcome.took for name in found.cosigners}
    pending = [outcome for outcome in outcomes if not outcome.is_done]
    if pending:
        queue(around.home, [secrets])
    confirmed = not pending and all(
        is_confirmed(around, outcome.log, code, found) for outcome in outcomes for found in outcome.took
    )
    return PaperStop(
        "confirmed" if confirmed else "not yet confirmed", at_log=not pending, cosigners=tuple(sorted(cosigners))
    )


def deliver_outbox(around: Surroundings) -> tuple[int, int]:
    """Deliver what waits; (delivered, still waiting). What every log denies to have is dropped as delivered.

    While a log cannot be reached, and nobody keeps its revocations, the rest waits without being tried.
    """
    waiting = _read_outbox(around.home).codes
    left: list[list[str]] = []
    is_away = False
    for texts in waiting:
        outcomes = [] if is_away else _post(around, queue_secrets(texts), None)
        if is_away or not all(outcome.is_done or outcome.is_elsewhere for outcome in outcomes):
            left.append(texts)
            is_away = is_away or any(not outcome.took and not outcome.is_elsewhere for outcome in outcomes)
    if len(left) < len(waiting):
        around.home.write_json(OUTBOX, Outbox(left), secret=True)
    return len(waiting) - len(left), len(left)


def _post(around: Surroundings, secrets: Sequence[bytes], log_url: str | None) -> list[AtLog]:
    trust = around.trust_list()
    cosigners = auditing_cosigners(trust)
    outcomes = []
    for log in trust.logs:
        if log_url in (None, log.url):
            outcomes.append(post_code(around, log, cosigners, secrets))
    if not outcomes:
        raise Rejected("unknown_log", "the log on this receipt is not on your trust list", status=404)
    return outcomes


def post_code(
    around: Surroundings, log: TrustedLog, cosigners: Sequence[TrustedWitness], secrets: Sequence[bytes]
) -> AtLog:
    """r_1, r_2 ... of one code to one log and the cosigners, until nobody takes the next one."""
    deliveries: list[Delivery] = []
    for r in secrets:
        deliveries.append(hand_over(around.peers, log, cosigners, r))
        if not deliveries[-1].promise and not deliveries[-1].cosigners:
            break
    return AtLog(log, tuple(deliveries))


def is_confirmed(
    around: Surroundings, log: TrustedLog, code: bytes, found: Delivery, *, tries: int | None = None
) -> bool:
    """Whether the revocation stands in a witnessed checkpoint by now; gives the witnesses some seconds."""
    for attempt in range(tries or errand_revoke.CONFIRM_TRIES):
        if attempt:
            time.sleep(errand_revoke.CONFIRM_PAUSE)
        try:
            if found.promise is None or _is_in_log(around, log, code, found.lock, found.promise.slot):
                return found.promise is not None
        except RegieError as error:
            if error.code not in PATIENCE:
                return False
    return False


def _is_in_log(around: Surroundings, log: TrustedLog, code: bytes, lock: bytes, slot: int) -> bool:
    """The code opens the events of the grant, which hold its terms; with them the events are verified."""
    pages = history_pages(around, KnownLog(log, []), slot, view_key(code))
    first = next(pages)
    terms, opening_key = recover_terms(first.answer, lock)
    agency = around.trust_list().agency(terms.recipient)
    own = OwnGrant(terms, slot, first.answer.events[0].index, opening_key, agency)
    return verify_history(chain((first,), pages), own, log, is_part=True).revocation is not None


def queue(home: Home, codes: Sequence[Sequence[bytes]]) -> None:
    """Keep the secrets of some codes until they can be delivered; one that is kept already is kept once."""
    kept = _read_outbox(home).codes
    firsts = {texts[0] for texts in kept}
    fresh = [texts for texts in map(queue_text, codes) if texts[0] not in firsts]
    if fresh:
        home.write_json(OUTBOX, Outbox([*kept, *fresh]), secret=True)


def _read_outbox(home: Home) -> Outbox:
    if not home.has(OUTBOX):
        return Outbox()
    return parse_struct(home.read_secret(OUTBOX), Outbox, max_bytes=MAX_OUTBOX_BYTES)
