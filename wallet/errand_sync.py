"""Catching up: deliver what waits, finish what was begun, find what a backup lacks, look at every grant."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from protocol.errors import RegieError, Unavailable
from wallet.errand_acts import ACT_STOPPED, find_acts
from wallet.errand_deposit import deliver_deposits
from wallet.errand_grant import carry_on
from wallet.errand_history import look_back
from wallet.errand_message import deliver_messages
from wallet.errand_paper import deliver_outbox
from wallet.errand_recover import recover_grants
from wallet.errand_refresh import LATER, carry_on_refresh, is_refreshing, refresh_agreements
from wallet.errand_renew import renew_cards
from wallet.errand_revoke import deliver_stop
from wallet.opened import OpenWallet
from wallet.state import is_running, waits_for_log

UNFINISHED = ("intended", "logged", "delivering")


@dataclass
class SyncReport:
    """What was done, by grant id; `waiting`: what still has to be delivered; `asks`: agreements whose data have
    changed and that wait for the resident, and why; `problems`: what, and its code.
    """

    stopped: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    delivered: int = 0
    waiting: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    asks: list[tuple[str, str]] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    unreachable: bool = False

    @property
    def stopped_acts(self) -> list[str]:
        """`mandate 1, entry 7 of the log`: what another party made, nobody could look into, and is stopped."""
        return [what for what, code in self.problems if code == ACT_STOPPED]

    @property
    def doubts(self) -> list[tuple[str, str]]:
        """Problems of agreements, by number: each has its evidence and its history."""
        return [(what, code) for what, code in self.problems if what.isdigit()]

    @property
    def others(self) -> list[tuple[str, str]]:
        """Problems of anything else: cards, logs, acts that could not be kept."""
        told = set(self.stopped_acts)
        return [(what, code) for what, code in self.problems if not what.isdigit() and what not in told]

    def note(self, what: str, error: RegieError) -> None:
        """A peer that cannot be reached is no problem of the grant; a refusal or a lie is."""
        if isinstance(error, Unavailable):
            self.unreachable = True
        else:
            self.problems.append((what, error.code))


def synchronise(wallet: OpenWallet) -> SyncReport:
    """Catch up with everybody: all the steps of `catch_up`.

    Never raises for a peer: one that is down or lies is noted, and the rest goes on.
    """
    report = SyncReport()
    for _ in catch_up(wallet, report):
        pass
    return report


def catch_up(
    wallet: OpenWallet, report: SyncReport, *, pause: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """One step each time that a value is asked for, so that whoever shares the wallet gets it in between.

    In this order, so that a stop comes first and nothing is begun that was stopped:

    1. paper codes that wait; 2. stops; 3. grants and refreshes that were begun, pieces for operators;
    4. messages; 5. after a restore: grants that the backup does not know; and what others did under a mandate;
    6. each running grant, held against the log: a stop by paper shows here; 7. cards that the register has changed
    since, and the agreements that follow it.
    """
    _try(report, "outbox", partial(_outbox, wallet, report))  # 1.
    yield
    for grant_id in wallet.grants():  # 2.
        if waits_for_log(wallet.grant(grant_id)):
            _try(report, grant_id, partial(_stop, wallet, grant_id, report, pause))
            yield
    for grant_id in wallet.grants():  # 3.
        record = wallet.grant(grant_id)
        if record.stop is None and record.state in UNFINISHED:
            _try(report, grant_id, partial(_finish, wallet, grant_id, report))
            yield
    for grant_id in wallet.grants():
        if is_refreshing(wallet, grant_id):
            _try(report, grant_id, partial(_renew, wallet, grant_id, report))
            yield
    for grant_id in wallet.grants():
        record = wallet.grant(grant_id)
        if record.deposits and record.stop is None and record.slot is not None:
            _try(report, grant_id, partial(_deposit, wallet, grant_id, report))
            yield
    left = deliver_messages(wallet)  # 4.
    report.waiting += ["message"] * left
    yield
    _try(report, "logs", partial(recover_grants, wallet, report.found, report.note))  # 5.
    yield
    _try(report, "mandates", partial(find_acts, wallet, report.found, report.note))
    yield
    away: set[str] = set()
    for grant_id in wallet.grants():  # 6.
        record = wallet.grant(grant_id)
        if is_running(record, wallet.now()) and record.body.terms.log not in away:
            if not _try(report, grant_id, partial(_look, wallet, grant_id, report)):
                away.add(record.body.terms.log)  # a log that cannot be reached is not waited for again and again
            yield
    if any(is_running(record, wallet.now()) for record in wallet.grants().values()):  # 7.
        _try(report, "cards", partial(_follow, wallet, report))
        yield


def deliver_stops(wallet: OpenWallet) -> None:
    """What waits most urgently, at the start of any errand that goes out anyway. Silent."""
    for grant_id, record in wallet.grants().items():
        if waits_for_log(record):
            try:
                deliver_stop(wallet, grant_id, pause=lambda seconds: None)
            except RegieError:
                continue


def _try(report: SyncReport, what: str, step: Callable[[], None]) -> bool:
    """Whether whom the step needed could be reached."""
    try:
        step()
    except RegieError as error:
        report.note(what, error)
        return not isinstance(error, Unavailable)
    return True


def _outbox(wallet: OpenWallet, report: SyncReport) -> None:
    delivered, waiting = deliver_outbox(wallet)
    report.delivered += delivered
    report.waiting += ["paper code"] * waiting


def _stop(wallet: OpenWallet, grant_id: str, report: SyncReport, pause: Callable[[float], None]) -> None:
    record = deliver_stop(wallet, grant_id, pause=pause)
    if record.state == "failed" or (record.stop is not None and record.stop.confirmed is not None):
        report.stopped.append(grant_id)
    else:
        report.waiting.append(f"stop {grant_id}")


def _finish(wallet: OpenWallet, grant_id: str, report: SyncReport) -> None:
    try:
        carry_on(wallet, grant_id)
    finally:
        state = wallet.grant(grant_id).state
        if state == "active":
            report.finished.append(grant_id)
        elif state in UNFINISHED and wallet.grant(grant_id).stop is None:
            report.waiting.append(f"grant {grant_id}")


def _renew(wallet: OpenWallet, grant_id: str, report: SyncReport) -> None:
    """A refresh that was begun goes on; one that cannot yet is no problem of the agreement."""
    try:
        carry_on_refresh(wallet, grant_id)
    except RegieError as error:
        report.waiting.append(f"renewal of {grant_id}")
        if not isinstance(error, Unavailable) and error.code not in LATER:
            report.problems.append((grant_id, error.code))
        return
    report.renewed.append(grant_id)


def _follow(wallet: OpenWallet, report: SyncReport) -> None:
    """Cards that the register has changed since come again, and with them the agreements that follow."""
    if wallet.must_search:
        return
    renewed = renew_cards(wallet)
    report.problems += renewed.problems
    refreshed = refresh_agreements(wallet)
    report.renewed += refreshed.renewed
    for grant_id in refreshed.renewed:
        _try(report, grant_id, partial(_look, wallet, grant_id, report))
    report.waiting += [f"renewal of {grant_id}" for grant_id in refreshed.waiting]
    report.problems += refreshed.problems
    report.asks += refreshed.asks


def _deposit(wallet: OpenWallet, grant_id: str, report: SyncReport) -> None:
    if deliver_deposits(wallet, grant_id).deposits:
        report.waiting.append(f"share of grant {grant_id}")


def _look(wallet: OpenWallet, grant_id: str, report: SyncReport) -> None:
    record = look_back(wallet, grant_id).record
    if record.stop is not None and record.stop.confirmed is not None:
        report.stopped.append(grant_id)
