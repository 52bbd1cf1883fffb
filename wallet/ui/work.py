"""The jobs themselves: each runs the errands that the command line runs, step by step."""

import time
from collections.abc import Callable
from contextlib import suppress

from protocol.errors import RegieError, Rejected
from wallet import errand_revoke
from wallet.errand_history import look_back
from wallet.errand_leaves import keep_search_evidence, search_leaves
from wallet.errand_message import note_message, prepare_messages, send
from wallet.errand_revoke import carry_out, is_confirmed, note_delivery, prepare_delivery
from wallet.errand_sync import UNFINISHED, SyncReport, catch_up
from wallet.records import OutgoingMessage
from wallet.state import is_running, waits_for_log
from wallet.ui.jobs import Job, begin
from wallet.ui.session import Keeper
from wallet.ui.shelf import book_of

SYNC, STOP, SEARCH, MESSAGES, RETRY = "sync", "stop", "search", "messages", "retry"
RETRY_SECONDS, RETRY_MOST = 30.0, 600.0
"""Between two tries to deliver what waits: at first, and at most."""
_LOOK = 0.5
"""Seconds after which a pause notices that the wallet was locked."""


def begin_sync(keeper: Keeper) -> Job:
    """Deliver what waits and hold every agreement against the log. Raises `Locked`."""
    return begin(keeper, SYNC, lambda job: _then_again(job, _synchronise))


def begin_delivery(keeper: Keeper) -> Job:
    """Hand over every stop that the log has not confirmed. Raises `Locked`."""
    return begin(keeper, STOP, lambda job: _then_again(job, _deliver_stops))


def begin_messages(keeper: Keeper) -> Job:
    """Send the messages that wait. Raises `Locked`."""
    return begin(keeper, MESSAGES, lambda job: _then_again(job, _send_messages))


def begin_search(keeper: Keeper, number: str) -> Job:
    """Go through the whole log for entries about one agreement. Raises `Locked`."""
    return begin(keeper, SEARCH, lambda job: _search(job, number), about=number)


def _then_again(job: Job, work: Callable[[Job], None]) -> None:
    """Do it, and have what still waits then tried again later."""
    work(job)
    if _has_waiting(job):
        begin(job.keeper, RETRY, _retry)


def _retry(job: Job) -> None:
    """While the wallet is open: what waits goes out again, ever more seldom, until somebody takes it."""
    pause = RETRY_SECONDS
    while _pause(job, pause) and _has_waiting(job):
        _deliver_stops(job)
        _send_messages(job)
        pause = min(2 * pause, RETRY_MOST)


def _pause(job: Job, seconds: float) -> bool:
    """Whether the wallet is still open after so long."""
    end = time.monotonic() + seconds
    while job.keeper.is_open and time.monotonic() < end:
        time.sleep(min(_LOOK, seconds))
    return job.keeper.is_open


def _has_waiting(job: Job) -> bool:
    with job.wallet() as wallet:
        sent = wallet.vault.all("messages", OutgoingMessage).values()
        stops = any(waits_for_log(record) for record in wallet.grants().values())
        return stops or any(not (message.at_log and message.at_agency) for message in sent)


def _synchronise(job: Job) -> None:
    report = SyncReport()
    job.result = report
    with job.wallet() as wallet:
        book_of(wallet, job.keeper)  # so that the first page need not wait for it
    with job.wallet() as wallet:
        now = wallet.now()
        job.total = 4 + sum(
            is_running(record, now) or waits_for_log(record) or record.state in UNFINISHED
            for record in wallet.grants().values()
        )
        steps = catch_up(wallet, report, pause=_no_pause)
    while True:
        with job.wallet():
            if next(steps, steps) is steps:
                return
        job.done += 1


def _no_pause(seconds: float) -> None:
    """Nobody waits with the wallet in hand: what is not confirmed by then is looked at the next time."""


def _deliver_stops(job: Job) -> None:
    """Each once, over the network without the wallet in hand; then until the log has what it promised.

    A stop that is asked for meanwhile is delivered too.
    """
    tried: set[str] = set()
    slots: dict[str, int] = {}
    for _ in range(errand_revoke.CONFIRM_TRIES):
        for number in _waiting(job, tried):
            tried.add(number)
            slot = _deliver(job, number)
            if slot is not None:
                slots[number] = slot
            job.done += 1
        for number, slot in list(slots.items()):
            with job.wallet() as wallet:
                if is_confirmed(wallet, number, slot):
                    del slots[number]
        if not slots and not _waiting(job, tried):
            return
        time.sleep(errand_revoke.CONFIRM_PAUSE)


def _waiting(job: Job, tried: set[str]) -> list[str]:
    """Stops that the log has not confirmed and that were not tried yet."""
    with job.wallet() as wallet:
        found = [name for name, record in wallet.grants().items() if waits_for_log(record) and name not in tried]
    job.total = len(tried) + len(found)
    return found


def _deliver(job: Job, number: str) -> int | None:
    """The slot that the log promised to end; None when it did not, or nothing is known of that log."""
    try:
        with job.wallet() as wallet:
            errand = prepare_delivery(wallet, number)
            peers = wallet.peers
    except RegieError:
        return None
    if errand is None:
        return None
    delivery = carry_out(peers, errand)
    with job.wallet() as wallet:
        note_delivery(wallet, number, delivery)
    return delivery.slot


def _send_messages(job: Job) -> None:
    """Over the network without the wallet in hand."""
    try:
        with job.wallet() as wallet:
            deliveries, peers = prepare_messages(wallet), wallet.peers
    except RegieError:
        return
    for delivery in deliveries:
        now_sent = send(peers, delivery)
        with job.wallet() as wallet:
            note_message(wallet, delivery, now_sent)
            if now_sent.at_log and not delivery.sent.at_log:  # so that the page shows it as an entry of the log
                with suppress(RegieError):
                    look_back(wallet, now_sent.grant)


def _search(job: Job, number: str) -> None:
    with job.wallet() as wallet:
        found = look_back(wallet, number)
        log_url = wallet.known_log(found.record.body.terms.log).log.url
        around = wallet
    first = found.history.events[0].index if found.history.events else found.record.index or 0
    job.total = found.history.status.checkpoint.size - first
    job.result = job.total
    try:
        for reached in search_leaves(around, found, log_url):
            job.done = reached - first
            if not job.keeper.is_open:
                return
    except Rejected as error:
        with job.wallet() as wallet:
            keep_search_evidence(wallet, found, error)
        raise
