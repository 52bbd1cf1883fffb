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
from consentlog.cosign import Witnesses
from consentlog.follow import Memory
from consentlog.lock import GlobalLock, Locked
from consentlog.log_time import LogTime
from consentlog.meters import Meters
from consentlog.operations import Operation, Outcome
from consentlog.publish import Published
from consentlog.publisher import Publisher
from consentlog.reserve import reserve_for
from consentlog.rows import StoredGrant
from consentlog.tables import create_tables
from consentlog.tree import CorruptTree, Tree
from consentlog.turns import News, OnlyOne, SharedTurn, Turn
from consentlog.writer import Writer
from protocol.errors import Unavailable
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
GRANT_SECONDS = 60.0
"""How long a grant is kept in memory where another worker may erase its openings."""
SEE_SECONDS = 1.0
"""How long a reader waits for what another worker has published."""
BLIND_SECONDS = 5.0
"""How long a database that did not answer is not asked what others have published."""
TRUST_SECONDS = 2.0
"""How long a trust list that was looked at serves who must not look."""


class NotAtHand(Exception):
    """To know this takes a look at a disk or a network, which an event loop must not wait for."""


class Node:
    """Owns the engine and the threads. `connect` replaces the opening of a database connection (tests)."""

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
        self.published = Published(StatusTree())
        memory = Memory(self.engine, self.tree, self.published, self._tell_publisher)
        memory.restore(self.locked)
        self.turn, self._news = self._turns(random)
        self.metrics = Metrics("consentlog")
        meters = Meters(self.metrics)
        reserve = reserve_for(self.engine, home)
        has_room = reserve.fill()
        self.epochs = Epochs(Home(home.path / config.EPOCHS))
        self.writer = Writer(
            self.engine, memory, self.published, self.turn, self.epochs, reserve, LogTime(clock), random, meters
        )
        self.writer.room.only_revocations = not has_room  # what is left is for them, also after a restart
        self.publisher = Publisher(
            self.config.origin,
            self.keys.checkpoint_signers,
            lock,
            self.locked,
            self.writer,
            self.published,
            self.turn,
            Witnesses(self.config.origin, fetcher, self.tree, self.writer.log_time, meters),
            self.trust,
            meters,
        )
        self.writer.start_from(self.locked.time)
        self._grants: OrderedDict[int, tuple[float, StoredGrant]] = OrderedDict()
        self._blind_until = 0.0
        self._guard = Lock()
        self._trust_seen: tuple[float, TrustList] | None = None

    def _turns(self, random: Callable[[int], bytes]) -> tuple[Turn, News | None]:
        """A log in PostgreSQL may have other workers, also on other machines."""
        if self.engine.dialect.name != "postgresql":
            return OnlyOne(), None
        turn = SharedTurn(self.engine, random(16).hex())
        return turn, News(self.engine, turn, lambda: self.publisher.wake())

    def _tell_publisher(self) -> None:
        """There is a new committed tree. Another worker's publisher is told by the database."""
        if self.turn.is_mine:
            self.publisher.wake()

    def start(self) -> None:
        """Write and publish from now on."""
        self.writer.start()
        self.publisher.start()
        if self._news is not None:
            self._news.start()

    def stop(self) -> None:
        """End the threads; what still waits is answered `busy`."""
        if self._news is not None:
            self._news.stop()
        self.publisher.stop()
        self.writer.room.close()
        for thread in (self.writer, self.publisher, self._news):
            if thread is not None and thread.is_alive():
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
        found = self._kept(slot)
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

    def see_published(self) -> None:
        """What any worker has published until now is published here as well, if the database can be asked."""
        if self.turn.is_mine or monotonic() < self._blind_until:
            return
        try:
            size = self.turn.published_size()
        except Unavailable:
            # What is in memory is served without the database: not every reader should wait to find that out.
            self._blind_until = monotonic() + BLIND_SECONDS
            return
        if size > self.published.size:
            self.publisher.wake()
            self.published.wait_for(size, SEE_SECONDS)

    def reach(self, size: int) -> None:
        """Have `size` leaves in the tree, if any worker has committed so many. Raises `Unavailable`."""
        if self.tree.size < size <= self.turn.committed_size():
            try:
                self.writer.catch_up(size)
            except CorruptTree as error:
                raise Unavailable("busy", "the log has another history than this process") from error

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
            found = self._kept(slot)
            if found is not None:
                self._grants.move_to_end(slot)
                return found
        found = queries.grant_of_slot(self.engine, slot)
        if found is not None and found.terms is not None:
            with self._guard:
                self._grants[slot] = monotonic(), found
                if len(self._grants) > MAX_KNOWN_GRANTS:
                    self._grants.popitem(last=False)
        return found

    def _kept(self, slot: int) -> StoredGrant | None:
        kept = self._grants.get(slot)
        if kept is None or (self._news is not None and monotonic() - kept[0] > GRANT_SECONDS):
            return None
        return kept[1]

    def forget(self, slot: int) -> None:
        """The openings of a slot were erased."""
        with self._guard:
            self._grants.pop(slot, None)
