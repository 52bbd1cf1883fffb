"""The one thread that writes: it takes what is waiting as a group, in one durable transaction.

Revocations come first and win every tie; then releases, so that no share leaves for a grant that the same group
revokes; then everything else; then once more the revocations that found no lock, whose grant may be in the group.
Nothing is answered before the group's commit has been acknowledged as durable.
"""

import time
from collections.abc import Callable
from threading import Thread

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from consentlog import crash, upkeep
from consentlog.admit import HOUR, admit_release
from consentlog.follow import FarBehind, Memory
from consentlog.log_time import LogTime
from consentlog.meters import Meters
from consentlog.operations import (
    EraseOperation,
    GrantOperation,
    Operation,
    Outcome,
    ReleaseOperation,
    RevocationOperation,
    Sealed,
)
from consentlog.publish import Published
from consentlog.release import seal_claim_shares
from consentlog.reserve import Reserve
from consentlog.rows import Changes
from consentlog.sequence import Group, keys_of
from consentlog.store import beat, load_rows, save_changes
from consentlog.tree import CorruptTree, Draft
from consentlog.turns import Turn
from consentlog.waiting import Waiting, WaitingRoom
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.seal import NONCE_BYTES
from protocol.share_at_rest import unwrap_share, wrap_share
from service.ballast import is_disk_full
from service.database import immediate
from service.epochs import Epochs
from service.journal import log_event
from service.wal import truncate_log

IDLE_SECONDS = 1.0
TURN_SECONDS = 0.02
"""How often who waits to catch up looks whether that has been done."""
UPKEEP_SECONDS = 60
RESERVE_SECONDS = 5
"""How often a log that ran out of room looks whether there is some again."""
TRUNCATE_SECONDS = 5
"""How long a destroyed share may stay in the write-ahead log of a busy database."""


class Writer(Thread):
    """Writes what this process has to write; other workers may write to the same database in turn."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        published: Published,
        turn: Turn,
        epochs: Epochs,
        reserve: Reserve,
        time: LogTime,
        random: Callable[[int], bytes],
        meters: Meters,
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self.room = WaitingRoom(lambda: published.size)
        self.memory = memory
        self._engine = engine
        self._published = published
        self._turn = turn
        self._epochs = epochs
        self._reserve = reserve
        self._random = random
        self._meters = meters
        self.log_time = time
        self._can_be_replaced = engine.dialect.name != "sqlite"
        self._has_remains = True
        self._has_old_shares = True
        self._has_expired_shares = False
        self._next_upkeep = 0.0
        self._next_fill = 0.0
        self._next_truncate = 0.0

    def time(self) -> int:
        """The log's time, POSIX seconds (see `log_time`)."""
        return self.log_time.now()

    def start_from(self, not_before: int) -> None:
        """A new log gets its first head, so that there is something to sign."""
        self.log_time.start_from(not_before)
        if self.memory.committed is None:
            self._transact([])

    def catch_up(self, size: int) -> None:
        """Take over what other workers have committed, durably, if the tree has less than `size` leaves.

        From any thread. Raises `Unavailable`: `database`; `CorruptTree`.
        """
        memory = self.memory
        # The writer itself catches up with each of its groups: who waits for its turn may find it done.
        while memory.tree.size < size:
            if memory.alone.acquire(timeout=TURN_SECONDS):
                try:
                    self._transact_alone([])
                finally:
                    memory.alone.release()
                return

    def reach(self, checkpoint: VerifiedCheckpoint) -> None:
        """Take over the leaves under a checkpoint of another worker. From any thread; raises as `Memory.reach`."""
        with self.memory.alone:
            self.memory.reach(checkpoint)

    def run(self) -> None:
        """Write until stopped. A store of another history, or an error that nobody foresaw, ends the thread, and
        `/healthz` says so.
        """
        try:
            while (group := self.room.take(IDLE_SECONDS)) is not None:
                if group:
                    self._write(group)
                self._keep_house(is_idle=not group)
        except CorruptTree as error:
            log_event("consentlog", "stopped", detail=str(error))
        finally:
            self.room.close()

    # A group.

    def _write(self, group: list[Waiting]) -> None:
        started = time.monotonic()
        try:
            outcomes = self._transact([waiting.operation for waiting in group])
        except (Unavailable, IntegrityError) as error:
            self._meters.group_failed()
            self._fail(group, error)
            return
        except CorruptTree:
            for waiting in group:
                self.room.answer(waiting, Unavailable("busy", "the log has stopped"))
            raise
        self._meters.group(outcomes, time.monotonic() - started)
        for waiting, outcome in zip(group, outcomes, strict=True):
            self.room.answer(waiting, outcome)

    def _transact(self, operations: list[Operation]) -> list[Outcome | RegieError]:
        """Check, append, commit: what this returns is durable. Raises `Unavailable`, `IntegrityError`."""
        with self.memory.alone:
            return self._transact_alone(operations)

    def _transact_alone(self, operations: list[Operation]) -> list[Outcome | RegieError]:
        while True:
            try:
                return self._transact_near(operations)
            except FarBehind:
                self.memory.come_nearer()

    def _transact_near(self, operations: list[Operation]) -> list[Outcome | RegieError]:
        crash.point("before_begin")
        with immediate(self._engine) as connection:
            now = self.time()  # in our turn: a wait for it must not turn back the time that ends grants
            tree, status = self.memory.begin(connection)
            self._heed_reserve(connection)
            rows = load_rows(connection, keys_of(operations), since=now - HOUR)
            draft = Draft(tree)
            group = Group(rows, draft, status.slots, now=now, random=self._random, wrap=self._wrap)
            outcomes = self._perform(group, operations, now)
            changes = group.close(status)
            if not changes.is_empty():
                save_changes(connection, changes)
            elif self._can_be_replaced:
                # A release is decided on rows alone, and must not be by a server that lost its lead.
                beat(connection)
            if changes.leaves:
                self.memory.extend(connection, draft, _revoked_slots(changes), changes.leaves[-1])
                self._turn.tell_committed(connection)
            crash.point("before_commit")
        crash.point("after_commit")
        self.memory.settle()
        self._has_remains |= bool(changes.revoked or changes.erased)
        return outcomes

    def _perform(self, group: Group, operations: list[Operation], now: int) -> list[Outcome | RegieError]:
        outcomes: dict[int, Outcome | RegieError] = {}
        for number in sorted(range(len(operations)), key=lambda number: _rank(operations[number])):
            outcomes[number] = self._one(group, operations[number], now)
        if any(isinstance(operation, GrantOperation) for operation in operations):
            for number, operation in enumerate(operations):
                if isinstance(operation, RevocationOperation) and isinstance(outcomes[number], Rejected):
                    outcomes[number] = self._one(group, operation, now)
        return [outcomes[number] for number in range(len(operations))]

    def _one(self, group: Group, operation: Operation, now: int) -> Outcome | RegieError:
        if self.room.only_revocations and not isinstance(operation, RevocationOperation):
            return Unavailable("busy", "the log takes only revocations now", retry_after=5)
        try:
            if isinstance(operation, ReleaseOperation):
                return self._release(group, operation, now)
            decision = group.decide(operation)
            crash.point("after_check")
            outcome = group.apply(decision)
            crash.point("after_leaf")
        except RegieError as error:
            return error
        return outcome

    def _release(self, group: Group, operation: ReleaseOperation, now: int) -> Sealed:
        """Section 8.3: the last look at the grant and the sealing in one transaction, after its revocations."""
        grant = admit_release(operation, group, now)
        if not self._published.is_fresh(now):
            raise Unavailable("no_quorum", "the witnesses have not cosigned for a minute", retry_after=2)
        view = self._published.view(grant.slot)
        if view.size <= operation.admitted.index:
            raise ValueError("a release follows the checkpoint that covers its read")
        if grant.epoch is None or grant.wrapped is None:
            return Sealed(None, operation.admitted, view)  # operators hold the share, and look for themselves
        crash.point("before_release")
        b = unwrap_share(self._epochs.key(grant.epoch), grant.slot, grant.lock, grant.wrapped)
        sealed = seal_claim_shares(operation, b, view.body_hash)
        crash.point("after_release")
        return Sealed(sealed, operation.admitted, view)

    def _wrap(self, slot: int, lock: bytes, b: bytes) -> tuple[int, bytes]:
        epoch = self._epochs.current
        return epoch, wrap_share(self._epochs.key(epoch), slot, lock, b, self._random(NONCE_BYTES))

    # When a transaction fails, or there is no room.

    def _heed_reserve(self, connection: Connection) -> None:
        """Room that another worker has given back is for revocations, and not for what this one writes."""
        if not self.room.only_revocations and not self._reserve.is_held(connection):
            self._take_only_revocations()

    def _take_only_revocations(self) -> None:
        self.room.only_revocations = True
        self._next_fill = time.monotonic() + RESERVE_SECONDS

    def _fail(self, group: list[Waiting], error: Unavailable | IntegrityError) -> None:
        """Nobody is told that it is done. On a full disk revocations get the reserve and another try."""
        log_event("consentlog", "group_failed", operations=len(group), error=type(error).__name__)
        if isinstance(error, Unavailable) and is_disk_full(error) and not self.room.only_revocations:
            self._take_only_revocations()
            self._reserve.give_back()
            urgent = [waiting for waiting in group if isinstance(waiting.operation, RevocationOperation)]
            group = [waiting for waiting in group if not isinstance(waiting.operation, RevocationOperation)]
            if urgent:
                self._write(urgent)
        for waiting in group:
            self.room.answer(waiting, Unavailable("busy", "the log could not write this now"))

    # Between groups.

    def _keep_house(self, *, is_idle: bool) -> None:
        try:
            if self.room.only_revocations and time.monotonic() >= self._next_fill:
                self._next_fill = time.monotonic() + RESERVE_SECONDS
                self.room.only_revocations = not self._reserve.fill()
            if self._has_old_shares and self._turn.is_mine:
                self._has_old_shares = upkeep.rewrap_step(self._engine, self._epochs, self._random)
            if time.monotonic() >= self._next_upkeep:
                self._next_upkeep = time.monotonic() + UPKEEP_SECONDS
                self._upkeep()
            if self._has_expired_shares:
                self._destroy_expired()
            if self._has_remains and (is_idle or time.monotonic() >= self._next_truncate):
                self._next_truncate = time.monotonic() + TRUNCATE_SECONDS
                self._has_remains = not truncate_log(self._engine)
        except Unavailable as error:
            log_event("consentlog", "upkeep_failed", code=error.code)

    def _upkeep(self) -> None:
        if not self.log_time.is_vouched or not self._turn.is_mine:
            return  # a clock that nobody vouches for ends nothing; of several workers one keeps house
        now = self.time()
        upkeep.forget_tickets(self._engine, now)
        upkeep.begin_epoch(self._engine, self._epochs, self._random(32), now)
        self._has_old_shares = self._has_expired_shares = True

    def _destroy_expired(self) -> None:
        destroyed = upkeep.destroy_expired_shares(self._engine, self.time())
        self._has_remains |= destroyed > 0
        self._has_expired_shares = destroyed == upkeep.ENDED_PER_STEP


def _rank(operation: Operation) -> int:
    """Revocations, then what only takes away or answers, then what adds."""
    if isinstance(operation, RevocationOperation):
        return 0
    return 1 if isinstance(operation, ReleaseOperation | EraseOperation) else 2


def _revoked_slots(changes: Changes) -> tuple[int, ...]:
    return tuple(row.slot for row in (*changes.grants.values(), *changes.revoked.values()) if row.revoked)
