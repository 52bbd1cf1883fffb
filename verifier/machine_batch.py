"""Running a batch: several rows at a time, each a READ of its own, and none of them twice.

The order of a row: 1. its READ is kept, bound to the row; 2. the log enters it; 3. proofs and number are kept;
4. the caller has the values; 5. the row is closed and the reply key of its READ goes. Killed before 2, the READ is
sent (or, when it is too old, made again: it is in no log). Killed between 2 and 5, the same READ is sent again and
the log gives the same entry. So a line may come twice after a kill, with the same entry; a READ never does.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from threading import Event

from protocol.errors import Rejected, Unavailable
from service.trace import Span, span, within
from verifier.batch import Result, Row, input_hash
from verifier.batches import HANDED_OVER, RowName
from verifier.desk import Desk
from verifier.gate import Purpose
from verifier.reader import TRANSIENT, read_grant

PARALLEL = 8
"""Rows at a time: the log publishes them together, and most of a single read is waiting for that."""
MAX_PARALLEL = 64
TRIES = 5
"""Of one row, while the log or an operator cannot be reached; then the batch stops, to be resumed."""
LOCK = "batch.lock"
"""One batch at a time in a home: two runs of one batch would read its rows twice."""
_LATER = frozenset({408, 425, 429})
"""Statuses that ask for another try: what stands before the log is busy, and the READ may still be admitted."""
LONGEST_PAUSE = 10.0
"""Seconds between two tries."""


@dataclass(frozen=True)
class Batch:
    """`purpose.case` is set for each row; `parallel` rows at a time."""

    desk: Desk
    rows: tuple[Row, ...]
    purpose: Purpose
    parallel: int

    @property
    def input(self) -> bytes:
        """By what it is found again."""
        return input_hash(self.rows, self.purpose.officer, self.purpose.zone)


@dataclass(frozen=True)
class Progress:
    """`before`: rows that were over when this run began; `read`, `refused`: in this run; `seconds` so far."""

    batch: str
    size: int
    before: int
    read: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def left(self) -> int:
        """Rows that are not over."""
        return self.size - self.before - self.read - self.refused

    @property
    def rate(self) -> float:
        """Rows a second in this run."""
        return (self.read + self.refused) / self.seconds if self.seconds else 0.0


def run_batch(
    batch: Batch,
    deliver: Callable[[Sequence[Result]], None],
    *,
    resume: bool,
    told: Callable[[Progress], None],
) -> Progress:
    """See `machine.Agency.batch`."""
    with batch.desk.home.lock(LOCK):
        name = _begin(batch, resume=resume)
        store = batch.desk.store.batches
        over = store.over(name)
        progress, started = Progress(name, len(batch.rows), len(over)), time.monotonic()
        wanted = (n for n in range(len(batch.rows)) if n not in over)
        # Closed first: no row is under way once the lock goes.
        with span() as trace, closing(_results(batch, name, wanted, trace)) as found:
            for results in found:
                deliver(results)
                store.close(name, [(result.n, _outcome(result)) for result in results])
                progress = _after(progress, results, time.monotonic() - started)
                told(progress)
        store.finish(name, batch.desk.now())
    return progress


def _outcome(result: Result) -> str:
    return HANDED_OVER if result.error is None else result.error.code


def _after(progress: Progress, results: Sequence[Result], seconds: float) -> Progress:
    refused = sum(result.error is not None for result in results)
    read = progress.read + len(results) - refused
    return replace(progress, read=read, refused=progress.refused + refused, seconds=seconds)


def _begin(batch: Batch, *, resume: bool) -> str:
    """The batch under way, or a new one. Raises `Rejected`: `batch_under_way`, `unknown_batch` 404."""
    store = batch.desk.store.batches
    if resume:
        found = store.under_way(batch.input)
        if found is None:
            raise Rejected("unknown_batch", "no batch of these rows by this officer is under way", status=404)
        return found
    name = batch.desk.parts.random(16).hex()
    store.begin(name, batch.input, len(batch.rows), batch.desk.now())
    return name


def _results(batch: Batch, name: str, wanted: Iterator[int], trace: Span) -> Generator[list[Result]]:
    """Results as they come, with never more than `parallel` rows under way or waiting for the caller.

    When a row cannot be had now, no other is begun. Raises that `Unavailable` after what did come.
    """
    stop = Event()
    failed: Unavailable | None = None
    with ThreadPoolExecutor(batch.parallel, thread_name_prefix="batch") as pool:
        try:
            under_way: set[Future[Result]] = set()
            while True:
                more = islice(wanted, 0 if failed else batch.parallel - len(under_way))
                under_way |= {pool.submit(_row, batch, RowName(name, n), stop, trace) for n in more}
                if not under_way:
                    break
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                results = []
                for future in done:
                    try:
                        results.append(future.result())
                    except Unavailable as error:
                        failed = error
                        stop.set()
                yield results
        finally:
            stop.set()
    if failed is not None:
        raise failed


def _row(batch: Batch, name: RowName, stop: Event, trace: Span) -> Result:
    """One row, in the batch's trace. Raises `Unavailable` when it cannot be had now."""
    row = batch.rows[name.n]
    purpose = replace(batch.purpose, case=row.case)
    for tries_left in reversed(range(TRIES)):
        try:
            with within(trace):
                opened = read_grant(batch.desk, row.grant, row.only, purpose, row=name)
            return Result(name.n, row, opened.values, opened.index, opened.n, opened.outdated)
        except Rejected as error:
            if error.code not in TRANSIENT and error.status not in _LATER:
                return Result(name.n, row, error=error)
            failed = Unavailable(error.code, error.detail)
        except Unavailable as error:
            failed = error
        if not tries_left or stop.wait(min(failed.retry_after, LONGEST_PAUSE)):
            break
    raise failed
