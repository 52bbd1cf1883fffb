"""What takes longer than a page may: catching up, delivering stops, searching the log. One of a kind at a time.

A job takes the wallet for one step and gives it back, so that pages open meanwhile. It ends when the wallet is
locked: what it had to do is in the vault, and the next job goes on with it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from protocol.errors import RegieError
from wallet.opened import OpenWallet
from wallet.ui.session import Keeper, Locked

JobState: TypeAlias = Literal["running", "done", "failed", "locked"]
_JOBS = "jobs"
_BREATH = 0.005
"""Seconds between two steps: whoever waits for the wallet gets it first."""


@dataclass
class Job:
    """`done` of `total` steps; `code`: why it failed; `result`: what came of it; `about`: which agreement."""

    kind: str
    keeper: Keeper = field(repr=False)
    about: str = ""
    done: int = 0
    total: int = 0
    state: JobState = "running"
    code: str = ""
    ended_at: int | None = None
    result: object = None
    _wallet: OpenWallet | None = field(default=None, repr=False)

    @contextmanager
    def wallet(self) -> Iterator[OpenWallet]:
        """The wallet for one step. Raises `Locked` also when it was locked and opened again in between."""
        time.sleep(_BREATH)
        with self.keeper.in_use() as wallet:
            self._wallet = self._wallet or wallet
            if self._wallet is not wallet:
                raise Locked
            yield wallet

    @property
    def is_running(self) -> bool:
        """Whether it is still at work."""
        return self.state == "running"

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100."""
        return min(100, 100 * self.done // self.total) if self.total else 0


def begin(keeper: Keeper, kind: str, work: Callable[[Job], None], *, about: str = "") -> Job:
    """Start `work` in a thread of its own, unless one of its kind runs: then that one. Raises `Locked`."""
    with keeper.in_use():
        running = job_of(keeper, kind)
        if running is not None and running.is_running:
            return running
        job = Job(kind, keeper, about)
        cast(dict[str, Job], keeper.memory.setdefault(_JOBS, {}))[kind] = job
    threading.Thread(target=_run, args=(job, work), name=kind, daemon=True).start()
    return job


def job_of(keeper: Keeper, kind: str) -> Job | None:
    """The last one of a kind since the wallet was opened."""
    return cast(dict[str, Job], keeper.memory.get(_JOBS, {})).get(kind)


def _run(job: Job, work: Callable[[Job], None]) -> None:
    state: JobState = "failed"
    try:
        work(job)
        state = "done"
    except Locked:
        state = "locked"
    except RegieError as error:
        job.code = error.code
    finally:
        job.ended_at = job.keeper.clock.now()
        job.state = state
