"""The auditing cosigner: replays every leaf first, and never signs over a revocation that was handed to it.

With such a cosigner in the quorum a hidden revocation is never accepted, rather than found later. `Cosigner`
holds one replay in memory; what it tells is a tree that passed and is stored: after anything else it is read anew.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from auditor.store import Kept, Store
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import MAX_PENDING
from protocol.errors import Rejected, Unavailable
from protocol.leaf import Grant, Revocation, lock_of
from protocol.replay import GrantRow, Replay
from protocol.witness import WitnessState

LeafSource = Callable[[int, int], Iterator[bytes]]
"""`source(start, size)`: the log's leaves from `start` of a tree of `size`."""


class Cosigner:
    """The two hooks of `service.witness` and the revocations that residents hand over. Thread-safe."""

    def __init__(self, store: Store, leaves: LeafSource) -> None:
        self._store = store
        self._leaves = leaves
        self._replay = store.load_replay()
        self._is_ahead = False
        self._lock = threading.Lock()
        self._fetching = threading.Lock()

    def before_cosign(self, old: WitnessState, checkpoint: VerifiedCheckpoint) -> None:
        """Replay up to `checkpoint`; the witness goes on only when nothing is raised.

        Raises `Rejected` with the code of the broken rule (403: it will not be cosigned, ever), `Unavailable`:
        `busy` when another request was faster, and the errors of fetching.
        """
        with self._lock:
            start = self._known().size
        if checkpoint.size <= start:
            self._advance([], start, checkpoint)
        elif self._fetching.acquire(blocking=False):
            # One at a time and before the lock is taken: a log that answers slowly must neither take all threads
            # nor hold up residents who hand over a revocation.
            try:
                self._advance(list(self._leaves(start, checkpoint.size)), start, checkpoint)
            finally:
                self._fetching.release()
        else:
            raise Unavailable("busy", "another checkpoint is being replayed")

    def last_look(self, connection: Connection, checkpoint: VerifiedCheckpoint) -> None:
        """In the transaction that moves the witness: nothing kept may be missing from the tree.

        Raises `Unavailable`: `pending_revocations` until the log has taken them in.
        """
        if self._store.is_anything_kept(connection):
            raise Unavailable("pending_revocations", "take in the revocations that were handed to this cosigner")

    def keep(self, r: bytes) -> bytes:
        """Keep a revocation for the log, durably; its lock.

        Raises `Rejected`: `unknown_lock` 404 unless r fits a live grant.
        """
        lock = lock_of(r)
        with self._lock:
            state = self._known().locks.get(lock)
            if state is None or state.revoked:
                raise Rejected("unknown_lock", "no live grant has this lock", status=404)
            self._store.keep_revocation(Kept(lock, r))
            return lock

    def pending(self) -> list[bytes]:
        """The kept secrets that the log has to take in; at most `MAX_PENDING`, the log comes back for more."""
        return [kept.r for kept in self._store.kept_revocations(MAX_PENDING)]

    def _known(self) -> Replay:
        """The replay of the last tree that passed and is stored. With the lock held."""
        if self._is_ahead:
            self._replay, self._is_ahead = self._store.load_replay(), False
        return self._replay

    def _advance(self, leaves: Sequence[bytes], start: int, checkpoint: VerifiedCheckpoint) -> None:
        with self._lock:
            replay = self._known()
            if replay.size != start:
                raise Unavailable("busy", "another checkpoint was faster")
            self._is_ahead = bool(leaves)  # until they are stored, whatever is raised here
            try:
                changed = _apply(replay, leaves)
                replay.check_checkpoint(checkpoint)
            except Rejected as error:
                raise Rejected(error.code, error.detail, status=403) from error
            if leaves:
                self._store.save_replay(replay, sorted(changed.items()))
                self._is_ahead = False


def _apply(replay: Replay, leaves: Sequence[bytes]) -> dict[int, GrantRow]:
    """Replay `leaves`; the grants that they change, by slot."""
    changed: dict[int, GrantRow] = {}
    for data in leaves:
        index = replay.size
        leaf = replay.apply(data)
        if isinstance(leaf, Grant):
            changed[leaf.slot] = GrantRow(leaf.lock, index, revoked=False)
        elif isinstance(leaf, Revocation):
            changed[leaf.slot] = GrantRow(lock_of(leaf.r), leaf.grant_index, revoked=True)
    return changed
