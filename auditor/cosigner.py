"""The auditing cosigner: replays every leaf first, and never signs over a revocation that was handed to it.

With such a cosigner in the quorum a hidden revocation is never accepted, rather than found later.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import Connection

from auditor.store import Kept, Store
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import MAX_PENDING
from protocol.errors import Rejected, Unavailable
from protocol.leaf import lock_of
from protocol.witness import WitnessState
from service.ballast import is_disk_full
from service.database import immediate
from service.journal import log_event
from service.replica import Advance, LeafSource, Replica

OnRevoked: TypeAlias = Callable[[Connection, Sequence[bytes]], None]
"""Called with the locks of grants that are over, in the transaction that learns of it."""


class Cosigner:
    """The two hooks of `service.witness` and the revocations that residents hand over. Thread-safe.

    `on_revoked`: set where this cosigner also holds shares.
    """

    def __init__(self, store: Store, leaves: LeafSource) -> None:
        self._store = store
        self.on_revoked: OnRevoked | None = None
        self.replica = Replica(store.engine, leaves, in_save=self._in_save)
        store.ballast.fill()

    def _in_save(self, connection: Connection, step: Advance) -> None:
        self._store.drop_taken(connection, step)
        if self.on_revoked is not None:
            self.on_revoked(connection, [row.lock for row in step.changed.values() if row.revoked])

    def before_cosign(self, old: WitnessState, checkpoint: VerifiedCheckpoint) -> None:
        """Replay up to `checkpoint`; the witness goes on only when nothing is raised.

        Raises `Rejected` with the code of the broken rule (403: it will not be cosigned, ever), `Unavailable`:
        `busy` when another request was faster, or while the disk is full, and the errors of fetching.
        """
        if not self._store.ballast.fill():
            # What is left belongs to residents who stop something. The log reads nothing out meanwhile.
            raise Unavailable("busy", "the disk of this cosigner is full", retry_after=5)
        try:
            self.replica.advance(checkpoint)
        except Rejected as error:
            raise Rejected(error.code, error.detail, status=403) from error

    def last_look(self, connection: Connection, checkpoint: VerifiedCheckpoint) -> None:
        """In the transaction that moves the witness: nothing kept may be missing from the tree.

        Raises `Unavailable`: `pending_revocations` until the log has taken them in.
        """
        if self._store.is_anything_kept(connection):
            raise Unavailable("pending_revocations", "take in the revocations that were handed to this cosigner")

    def keep(self, r: bytes) -> bytes:
        """Keep a revocation for the log, durably; its lock. On a full disk it finds room in the reserve.

        Raises `Rejected`: `unknown_lock` 404 unless r fits a live grant.
        """
        try:
            return self._keep(r)
        except Unavailable as error:
            if not is_disk_full(error):
                raise
            log_event("auditor", "disk_full")
            self._store.ballast.give_back()
            return self._keep(r)

    def _keep(self, r: bytes) -> bytes:
        lock = lock_of(r)
        state = self.replica.lock(lock)
        with immediate(self._store.engine) as connection:
            # In the writing transaction: a stop that the log has taken in meanwhile would be kept for ever.
            if state is None or not self.replica.is_live(connection, state.slot):
                raise Rejected("unknown_lock", "no live grant has this lock", status=404)
            self._store.keep_revocation(connection, Kept(lock, r))
            if self.on_revoked is not None:
                self.on_revoked(connection, [lock])
        return lock

    def pending(self) -> list[bytes]:
        """The kept secrets that the log has to take in; at most `MAX_PENDING`, the log comes back for more."""
        return [kept.r for kept in self._store.kept_revocations(MAX_PENDING)]
