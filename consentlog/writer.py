"""The one thread that writes: it takes what is waiting as a group, in one durable transaction.

Revocations come first and win every tie; then releases, so that no share leaves for a grant that the same group
revokes; then everything else; then once more the revocations that found no lock, whose grant may be in the group.
Nothing is answered before the group's commit has been acknowledged as durable.
"""

import time
from collections.abc import Callable
from threading import Thread

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from consentlog import crash, queries, upkeep
from consentlog.admit import HOUR, admit_release
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
from consentlog.publish import Committed, Delta, Published
from consentlog.release import seal_claim_shares
from consentlog.reserve import Reserve, is_disk_full
from consentlog.rows import Changes
from consentlog.sequence import Group, keys_of
from consentlog.store import beat, load_rows, save_changes
from consentlog.tree import CorruptTree, Draft, Tree
from consentlog.waiting import Waiting, WaitingRoom
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.leaf import Revocation, parse_leaf
from protocol.merkle import leaf_hash
from protocol.seal import NONCE_BYTES
from protocol.share_at_rest import unwrap_share, wrap_share
from service.database import immediate
from service.epochs import Epochs
from service.journal import log_event

IDLE_SECONDS = 1.0
UPKEEP_SECONDS = 60
RESERVE_SECONDS = 5
"""How often a log that ran out of room looks whether there is some again."""
TRUNCATE_SECONDS = 5
"""How long a destroyed share may stay in the write-ahead log of a busy database."""


class Writer(Thread):
    """Owns the tree's growth, the status tree and every write to the log's database."""

    def __init__(
        self,
        engine: Engine,
        tree: Tree,
        published: Published,
        epochs: Epochs,
        reserve: Reserve,
        time: LogTime,
        random: Callable[[int], bytes],
        on_commit: Callable[[], None],
        meters: Meters,
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self.room = WaitingRoom(lambda: published.size)
        self.committed: Committed | None = None
        self._engine = engine
        self._tree = tree
        self._status = queries.load_status(engine)
        self._published = published
        self._epochs = epochs
        self._reserve = reserve
        self._random = random
        self._on_commit = on_commit
        self._meters = meters
        self.log_time = time
        self._can_be_replaced = engine.dialect.name != "sqlite"
        self._is_doubtful = False
        self._has_remains = True
        self._has_old_shares = True
        self._next_upkeep = 0.0
        self._next_fill = 0.0
        self._next_truncate = 0.0

    def time(self) -> int:
        """The log's time, POSIX seconds (see `log_time`)."""
        return self.log_time.now()

    def start_from(self, committed: Committed | None, not_before: int) -> None:
        """Where the store ends. A new log gets its first head, so that there is something to sign."""
        self.log_time.start_from(not_before)
        self._confirm()
        self.committed = committed
        if committed is None:
            self._transact([])

    def _confirm(self) -> None:
        """What was found in the store is relied on once a write after it is durable."""
        with immediate(self._engine) as connection:
            beat(connection)

    def run(self) -> None:
        """Write until stopped. An error that nobody foresaw ends the thread, and `/healthz` says so."""
        try:
            while (group := self.room.take(IDLE_SECONDS)) is not None:
                if group:
                    self._write(group)
                self._keep_house(is_idle=not group)
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
        self._meters.group(outcomes, time.monotonic() - started)
        for waiting, outcome in zip(group, outcomes, strict=True):
            self.room.answer(waiting, outcome)

    def _transact(self, operations: list[Operation]) -> list[Outcome | RegieError]:
        """Check, append, commit: what this returns is durable. Raises `Unavailable`, `IntegrityError`."""
        crash.point("before_begin")
        if self._is_doubtful:
            self._catch_up()
        now = self.time()
        draft = Draft(self._tree)
        self._is_doubtful = True
        with immediate(self._engine) as connection:
            rows = load_rows(connection, keys_of(operations), since=now - HOUR)
            group = Group(rows, draft, self._status.slots, now=now, random=self._random, wrap=self._wrap)
            outcomes = self._perform(group, operations, now)
            changes = group.close(self._status)
            if not changes.is_empty():
                save_changes(connection, changes)
            elif self._can_be_replaced:
                beat(
                    connection
                )  # a release is decided on rows alone, and must not be by a server that lost its lead
            crash.point("before_commit")
        crash.point("after_commit")
        self._is_doubtful = False
        if changes.leaves:
            self._take_over(draft, changes.leaves[-1], _revoked_slots(changes))
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
        if view.size <= operation.admitted.index or grant.epoch is None or grant.wrapped is None:
            raise ValueError("a release follows the checkpoint that covers its read")
        crash.point("before_release")
        b = unwrap_share(self._epochs.key(grant.epoch), grant.slot, grant.lock, grant.wrapped)
        sealed = seal_claim_shares(operation, b, view.body_hash)
        crash.point("after_release")
        return Sealed(sealed, operation.admitted, view)

    def _wrap(self, slot: int, lock: bytes, b: bytes) -> tuple[int, bytes]:
        epoch = self._epochs.current
        return epoch, wrap_share(self._epochs.key(epoch), slot, lock, b, self._random(NONCE_BYTES))

    def _take_over(self, draft: Draft, head: bytes, revoked: tuple[int, ...]) -> None:
        """A group is durable: the tree grows, and the publisher hears of it."""
        root = draft.root()
        self._tree.extend(draft)
        self._published.committed(Delta(draft.size, self._status.slots, revoked))
        self.committed = Committed(draft.size, root, head)
        self._on_commit()

    # When a transaction fails.

    def _fail(self, group: list[Waiting], error: Unavailable | IntegrityError) -> None:
        """Nobody is told that it is done. On a full disk revocations get the reserve and another try."""
        log_event("consentlog", "group_failed", operations=len(group), error=type(error).__name__)
        if isinstance(error, Unavailable) and is_disk_full(error) and not self.room.only_revocations:
            self.room.only_revocations = True
            self._next_fill = time.monotonic() + RESERVE_SECONDS
            self._reserve.give_back()
            urgent = [waiting for waiting in group if isinstance(waiting.operation, RevocationOperation)]
            group = [waiting for waiting in group if not isinstance(waiting.operation, RevocationOperation)]
            if urgent:
                self._write(urgent)
        for waiting in group:
            self.room.answer(waiting, Unavailable("busy", "the log could not write this now"))

    def _catch_up(self) -> None:
        """A commit failed, but may have happened: look, and take over what is there."""
        self._confirm()
        size = queries.tree_size(self._engine)
        self._status = queries.load_status(self._engine)
        if size < self._tree.size:
            raise CorruptTree("the store holds less than was committed")
        if size > self._tree.size:
            leaves = queries.leaves_between(self._engine, self._tree.size, size)
            draft = Draft(self._tree)
            for leaf in leaves:
                draft.append(leaf_hash(leaf))
            parsed = [parse_leaf(leaf) for leaf in leaves]
            revoked = tuple(leaf.slot for leaf in parsed if isinstance(leaf, Revocation))
            self._take_over(draft, leaves[-1], revoked)
        self._is_doubtful = False

    # Between groups.

    def _keep_house(self, *, is_idle: bool) -> None:
        try:
            if self.room.only_revocations and time.monotonic() >= self._next_fill:
                self._next_fill = time.monotonic() + RESERVE_SECONDS
                self.room.only_revocations = not self._reserve.fill()
            if self._has_old_shares:
                self._has_old_shares = upkeep.rewrap_step(self._engine, self._epochs, self._random)
            if time.monotonic() >= self._next_upkeep:
                self._next_upkeep = time.monotonic() + UPKEEP_SECONDS
                self._upkeep()
            if self._has_remains and (is_idle or time.monotonic() >= self._next_truncate):
                self._next_truncate = time.monotonic() + TRUNCATE_SECONDS
                self._has_remains = not upkeep.truncate_log(self._engine)
        except Unavailable as error:
            log_event("consentlog", "upkeep_failed", code=error.code)

    def _upkeep(self) -> None:
        if not self.log_time.is_vouched:
            return  # a clock that nobody vouches for ends nothing
        now = self.time()
        upkeep.forget_tickets(self._engine, now)
        self._has_remains |= upkeep.destroy_expired_shares(self._engine, now)
        if self._epochs.is_due(now):
            self._epochs.begin(self._random(32), now)
        self._has_old_shares = True


def _rank(operation: Operation) -> int:
    """Revocations, then what only takes away or answers, then what adds."""
    if isinstance(operation, RevocationOperation):
        return 0
    return 1 if isinstance(operation, ReleaseOperation | EraseOperation) else 2


def _revoked_slots(changes: Changes) -> tuple[int, ...]:
    return tuple(row.slot for row in (*changes.grants.values(), *changes.revoked.values()) if row.revoked)
