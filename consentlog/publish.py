"""What is published: one checkpoint that a quorum cosigned, with the status array exactly as it was under it.

Committed leaves are ahead of it. `Published` keeps a status tree of its own and brings it forward by the changes
of the groups that a new checkpoint covers, so that every proof fits the checkpoint it comes with.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from math import inf
from threading import Condition

from consentlog.operations import View
from consentlog.tree import Tree
from protocol.checkpoint import ChunkProof, Evidence, LeafProof, VerifiedCheckpoint
from protocol.errors import Rejected, Unavailable
from protocol.merkle import inclusion_proof
from protocol.note import VerifierKey
from protocol.policy import MAX_AGE, Policy
from protocol.receipt import make_tlog_proof
from protocol.status_tree import SLOTS_PER_CHUNK, StatusTree, chunk_count

COSIGN_INTERVAL = 20
"""Seconds after which an unchanged tree is cosigned again: three tries before a reader finds it too old."""


@dataclass(frozen=True)
class Committed:
    """The end of a group that is durable: `head` is its head leaf, the last of `size` leaves under `root`."""

    size: int
    root: bytes
    head: bytes


@dataclass(frozen=True)
class Delta:
    """What a group did to the status array: `slots` after it, and the slots that it revoked."""

    size: int
    slots: int
    revoked: tuple[int, ...]

    def apply(self, status: StatusTree) -> None:
        """Bring `status` forward; again changes nothing."""
        for _ in range(status.slots, self.slots):
            status.append_slot()
        for slot in self.revoked:
            status.revoke(slot)


class Published:
    """The published state. Thread-safe: a checkpoint and its status are always seen together."""

    def __init__(self, status: StatusTree) -> None:
        self._guard = Condition()
        self._status = status
        self._deltas: deque[Delta] = deque()
        self._checkpoint: VerifiedCheckpoint | None = None
        self._least = 0
        self._time = 0
        self._head = b""

    def start_from(self, status: StatusTree, size: int) -> None:
        """The status array of all `size` leaves that are committed at the start."""
        with self._guard:
            self._status, self._least = status, size

    def committed(self, delta: Delta) -> None:
        """A group is durable; it shows once a checkpoint covers it. In the order of commits."""
        with self._guard:
            self._deltas.append(delta)

    def publish(self, checkpoint: VerifiedCheckpoint, head: bytes, time: int) -> None:
        """`checkpoint` with its cosignatures, `head` its last leaf, `time` that of its quorum.

        Raises `Unavailable`: `no_quorum` for one that the status array is ahead of: a worker that just started
        may find leaves that no checkpoint covers yet, and a server that was replaced shows an old one.
        """
        with self._guard:
            if checkpoint.size < self._least:
                raise Unavailable("no_quorum", "a newer checkpoint is about to be published", retry_after=2)
            self._least = checkpoint.size
            while self._deltas and self._deltas[0].size <= checkpoint.size:
                self._deltas.popleft().apply(self._status)
            self._checkpoint, self._head, self._time = checkpoint, head, time
            self._guard.notify_all()

    def wait_for(self, size: int, seconds: float) -> None:
        """Until `size` leaves are published, at most so long."""
        with self._guard:
            self._guard.wait_for(lambda: self.size >= size, seconds)

    @property
    def size(self) -> int:
        """Leaves under the published checkpoint; 0 before the first since the start."""
        checkpoint = self._checkpoint
        return 0 if checkpoint is None else checkpoint.size

    def is_fresh(self, now: int) -> bool:
        """Whether an agency would accept the published checkpoint."""
        return self._checkpoint is not None and now - self._time <= MAX_AGE

    def age(self, now: int) -> float:
        """Seconds since a quorum cosigned what is published; infinite before the first."""
        return inf if self._checkpoint is None else max(0, now - self._time)

    def checkpoint(self) -> tuple[str, int]:
        """The published note and its size. Raises `Unavailable`: `no_quorum`."""
        checkpoint = self._checkpoint
        if checkpoint is None:
            raise _no_checkpoint()
        return checkpoint.note, checkpoint.size

    def view(self, slot: int) -> View:
        """The checkpoint with the status of `slot`. Raises `Unavailable`: `no_quorum`."""
        return self.view_of_chunk(slot // SLOTS_PER_CHUNK)

    def view_of_chunk(self, number: int) -> View:
        """The checkpoint with one status chunk. Raises `Rejected`: `not_found` 404; `Unavailable`: `no_quorum`."""
        with self._guard:
            checkpoint, status = self._checkpoint, self._status
            if checkpoint is None:
                raise _no_checkpoint()
            if not 0 <= number < chunk_count(status.slots):
                raise Rejected("not_found", "the status array has no such chunk", status=404)
            return View(
                note=checkpoint.note,
                body_hash=checkpoint.body_hash,
                size=checkpoint.size,
                head=self._head,
                time=self._time,
                slots=status.slots,
                chunk=status.chunk(number),
                chunk_proof=tuple(status.proof(number)),
            )

    def status_slice(self, first: int, count: int) -> tuple[str, int, bytes]:
        """The note, the time of its quorum, and the status chunks `first` to `first + count` as far as there are.

        Raises `Rejected`: `not_found` 404 when there is none; `Unavailable`: `no_quorum`.
        """
        with self._guard:
            checkpoint, status = self._checkpoint, self._status
            if checkpoint is None:
                raise _no_checkpoint()
            last = min(first + count, chunk_count(status.slots))
            if not 0 <= first < last:
                raise Rejected("not_found", "the status array is not so long", status=404)
            return checkpoint.note, self._time, b"".join(status.chunk(number) for number in range(first, last))


def _no_checkpoint() -> Unavailable:
    return Unavailable("no_quorum", "no checkpoint has been cosigned since the start", retry_after=2)


def prove_leaf(tree: Tree, index: int, leaf: bytes, size: int) -> LeafProof:
    """A leaf with its inclusion proof in the tree of `size` leaves."""
    return LeafProof.make(index, leaf, inclusion_proof(index, size, tree.node))


def prove_head(tree: Tree, view: View) -> LeafProof:
    """The head leaf of a view: the last of its checkpoint."""
    return prove_leaf(tree, view.size - 1, view.head, view.size)


def prove_grant(tree: Tree, view: View, index: int, leaf: bytes) -> Evidence:
    """All that a light check of the grant at `index` needs."""
    return Evidence(
        checkpoint=view.note,
        head=prove_head(tree, view),
        grant=prove_leaf(tree, index, leaf, view.size),
        status=ChunkProof.make(view.chunk, view.chunk_proof),
    )


def tlog_proof(tree: Tree, index: int, note: str, size: int) -> str:
    """The C2SP tlog-proof of a leaf under the checkpoint `note` of `size` leaves."""
    return make_tlog_proof(index, inclusion_proof(index, size, tree.node), note)


def is_whole_quorum(policy: Policy, auditing: Collection[VerifierKey], answered: Collection[VerifierKey]) -> bool:
    """Whether the auditing cosigners that answered, with all plain witnesses, could make a quorum.

    Then every set of cosigners without whom there is no quorum has answered at least once: a revocation that such
    a set keeps has been heard (section 9).
    """
    counted = {
        witness.name: 1 for witness in policy.witnesses if witness.key not in auditing or witness.key in answered
    }
    return policy.quorum_time(counted) is not None
