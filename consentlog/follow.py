"""The committed log in memory: its tree, its status array and its end, kept as the store has them.

Several workers may append to one store (PostgreSQL). Each takes over what the others appended by following the
leaves, which say it all: inside the writing transaction, before it decides anything (`begin`), or up to a
checkpoint that another worker has published (`reach`). Nothing enters memory before it is known to be durable:
either our own commit after it was acknowledged, or a quorum has cosigned it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, Engine

from consentlog import queries
from consentlog.lock import Locked
from consentlog.publish import Committed, Delta, Published
from consentlog.store import Tail, beat, load_tail, make_tail, move_tail
from consentlog.tree import CorruptTree, Draft, Tree
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected, Unavailable
from protocol.leaf import Head, LeafType, Revocation, parse_leaf
from protocol.merkle import EMPTY_ROOT, leaf_hash
from protocol.status_tree import StatusTree
from service.database import immediate


@dataclass(frozen=True)
class Growth:
    """Leaves on top of a tree, and the root with them: what each group did to the status array, the last head."""

    draft: Draft
    root: bytes
    deltas: tuple[Delta, ...]
    head: bytes


MAX_FOLLOWED = 1 << 14
"""Leaves that a writing transaction follows: others wait for it, and the server for us."""


class FarBehind(Exception):
    """More was appended than one transaction should follow: `come_nearer` first."""


def deltas_of(first: int, leaves: Sequence[bytes]) -> tuple[Delta, ...]:
    """Leaf `first` and those after it, cut after each head. Raises `CorruptTree` when the last one is no head."""
    deltas, revoked = [], []
    for size, leaf in enumerate(map(parse_leaf, leaves), first + 1):
        if isinstance(leaf, Revocation):
            revoked.append(leaf.slot)
        elif isinstance(leaf, Head):
            deltas.append(Delta(size, leaf.slots, tuple(revoked)))
            revoked = []
    if not deltas or deltas[-1].size != first + len(leaves):
        raise CorruptTree("a group has no head")
    return tuple(deltas)


def follow(base: Tree, leaves: Sequence[bytes], root: bytes) -> Growth:
    """What `leaves` make of `base`. Raises `CorruptTree` unless that is the tree with this `root`."""
    draft = Draft(base)
    draft.extend([leaf_hash(leaf) for leaf in leaves])
    if draft.root() != root:
        raise CorruptTree("the store holds another history than this process")
    return Growth(draft, root, deltas_of(base.size, leaves), leaves[-1])


class Memory:
    """Grows by `begin`, `extend`, `settle` and by `reach`, with `alone` held; everybody may read it."""

    def __init__(self, engine: Engine, tree: Tree, published: Published, on_commit: Callable[[], None]) -> None:
        self.alone = Lock()
        self.tree = tree
        self.committed: Committed | None = None
        self._engine = engine
        self._published = published
        self._on_commit = on_commit
        self._status = StatusTree()
        self._pending: list[Growth] = []
        self._is_doubtful = True

    # A writing transaction.

    def begin(self, connection: Connection) -> tuple[Tree | Draft, StatusTree]:
        """Where the next group begins: tree and status with all that is committed. The caller changes the status.

        Until `settle` is called it is not known what is committed: an acknowledgement may be all that was lost.
        Raises `CorruptTree`, `FarBehind`.
        """
        if self._is_doubtful:
            self._status = queries.status_in(connection)
        self._is_doubtful = True
        self._pending = []
        end = _tail(connection)
        tree = self.tree
        if end == self._end():
            return tree, self._status
        if end.size <= tree.size:
            raise CorruptTree("the store holds less than was committed, or another history")
        if end.size - tree.size > MAX_FOLLOWED:
            raise FarBehind
        growth = follow(tree, queries.leaves_in(connection, tree.size, end.size), end.root)
        self._bring_forward(growth)
        self._pending.append(growth)
        return growth.draft, self._status

    def come_nearer(self) -> None:
        """Whole groups of the first leaves that are missing, in a transaction of their own. Raises `Unavailable`.

        Whether they lead to the tail is seen by the `begin` that reaches it.
        """
        tree = self.tree
        with immediate(self._engine) as connection:
            self._is_doubtful = True
            leaves = queries.leaves_in(connection, tree.size, tree.size + MAX_FOLLOWED)
            while parse_leaf(leaves[-1]).type is not LeafType.HEAD:
                leaves.pop()
            draft = Draft(tree)
            draft.extend([leaf_hash(leaf) for leaf in leaves])
            beat(connection)
        self._take_over(Growth(draft, draft.root(), deltas_of(tree.size, leaves), leaves[-1]))

    def extend(self, connection: Connection, draft: Draft, revoked: tuple[int, ...], head: bytes) -> None:
        """The group of this transaction, on top of what `begin` gave."""
        old = Tail(draft.start, self._pending[-1].root) if self._pending else self._end()
        new = Tail(draft.size, draft.root())
        move_tail(connection, old, new)
        delta = Delta(draft.size, self._status.slots, revoked)
        self._pending.append(Growth(draft, new.root, (delta,), head))

    def settle(self) -> None:
        """The commit was acknowledged."""
        self._is_doubtful = False
        pending, self._pending = self._pending, []
        for growth in pending:
            self._take_over(growth)
        if pending:
            self._on_commit()

    # What another worker has published.

    def reach(self, checkpoint: VerifiedCheckpoint) -> None:
        """Take over the leaves under a checkpoint that a quorum has cosigned.

        Raises `CorruptTree` when ours is another history; `Unavailable` when the leaves are not there (yet).
        """
        tree = self.tree
        if tree.size >= checkpoint.size:
            if tree.root(checkpoint.size) != checkpoint.root:
                raise CorruptTree("another history than ours was published")
            return
        try:
            leaves = queries.leaves_between(self._engine, tree.size, checkpoint.size)
            growth = follow(tree, leaves, checkpoint.root)
        except CorruptTree as error:
            # Perhaps of a server that was replaced: who is asked next may have them.
            raise Unavailable("database", "the leaves of a published checkpoint are not in the store") from error
        if not self._is_doubtful:  # else `begin` loads it anew
            self._bring_forward(growth)
        self._take_over(growth)

    # The start.

    def restore(self, locked: Locked) -> None:
        """Begin where the store ends, once 1. it holds all that was signed, unchanged; 2. its last head and its
        tail fit its rows; 3. a write after it all is durable: a server that was replaced still answers reads.

        Raises `Rejected`: `restored_backup`, `forked`, `corrupt_store`; `Unavailable`: `database`.
        """
        with immediate(self._engine) as connection:
            try:
                self._restore(connection, locked)
            except (CorruptTree, ValueError) as error:
                raise Rejected("corrupt_store", "rows of the store are missing or damaged") from error
            beat(connection)  # 3.
        self._is_doubtful = False
        self._published.start_from(self._status.copy(), self.tree.size)

    def _restore(self, connection: Connection, locked: Locked) -> None:
        stored, tree = queries.tree_in(connection), self.tree
        tree.restore(stored.size, stored.edges)
        self._status = queries.status_in(connection)
        if stored.size < locked.size:  # 1.
            raise Rejected("restored_backup", "the store is older than what was signed last: it must not be used")
        if tree.root(locked.size) != locked.root:
            raise Rejected("forked", "the store is another history than what was signed last")
        if stored.last_leaf is not None:
            status = self._status
            if parse_leaf(stored.last_leaf) != Head(stored.size - 1, status.slots, status.root()):  # 2.
                raise Rejected("corrupt_store", "the store's last head does not fit its rows")
            self.committed = Committed(stored.size, tree.root(stored.size), stored.last_leaf)
        if load_tail(connection) is None:
            make_tail(connection, self._end())
        elif load_tail(connection) != self._end():
            raise Rejected("corrupt_store", "the store's tail does not fit its rows")

    def _end(self) -> Tail:
        end = self.committed
        return Tail(0, EMPTY_ROOT) if end is None else Tail(end.size, end.root)

    def _bring_forward(self, growth: Growth) -> None:
        for delta in growth.deltas:
            delta.apply(self._status)
        head = Head(growth.draft.size - 1, self._status.slots, self._status.root())
        if parse_leaf(growth.head) != head:
            raise CorruptTree("the status array of another worker is not ours")

    def _take_over(self, growth: Growth) -> None:
        """It is durable: the tree grows, and the publisher hears of it."""
        self.tree.extend(growth.draft)
        for delta in growth.deltas:
            self._published.committed(delta)
        self.committed = Committed(growth.draft.size, growth.root, growth.head)


def _tail(connection: Connection) -> Tail:
    found = load_tail(connection)
    if found is None:
        raise CorruptTree("the store has lost its tail")
    return found
