"""Where operations wait: for the writer, and then for the checkpoint that covers their leaf.

A revocation is always let in, and taken first. A read passes twice: appended, and, once its leaf is under a
published checkpoint, as its release. Whoever gave up waiting (a cancelled future) is passed over.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition
from typing import Protocol

from consentlog.operations import (
    Admitted,
    Delivered,
    Granted,
    Operation,
    Outcome,
    ReadOperation,
    ReleaseOperation,
    RevocationOperation,
)
from protocol.errors import RegieError, Unavailable

MAX_GROUP = 256
"""Revocations of one transaction, and as many of all else: a flood of one does not keep out the other."""
GATHER_SECONDS = 0.004
"""How long a group waits for company while what was written before it still waits for its checkpoint: until that
is published nothing written now can be, and a group costs as much for one operation as for twenty."""
MAX_WAITING = 2048
"""Operations that wait; beyond that `busy`."""


class Answer(Protocol):
    """Where an outcome goes: a `concurrent.futures.Future`, or `LoopAnswer`."""

    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""

    def set_running_or_notify_cancel(self) -> bool:
        """Whether somebody still waits for it; called once, before it is set."""

    def set_result(self, result: Outcome) -> None:
        """It was done."""

    def set_exception(self, exception: BaseException) -> None:
        """It was not."""


class Mailbox:
    """Brings the answers of a group into an event loop with one call: each call wakes the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._letters: deque[tuple[asyncio.Future[Outcome], Outcome | BaseException]] = deque()
        self._is_called = False

    def deliver(self, future: "asyncio.Future[Outcome]", outcome: Outcome | BaseException) -> None:
        """From any thread."""
        self._letters.append((future, outcome))
        if not self._is_called:
            self._is_called = True
            with suppress(RuntimeError):  # the loop has ended: nobody is left to answer
                self._loop.call_soon_threadsafe(self._open)

    def _open(self) -> None:
        # First the flag: who delivers from here on calls again, and is at worst opened twice.
        self._is_called = False
        while self._letters:
            future, outcome = self._letters.popleft()
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class LoopAnswer:
    """The place of an answer that is awaited in an event loop."""

    def __init__(self, mailbox: Mailbox, future: "asyncio.Future[Outcome]") -> None:
        self._mailbox = mailbox
        self._future = future

    def cancelled(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._future.cancelled()

    def set_running_or_notify_cancel(self) -> bool:
        """Whether somebody still waits for it."""
        return not self._future.cancelled()

    def set_result(self, result: Outcome) -> None:
        """It was done."""
        self._mailbox.deliver(self._future, result)

    def set_exception(self, exception: BaseException) -> None:
        """It was not."""
        self._mailbox.deliver(self._future, exception)


@dataclass
class Waiting:
    """An operation and the place for its answer; `outcome` once that waits for a checkpoint."""

    operation: Operation
    answer: Answer
    outcome: Granted | Admitted | Delivered | None = None


class WaitingRoom:
    """Thread-safe. `covered()` tells how many leaves the published checkpoint has."""

    def __init__(self, covered: Callable[[], int]) -> None:
        self._covered = covered
        self._wake = Condition()
        self._urgent: deque[Waiting] = deque()
        self._queue: deque[Waiting] = deque()
        self._uncovered: list[Waiting] = []
        self._is_open = True
        self.only_revocations = False

    def put(self, operation: Operation) -> "Future[Outcome]":
        """The answer, in time. Raises `Unavailable`: `busy`."""
        answer: Future[Outcome] = Future()
        self.enter(operation, answer)
        return answer

    def enter(self, operation: Operation, answer: Answer) -> None:
        """As `put`, for who has a place for the answer. Raises `Unavailable`: `busy`."""
        waiting = Waiting(operation, answer)
        with self._wake:
            if not self._is_open:
                raise Unavailable("busy", "the log is stopping")
            if isinstance(operation, RevocationOperation):
                self._urgent.append(waiting)
            elif self.only_revocations or len(self._queue) >= MAX_WAITING:
                raise Unavailable("busy", "the log takes only revocations now", retry_after=5)
            else:
                self._queue.append(waiting)
            self._wake.notify()

    def answer(self, waiting: Waiting, outcome: Outcome | RegieError) -> None:
        """An operation has been written, durably: answer it, or let it wait for its checkpoint."""
        if isinstance(outcome, Granted | Admitted | Delivered):
            waiting.outcome = outcome
            with self._wake:
                self._go_on(waiting, self._covered())
        else:
            _resolve(waiting, outcome)

    def published(self) -> None:
        """A checkpoint was published: what it covers goes on."""
        with self._wake:
            covered, waiting = self._covered(), self._uncovered
            self._uncovered = []
            for each in waiting:
                self._go_on(each, covered)
            self._wake.notify()

    def take(self, timeout: float) -> list[Waiting] | None:
        """The next group, revocations first; empty after `timeout` seconds, None once the room is closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._urgent or self._queue or not self._is_open, timeout)
            if self._queue:
                self._wake.wait_for(self._is_pressing, GATHER_SECONDS)
            if not self._is_open:
                return None
            group: list[Waiting] = []
            for line in (self._urgent, self._queue):
                taken = [line.popleft() for _ in range(min(len(line), MAX_GROUP))]
                group += [waiting for waiting in taken if not waiting.answer.cancelled()]
            return group

    def counts(self) -> tuple[int, int, int]:
        """How many wait: revocations, other operations, those that were written and wait for their checkpoint."""
        return len(self._urgent), len(self._queue), len(self._uncovered)

    def _is_pressing(self) -> bool:
        """Whether the next group should be taken at once: a stop, a release, a full group, nothing to wait for."""
        if not self._is_open or self._urgent or not self._uncovered or len(self._queue) >= MAX_GROUP:
            return True
        return isinstance(self._queue[0].operation, ReleaseOperation)

    def close(self) -> None:
        """Let nobody in any more and answer `busy` to all who wait."""
        with self._wake:
            self._is_open = False
            left = [*self._urgent, *self._queue, *self._uncovered]
            self._urgent.clear()
            self._queue.clear()
            self._uncovered = []
            self._wake.notify_all()
        for waiting in left:
            _resolve(waiting, Unavailable("busy", "the log has stopped"))

    def _go_on(self, waiting: Waiting, covered: int) -> None:
        """With the condition held. Releases go before reads that come after them: they free their askers."""
        outcome = waiting.outcome
        if outcome is None or outcome.index >= covered:
            self._uncovered.append(waiting)
        elif isinstance(outcome, Admitted):
            if not isinstance(waiting.operation, ReadOperation):
                raise TypeError("only a read is admitted")
            release = ReleaseOperation(waiting.operation, outcome)
            self._queue.append(Waiting(release, waiting.answer))
        else:
            _resolve(waiting, outcome)


def _resolve(waiting: Waiting, outcome: Outcome | RegieError) -> None:
    if not waiting.answer.set_running_or_notify_cancel():
        return
    if isinstance(outcome, RegieError):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)
