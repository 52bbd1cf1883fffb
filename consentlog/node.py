"""One running log: its parts put together, checked against the global lock, started and stopped.

A store that is older or other than what was signed last is refused here, before anything is answered.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from threading import Lock
from time import monotonic
from typing import Any

from sqlalchemy import Engine

from consentlog import config, queries
from consentlog.config import LogConfig
from consentlog.lock import GlobalLock, Locked
from consentlog.log_time import LogTime
from consentlog.meters import Meters
from consentlog.operations import Operation, Outcome
from consentlog.publish import Committed, Published
from consentlog.publisher import Publisher
from consentlog.reserve import Reserve
from consentlog.rows import StoredGrant
from consentlog.tables import create_tables
from consentlog.tree import CorruptTree, Tree
from consentlog.writer import Writer
from protocol.errors import Rejected, Unavailable
from protocol.leaf import Head, parse_leaf
from protocol.status_tree import StatusTree
from protocol.trust_list import TrustList
from service.clock import Clock
from service.database import engine_for
from service.epochs import Epochs
from service.fetch import Fetcher
from service.home import Home
from service.metrics import Metrics
from service.trust import TrustSource

ANSWER_SECONDS = 10.0
"""How long somebody waits for the witnesses before being told `no_quorum`."""
MAX_KNOWN_GRANTS = 8192
"""Grants whose terms are kept parsed: about 100 MB at the most."""
TRUST_SECONDS = 2.0
"""How long a trust list that was looked at serves who must not look."""


class NotAtHand(Exception):
    """To know this takes a look at a disk or a network, which an event loop must not wait for."""


class Node:
    """Owns the engine and the two threads. `connect` replaces the opening of a database connection (tests)."""

    def __init__(
        self,
        home: Home,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        fetcher: Fetcher,
        connect: Callable[[], Any] | None = None,
    ) -> None:
        self.config: LogConfig = config.log_config(home)
        self.keys = config.log_keyring(home, self.config.origin)
        self.auditor_token = home.read_secret(config.AUDITOR_TOKEN)
        self._trust = TrustSource(home, self.config.trust_list, self.config.registrar, fetcher=fetcher)
        self.engine: Engine = engine_for(self.config.database_url(home), connect=connect)
        create_tables(self.engine)
        lock = GlobalLock(engine_for(self.config.lock_url(home)), self.config.origin)
        self.locked: Locked = lock.read()
        self.tree = Tree(lambda level, n: queries.load_tile(self.engine, level, n))
        committed, status = _restored(self.engine, self.tree, self.locked)
        self.published = Published(status)
        self.metrics = Metrics("consentlog")
        meters = Meters(self.metrics)
        reserve = Reserve(home)
        reserve.fill()
        self.epochs = Epochs(Home(home.path / config.EPOCHS))
        self.writer = Writer(
            self.engine,
            self.tree,
            self.published,
            self.epochs,
            reserve,
            LogTime(clock),
            random,
            lambda: self.publisher.wake(),
            meters,
        )
        self.publisher = Publisher(
            self.config.origin,
            self.keys.checkpoint_signers,
            lock,
            self.locked,
            self.tree,
            self.writer,
            self.published,
            fetcher,
            self.trust,
            meters,
        )
        self.writer.start_from(committed, self.locked.time)
        self._grants: OrderedDict[int, StoredGrant] = OrderedDict()
        self._guard = Lock()
        self._trust_seen: tuple[float, TrustList] | None = None

    def start(self) -> None:
        """Write and publish from now on."""
        self.writer.start()
        self.publisher.start()

    def stop(self) -> None:
        """End both threads; what still waits is answered `busy`."""
        self.publisher.stop()
        self.writer.room.close()
        for thread in (self.writer, self.publisher):
            if thread.is_alive():
                thread.join(ANSWER_SECONDS)
        self.engine.dispose()

    def trust(self) -> TrustList:
        """The trust list now. Raises `Unavailable`: `trust_list`."""
        found = self._trust.current(self.writer.time())
        self._trust_seen = (monotonic(), found)
        return found

    def trust_at_hand(self) -> TrustList:
        """The trust list as it was a moment ago, without looking. Raises `NotAtHand`."""
        if self._trust_seen is None or monotonic() - self._trust_seen[0] > TRUST_SECONDS:
            raise NotAtHand
        return self._trust_seen[1]

    def grant_at_hand(self, slot: int) -> StoredGrant:
        """A grant that is kept in memory. Raises `NotAtHand`."""
        found = self._grants.get(slot)
        if found is None:
            raise NotAtHand
        return found

    def check_open(self, *, for_reads: bool) -> None:
        """Before anything is appended that could not be answered. Raises `Unavailable`: `busy`, `no_quorum`."""
        if not self.publisher.is_alive():
            raise Unavailable("busy", "the log publishes no more", retry_after=60)
        if for_reads and not self.publisher.is_ready:
            raise Unavailable(
                "busy", "the log has not yet heard a quorum of its auditing cosigners", retry_after=2
            )
        if not self.published.is_fresh(self.writer.time()):
            raise Unavailable("no_quorum", "the witnesses have not cosigned for a minute", retry_after=2)

    def perform(self, operation: Operation) -> Outcome:
        """Write it and wait until it may be answered. Raises what `admit` raises, and `Unavailable`."""
        return self.wait_for(self.writer.room.put(operation))

    def wait_for(self, answer: "Future[Outcome]") -> Outcome:
        """The outcome. Raises `Unavailable`: `no_quorum` when no checkpoint covers it in time."""
        try:
            return answer.result(ANSWER_SECONDS)
        except Late as error:
            answer.cancel()
            raise Unavailable(
                "no_quorum", "no witnessed checkpoint came in time: ask again", retry_after=2
            ) from error

    def grant_of(self, slot: int) -> StoredGrant | None:
        """A grant as it was committed; what of it can change may be out of date."""
        with self._guard:
            found = self._grants.get(slot)
            if found is not None:
                self._grants.move_to_end(slot)
                return found
        found = queries.grant_of_slot(self.engine, slot)
        if found is not None and found.terms is not None:
            with self._guard:
                self._grants[slot] = found
                if len(self._grants) > MAX_KNOWN_GRANTS:
                    self._grants.popitem(last=False)
        return found

    def forget(self, slot: int) -> None:
        """The openings of a slot were erased."""
        with self._guard:
            self._grants.pop(slot, None)


def _restored(engine: Engine, tree: Tree, locked: Locked) -> tuple[Committed | None, StatusTree]:
    """The store's end, once 1. it holds all that was signed, unchanged, and 2. its own head fits its rows.

    Raises `Rejected`: `restored_backup`, `forked`, `corrupt_store`.
    """
    try:
        stored = queries.load_tree(engine)
        tree.restore(stored.size, stored.edges)
        status = queries.load_status(engine)
        if stored.size < locked.size:  # 1.
            raise Rejected("restored_backup", "the store is older than what was signed last: it must not be used")
        if tree.root(locked.size) != locked.root:
            raise Rejected("forked", "the store is another history than what was signed last")
        if stored.last_leaf is None:
            return None, status
        head = parse_leaf(stored.last_leaf)
    except (CorruptTree, ValueError) as error:
        raise Rejected("corrupt_store", "rows of the store are missing or damaged") from error
    if head != Head(stored.size - 1, status.slots, status.root()):  # 2.
        raise Rejected("corrupt_store", "the store's last head does not fit its rows")
    return Committed(stored.size, tree.root(stored.size), stored.last_leaf), status
