"""What takes longer than a page: a check or a case, one at a time, in a thread that dies with the program."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from auditor.watch import Progress
from protocol.errors import RegieError
from service.clock import Clock
from service.journal import log_event

KEPT_SECONDS = 1800
"""How long a result stays; a case is opened anew after that, with a reason."""
MAX_KEPT = 16
Kind = Literal["look", "proof", "case"]


@dataclass
class Job:
    """`what`, `done`, `of`: what it is doing now. `code`: why it failed. `result`: what it gave.

    `owner`: who began it, where the result is for nobody else; "" for all.
    """

    id: str
    kind: Kind
    started: int
    owner: str = ""
    state: Literal["running", "done", "failed"] = "running"
    what: str = ""
    done: int = 0
    of: int = 0
    ended: int | None = None
    code: str = ""
    result: Any = None

    def share(self) -> int:
        """How far it is, in per cent."""
        return min(100, 100 * self.done // self.of) if self.of else 0


class Jobs:
    """Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(self, kind: Kind, work: Callable[[Progress], Any], *, owner: str = "") -> Job:
        """Begin `work`, unless one is under way: then that one is meant, if it is a look or a proof."""
        with self._lock:
            self._forget()
            running = next(
                (job for job in self._jobs.values() if job.state == "running" and job.kind == kind), None
            )
            if running is not None and kind != "case":
                return running
            job = Job(secrets.token_urlsafe(16), kind, self._clock.now(), owner)
            self._jobs[job.id] = job
        threading.Thread(target=self._run, args=(job, work), name=f"console-{kind}", daemon=True).start()
        return job

    def find(self, job_id: str) -> Job | None:
        """A job that runs or whose result is still kept."""
        with self._lock:
            self._forget()
            return self._jobs.get(job_id)

    def latest(self, kind: Kind) -> Job | None:
        """The one that began last."""
        with self._lock:
            return next((job for job in reversed(self._jobs.values()) if job.kind == kind), None)

    def _run(self, job: Job, work: Callable[[Progress], Any]) -> None:
        def progress(what: str, done: int, of: int) -> None:
            job.what, job.done, job.of = what, done, of

        try:
            result = work(progress)
        except RegieError as error:
            log_event("auditor", "job_failed", kind=job.kind, code=error.code)
            job.code, job.ended, job.state = error.code, self._clock.now(), "failed"
        else:
            job.result, job.ended, job.state = result, self._clock.now(), "done"
        finally:
            if job.ended is None:  # nobody foresaw this error, which goes on its way
                job.code, job.ended, job.state = "internal", self._clock.now(), "failed"

    def _forget(self) -> None:
        now = self._clock.now()
        old = [job.id for job in self._jobs.values() if job.ended is not None and now - job.ended > KEPT_SECONDS]
        ended = [job.id for job in self._jobs.values() if job.ended is not None and job.id not in old]
        for job_id in [*old, *ended[: max(0, len(self._jobs) - len(old) - MAX_KEPT)]]:
            del self._jobs[job_id]
