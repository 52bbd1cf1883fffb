"""The thread that publishes: for the newest committed tree it moves the global lock, signs, gathers cosignatures.

1. fetch what the auditing cosigners keep for us, and have it written first; 2. move the global lock, durably,
before anything is signed; 3. sign; 4. ask all witnesses at once; 5. when the policy is satisfied publish, and let
go what waited for it. An unchanged tree is cosigned again every 20 s: what is published stays fresh. Of several
workers one does this at a time; the others take over what it has published (`turns`).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

from consentlog import crash
from consentlog.client import WitnessClient
from consentlog.cosign import Witnesses
from consentlog.lock import LOCK_MOVED, GlobalLock, Locked
from consentlog.meters import Meters
from consentlog.operations import RevocationOperation
from consentlog.publish import COSIGN_INTERVAL, Committed, Published, is_whole_quorum
from consentlog.tree import CorruptTree
from consentlog.turns import KEEP_SECONDS, Row, Turn
from consentlog.writer import Writer
from protocol.checkpoint import Checkpoint, VerifiedCheckpoint, sign_checkpoint
from protocol.errors import RegieError, Unavailable
from protocol.note import NoteSigner, VerifierKey
from protocol.policy import VerifiedQuorum, parse_policy
from protocol.trust_list import TrustList
from service.journal import log_event

WRITE_SECONDS = 10.0
RETRY_SECONDS = 0.2
"""After a round without a quorum: soon, since it may be a revocation that a cosigner wants to see first."""


class Publisher(Thread):
    """`is_ready` once pending revocations of a whole quorum are in the log and a checkpoint is published."""

    def __init__(
        self,
        origin: str,
        signers: Callable[[], Sequence[NoteSigner]],
        lock: GlobalLock,
        locked: Locked,
        writer: Writer,
        published: Published,
        turn: Turn,
        witnesses: Witnesses,
        trust: Callable[[], TrustList],
        meters: Meters,
    ) -> None:
        super().__init__(name="publisher", daemon=True)
        self.is_ready = False
        self.witnesses = witnesses
        self._origin = origin
        self._signers = signers
        self._lock = lock
        self._locked = locked
        self._note = locked.note
        self._writer = writer
        self._tree = writer.memory.tree
        self._published = published
        self._turn = turn
        self._trust = trust
        self._meters = meters
        self._time = writer.log_time
        self._wake = Event()
        self._stopping = Event()
        self._has_heard_quorum = False
        self._is_superseded = False

    def wake(self) -> None:
        """There is something to publish, or something that another worker has published."""
        self._wake.set()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Publish, or follow who does, until stopped: for good when the log has another history than we know."""
        try:
            while self._goes_on():
                started = monotonic()
                if not self._turn.is_mine:
                    self._try_to_follow()
                elif self._try_round() and self.is_ready:
                    self._rest(started + COSIGN_INTERVAL)
                else:
                    self._stopping.wait(RETRY_SECONDS)
        finally:
            self.is_ready = False
            self._turn.give_up()
            if self._is_superseded:
                self._writer.room.close()
            self.witnesses.close()

    def _goes_on(self) -> bool:
        return not self._stopping.is_set() and not self._is_superseded and self._writer.is_alive()

    # When it is another worker's turn.

    def _try_to_follow(self) -> None:
        try:
            self._follow()
        except RegieError as error:
            self._is_superseded = error.code == LOCK_MOVED
            log_event("consentlog", "not_followed", code=error.code)
        if not self._turn.is_mine:
            self._wake.wait(KEEP_SECONDS)
            self._wake.clear()

    def _follow(self) -> None:
        row = self._turn.look()
        if self._turn.take(row):
            # Not ready: since nobody publishes, revocations may wait at the cosigners.
            self.is_ready = self._has_heard_quorum = False
            self._look_again()
        elif row.note:
            self._adopt(row)

    def _adopt(self, row: Row) -> None:
        """Publish here too what another worker has published, and let go what waited for it."""
        if row.note != self._note or not self._published.size:
            quorum = self.witnesses.quorum(row.note, self._trust().log(self._origin))
            if quorum is None:
                raise Unavailable("no_quorum", "what another worker published last has no quorum now")
            with _one_history():
                self._writer.reach(quorum.checkpoint)
            self._show(quorum, row.head)
        self.is_ready = row.is_ready

    # When it is ours.

    def _rest(self, until: float) -> None:
        """Until there is something to publish, with signs of life meanwhile."""
        try:
            while self._goes_on() and (left := until - monotonic()) > 0:
                if self._wake.wait(min(left, KEEP_SECONDS)) or self._turn.committed_size() > self._tree.size:
                    return
                self._turn.keep()
        except RegieError as error:
            log_event("consentlog", "turn_not_kept", code=error.code)

    def _try_round(self) -> bool:
        """Whether a checkpoint was published."""
        started = monotonic()
        try:
            self._round()
        except RegieError as error:
            self._is_superseded = error.code == LOCK_MOVED
            self._meters.round(monotonic() - started, is_published=False)
            log_event("consentlog", "not_published", code=error.code, clock=self._time.state)
            return False
        self._meters.round(monotonic() - started, is_published=True)
        return True

    def _round(self) -> None:
        self._turn.keep()
        trust = self._trust()
        listed = trust.log(self._origin)
        clients = self.witnesses.listed(trust)
        auditing = [client for client in clients if client.is_auditing]
        asked = self.witnesses.ask_pending(auditing)  # 1., answered while the lock moves
        committed = self._committed()
        checkpoint = self._sign(committed)  # 2. and 3.
        heard = self.witnesses.heard(asked)
        has_written = self._write({r for _, pending in heard for r in pending})
        if not self._has_heard_quorum:
            counted, answered = _keys_of(auditing), _keys_of([client for client, _ in heard])
            self._has_heard_quorum = is_whole_quorum(parse_policy(listed.policy), counted, answered)
        if has_written:  # this checkpoint lacks them: it goes nowhere
            self._turn.keep()
            committed = self._committed()
            checkpoint = self._sign(committed)
        quorum = self.witnesses.cosign(checkpoint, clients, listed)  # 4.
        crash.point("after_cosign")
        self._publish(quorum, committed)  # 5.

    def _write(self, kept: set[bytes]) -> bool:
        """Have all kept revocations written; whether there was any."""
        waiting = [self._writer.room.put(RevocationOperation(r)) for r in kept]
        written, late = wait(waiting, timeout=WRITE_SECONDS)
        # What fits no lock is dropped (404); what could not be written makes the round fail.
        if late or any(isinstance(future.exception(), Unavailable) for future in written):
            raise Unavailable("busy", "pending revocations could not be written")
        return bool(kept)

    def _committed(self) -> Committed:
        """The newest committed tree, whichever worker appended to it."""
        with _one_history():
            self._writer.catch_up(self._turn.committed_size())
        self._wake.clear()  # before the look: what is committed after it wakes again
        committed = self._writer.memory.committed
        if committed is None:
            raise Unavailable("busy", "nothing is committed yet")
        return committed

    def _sign(self, committed: Committed) -> VerifiedCheckpoint:
        if committed.size > self._locked.size:
            crash.point("before_lock")
            self._move_lock(committed)
        elif (committed.size, committed.root) != (self._locked.size, self._locked.root):
            self._look_again()
            raise Unavailable("busy", "another worker is ahead")
        crash.point("after_lock")
        note = sign_checkpoint(Checkpoint(self._origin, committed.size, committed.root), self._signers())
        crash.point("after_sign")
        return VerifiedCheckpoint(self._origin, committed.size, committed.root, note)

    def _move_lock(self, to: Committed) -> None:
        try:
            self._locked = self._lock.advance(self._locked, to.size, to.root, self._time.kept, self._note)
        except Unavailable as error:
            if error.code == LOCK_MOVED:
                self._look_again()
                raise Unavailable("busy", "another worker has moved the lock") from error
            raise

    def _look_again(self) -> None:
        """The lock is not where it was left. That is well when it holds a tree of the history that we know.

        Another worker moved it, or we did without hearing so. Raises `Unavailable`: `lock_moved` when it went
        back, or holds a tree that is not in our store: then this process must never sign again.
        """
        now = self._lock.read()
        with _one_history():
            self._writer.catch_up(now.size)
            if not self._locked.size <= now.size <= self._tree.size or self._tree.root(now.size) != now.root:
                raise CorruptTree("another history than ours was signed")
        self._locked = now

    def _publish(self, quorum: VerifiedQuorum, committed: Committed) -> None:
        checkpoint = quorum.checkpoint
        self._turn.publish(checkpoint.size, checkpoint.note, committed.head, is_ready=self._has_heard_quorum)
        self._show(quorum, committed.head)
        self.is_ready = self._has_heard_quorum

    def _show(self, quorum: VerifiedQuorum, head: bytes) -> None:
        if quorum.time is None:
            raise Unavailable("no_quorum", "the policy asks for no witness")
        self._published.publish(quorum.checkpoint, head, quorum.time)
        self._note = quorum.checkpoint.note
        self._writer.room.published()


def _keys_of(clients: Sequence[WitnessClient]) -> set[VerifierKey]:
    return {key for client in clients for key in client.keys}


@contextmanager
def _one_history() -> Iterator[None]:
    """A history that is not ours ends this process: it holds what was forked, restored or damaged."""
    try:
        yield
    except CorruptTree as error:
        raise Unavailable(LOCK_MOVED, "the log has another history than this process") from error
