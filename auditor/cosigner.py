"""The auditing cosigner: replays every leaf first, and never signs over a revocation that was handed to it.

With such a cosigner in the quorum a hidden revocation is never accepted, rather than found later. `Cosigner`
holds one replay in memory; it moves only to trees that passed, and falls back to the stored one when a leaf does
not.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from auditor.store import Kept, Store
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import MAX_PENDING
from protocol.errors import Rejected, Unavailable
from protocol.leaf import Grant, Revocation, lock_of
from protocol.replay import GrantRow
from protocol.witness import WitnessState

LeafSource = Callable[[int, int], Iterator[bytes]]
"""`source(start, size)`: the log's leaves from `start` of a tree of `size`."""


class Cosigner:
    """The two hooks of `service.witness` and the revocations that residents hand over. Thread-safe."""

    def __init__(self, store: Store, leaves: LeafSource) -> None:
        self._store = store
        self._leaves = leaves
        self._replay = store.load_replay()
        self._lock = threading.Lock()

    def before_cosign(self, old: WitnessState, checkpoint: VerifiedCheckpoint) -> None:
        """Replay up to `checkpoint`; the witness goes on only when nothing is raised.

        Raises `Rejected` with the code of the broken rule (403: it will not be cosigned, ever), `Unavailable`:
        `busy` when another request was faster, and the errors of fetching.
        """
        start = self._replay.size
        # Fetched before the lock is taken: a slow log must not keep residents from handing over a revocation.
        fresh = list(self._leaves(start, checkpoint.size)) if checkpoint.size > start else []
        with self._lock:
            if self._replay.size != start:
                raise Unavailable("busy", "another checkpoint is being replayed")
            try:
                self._advance(fresh, checkpoint)
            except Rejected as error:
                self._replay = self._store.load_replay()
                raise Rejected(error.code, error.detail, status=403) from error

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
            state = self._replay.locks.get(lock)
            if state is None or state.revoked:
                raise Rejected("unknown_lock", "no live grant has this lock", status=404)
            self._store.keep_revocation(Kept(lock, r))
            return lock

    def pending(self) -> list[bytes]:
        """The kept secrets that the log has to take in; at most `MAX_PENDING`, the log comes back for more."""
        return [kept.r for kept in self._store.kept_revocations(MAX_PENDING)]

    def _advance(self, leaves: Sequence[bytes], checkpoint: VerifiedCheckpoint) -> None:
        changed: dict[int, GrantRow] = {}
        for data in leaves:
            index = self._replay.size
            leaf = self._replay.apply(data)
            if isinstance(leaf, Grant):
                changed[leaf.slot] = GrantRow(leaf.lock, index, revoked=False)
            elif isinstance(leaf, Revocation):
                changed[leaf.slot] = GrantRow(lock_of(leaf.r), leaf.grant_index, revoked=True)
        self._replay.check_checkpoint(checkpoint)
        if leaves:
            self._store.save_replay(self._replay, sorted(changed.items()))
