"""The thread that publishes: for the newest committed tree it moves the global lock, signs, gathers cosignatures.

1. fetch what the auditing cosigners keep for us, and have it written first; 2. move the global lock, durably,
before anything is signed; 3. sign; 4. ask all witnesses at once; 5. when the policy is satisfied publish, and let
go what waited for it. An unchanged tree is cosigned again every 20 s: what is published stays fresh.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event, Thread
from time import monotonic
from typing import Any

from consentlog import crash
from consentlog.client import WitnessClient
from consentlog.lock import LOCK_MOVED, GlobalLock, Locked
from consentlog.meters import Meters, cosignature_time
from consentlog.operations import RevocationOperation
from consentlog.publish import COSIGN_INTERVAL, Committed, Published, is_whole_quorum
from consentlog.tree import Tree
from consentlog.writer import Writer
from protocol.checkpoint import (
    Checkpoint,
    VerifiedCheckpoint,
    add_cosignatures,
    sign_checkpoint,
)
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.log_keys import log_keys
from protocol.note import NoteSigner, VerifierKey
from protocol.policy import VerifiedQuorum, parse_policy, satisfied
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from service.fetch import Fetcher
from service.journal import log_event

QUORUM_SECONDS = 2.0
"""How long a round waits for its witnesses."""
PENDING_SECONDS = 1.0
"""How long a round waits to hear of kept revocations; who keeps one does not cosign without it anyway."""
WRITE_SECONDS = 10.0
RETRY_SECONDS = 0.2
"""After a round without a quorum: soon, since it may be a revocation that a cosigner wants to see first."""
MAX_CONCURRENT = 64
"""Requests to witnesses under way at once: two for each of the policy's at most 32."""


class Publisher(Thread):
    """`is_ready` once pending revocations of a whole quorum are in the log and a checkpoint is published."""

    def __init__(
        self,
        origin: str,
        signers: Callable[[], Sequence[NoteSigner]],
        lock: GlobalLock,
        locked: Locked,
        tree: Tree,
        writer: Writer,
        published: Published,
        fetcher: Fetcher,
        trust: Callable[[], TrustList],
        meters: Meters,
    ) -> None:
        super().__init__(name="publisher", daemon=True)
        self.is_ready = False
        self._origin = origin
        self._signers = signers
        self._lock = lock
        self._locked = locked
        self._note = locked.note
        self._tree = tree
        self._writer = writer
        self._published = published
        self._fetcher = fetcher
        self._trust = trust
        self._meters = meters
        self._time = writer.log_time
        self._wake = Event()
        self._stopping = Event()
        self._has_heard_quorum = False
        self._is_superseded = False
        self._clients: dict[str, tuple[TrustedWitness, WitnessClient]] = {}
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="witness")

    def wake(self) -> None:
        """There is a new committed tree."""
        self._wake.set()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Publish until stopped. When somebody else has moved the lock this log stops, for good."""
        try:
            while not self._stopping.is_set() and not self._is_superseded:
                started = monotonic()
                if self._try_round() and self.is_ready:
                    self._wake.wait(max(0.0, COSIGN_INTERVAL - (monotonic() - started)))
                else:
                    self._stopping.wait(RETRY_SECONDS)
                self._wake.clear()
        finally:
            self.is_ready = False
            if self._is_superseded:
                self._writer.room.close()
            self._pool.shutdown(wait=False, cancel_futures=True)

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
        trust = self._trust()
        listed = trust.log(self._origin)
        policy = parse_policy(listed.policy)
        clients = self._clients_of(trust)
        auditing = [client for client in clients if client.is_auditing]
        asked = self._ask_pending(auditing)  # 1., answered while the lock moves
        committed = self._committed()
        checkpoint = self._sign(committed)  # 2. and 3.
        heard, has_written = self._take_pending(asked)
        if not self._has_heard_quorum:
            self._has_heard_quorum = is_whole_quorum(policy, _keys_of(auditing), _keys_of(heard))
        if has_written:  # this checkpoint lacks them: it goes nowhere
            committed = self._committed()
            checkpoint = self._sign(committed)
        quorum = self._cosign(checkpoint, clients, listed)  # 4.
        crash.point("after_cosign")
        self._publish(quorum, committed)  # 5.

    def _clients_of(self, trust: TrustList) -> list[WitnessClient]:
        """A client for each witness on the trust list, kept as long as its entry stays the same."""
        kept = self._clients
        self._clients = {
            entry.name: known
            if (known := kept.get(entry.name)) is not None and known[0] == entry
            else (entry, WitnessClient(self._fetcher, entry))
            for entry in trust.witnesses
        }
        return [client for _, client in self._clients.values()]

    def _ask_pending(self, auditing: Sequence[WitnessClient]) -> "dict[Future[list[bytes]], WitnessClient]":
        idle = [client for client in auditing if not client.is_asked]
        return {self._pool.submit(client.pending, self._origin): client for client in idle}

    def _take_pending(self, asked: "dict[Future[list[bytes]], WitnessClient]") -> tuple[list[WitnessClient], bool]:
        """Have all kept revocations written: the cosigners whose word is in the log, and whether there was any."""
        done, _ = wait(asked, timeout=PENDING_SECONDS)
        heard = [(asked[future], future.result()) for future in done if _foreseen(future) is None]
        kept = {r for _, pending in heard for r in pending}
        waiting = [self._writer.room.put(RevocationOperation(r)) for r in kept]
        written, late = wait(waiting, timeout=WRITE_SECONDS)
        # What fits no lock is dropped (404); what could not be written makes the round fail.
        if late or any(isinstance(future.exception(), Unavailable) for future in written):
            raise Unavailable("busy", "pending revocations could not be written")
        return [client for client, _ in heard], bool(kept)

    def _committed(self) -> Committed:
        committed = self._writer.committed
        if committed is None:
            raise Unavailable("busy", "nothing is committed yet")
        return committed

    def _sign(self, committed: Committed) -> VerifiedCheckpoint:
        if committed.size > self._locked.size:
            crash.point("before_lock")
            self._locked = self._lock.advance(
                self._locked, committed.size, committed.root, self._time.kept, self._note
            )
        elif (committed.size, committed.root) != (self._locked.size, self._locked.root):
            raise Unavailable(LOCK_MOVED, "the committed tree is not the one that was signed")
        crash.point("after_lock")
        note = sign_checkpoint(Checkpoint(self._origin, committed.size, committed.root), self._signers())
        crash.point("after_sign")
        return VerifiedCheckpoint(self._origin, committed.size, committed.root, note)

    def _cosign(
        self, checkpoint: VerifiedCheckpoint, clients: Sequence[WitnessClient], listed: TrustedLog
    ) -> VerifiedQuorum:
        """As soon as the policy is satisfied. Raises `Unavailable`: `no_quorum`."""
        pending = {self._pool.submit(self._ask, client, checkpoint) for client in clients if not client.is_busy}
        note, deadline = checkpoint.note, monotonic() + QUORUM_SECONDS
        while pending and (left := deadline - monotonic()) > 0:
            done, pending = wait(pending, timeout=left, return_when=FIRST_COMPLETED)
            for future in done:
                if _foreseen(future) is None:
                    note = add_cosignatures(note, future.result())
            if (quorum := self._quorum(listed, note)) is not None:
                return quorum
        raise Unavailable("no_quorum", "not enough witnesses cosigned in time", retry_after=2)

    def _ask(self, client: WitnessClient, checkpoint: VerifiedCheckpoint) -> tuple[str, ...]:
        try:
            lines = client.add_checkpoint(checkpoint, self._tree)
        except RegieError:
            self._meters.witness(client.name, skew=None)
            raise
        self._meters.witness(client.name, skew=self._time.clock() - cosignature_time(lines[0]))
        return lines

    def _quorum(self, listed: TrustedLog, note: str) -> VerifiedQuorum | None:
        """Its quorum, at a time that it vouches for; None when there is none yet."""
        policy, keys = parse_policy(listed.policy), log_keys(listed)
        for now in self._time.candidates():
            try:
                quorum = satisfied(policy, note, now, log_keys=(keys,))
            except Rejected:
                continue
            self._time.vouch(now)
            return quorum
        return None

    def _publish(self, quorum: VerifiedQuorum, committed: Committed) -> None:
        if quorum.time is None:
            raise Unavailable("no_quorum", "the policy asks for no witness")
        self._published.publish(quorum.checkpoint, committed.head, quorum.time)
        self._note = quorum.checkpoint.note
        self.is_ready = self._has_heard_quorum
        self._writer.room.published()


def _keys_of(clients: Sequence[WitnessClient]) -> set[VerifierKey]:
    return {key for client in clients for key in client.keys}


def _foreseen(future: Future[Any]) -> BaseException | None:
    """The error of a finished request, if it is one of ours; any other is a mistake and is raised."""
    error = future.exception()
    if error is not None and not isinstance(error, RegieError):
        raise error
    if error is not None:
        log_event("consentlog", "witness_refused", code=error.code)
    return error
