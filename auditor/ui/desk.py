"""What the pages of the console share: the stores of one home, and what was read of them a moment ago.

Nothing here replays or fetches: pages show what a follower or a check has left in the home. The trust list is the
one that this home accepted last.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import current_app

from auditor.config import Config, log_keys, read_config
from auditor.findings import Finding
from auditor.follow_store import LAST, Entries, FollowStore
from auditor.looks import Looks
from auditor.open_case import CaseOpener
from auditor.tally import Cell
from auditor.tally_store import TallyView
from auditor.ui.figures import ServiceKey
from auditor.ui.health import Health, Tree, judge, read_tree
from auditor.ui.jobs import Jobs
from protocol.errors import Rejected
from protocol.keys import parse_jwk
from protocol.names import visible
from protocol.trust_list import Service, TrustList
from service.clock import Clock
from service.fetch import Fetcher
from service.home import Home
from service.trust import KEPT, read_own_trust_list

T = TypeVar("T")
DESK = "regie.console"
LOOKS_SHOWN = 200
_STAMPS = 8


@dataclass
class Desk:
    """One for the app; thread-safe. `who`: names who looks into an agreement."""

    home: Home
    clock: Clock
    who: Callable[[], str]
    fetcher: Fetcher | None = None
    config: Config = field(init=False)
    _kept: dict[tuple[Hashable, ...], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.config = read_config(self.home)
        self.store = FollowStore(self.home)
        self.view = TallyView(self.store.engine)
        self.looks = Looks(self.home)
        self.opener = CaseOpener(self.home, self.store, self.fetcher)
        self.jobs = Jobs(self.clock)

    def now(self) -> int:
        """POSIX seconds."""
        return self.clock.now()

    # -- figures -----------------------------------------------------------------------------------------------

    def cells(self, *families: str) -> Mapping[Cell, int]:
        """Counts of these families, read again when something was counted."""
        stamp = ("cells", families, self.view.counted().saves)
        return self._once(stamp, lambda: self.view.cells(*families))

    def running(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """(grants that run, grants that have ended since the last look), by agency; as of this minute."""
        return self.once("running", (), lambda minute: (self.view.running(minute), self.view.over(minute)))

    def once(self, name: str, what: tuple[Hashable, ...], make: Callable[[int], T]) -> T:
        """What `make` gives for this minute (POSIX seconds): once, until it ends or something is counted."""
        minute = self.now() // 60 * 60
        return self._once((name, *what, self.view.counted().saves, minute), lambda: make(minute))

    # -- the log -----------------------------------------------------------------------------------------------

    def alarms(self) -> list[tuple[int, Finding, bytes | None]]:
        """What was found, the first one first: (when, what, the proof as a file)."""
        return self.store.alarms()

    def health(self) -> Health:
        """The verdict of this moment."""
        return judge(self.view.looks(1), [finding for _, finding, _ in self.alarms()], self.now())

    def tree(self) -> Tree | None:
        """The last tree that passed; None when nobody has looked, or the trust list does not have the log."""
        kept, trust = self.store.notes().get(LAST), self.trust()
        if kept is None or trust is None:
            return None
        note, time = kept

        def read() -> Tree | None:
            try:
                _, keys, policy = log_keys(trust, self.config.log)
            except Rejected:
                return None
            return read_tree(note, time, policy, keys, self.now())

        return self._once(("tree", note, time, trust.version), read)

    def entries(self) -> Entries:
        """How many agreements there are and how many entries nobody can open any more."""
        stamp = ("entries", self.view.counted().saves, self.view.looks(1)[0].size if self.view.looks(1) else 0)
        return self._once(stamp, self.store.entries)

    # -- the trust list ----------------------------------------------------------------------------------------

    def trust(self) -> TrustList | None:
        """As this home accepted it last; None before the first look."""
        path = self.home.file(KEPT)
        if not path.exists():
            return None
        found = path.stat()

        def read() -> TrustList | None:
            text = self.home.read_public(KEPT).decode("ascii", "replace")
            try:
                return read_own_trust_list(text, parse_jwk(self.config.registrar))
            except Rejected:
                return None

        return self._once(("trust", found.st_mtime_ns, found.st_ino), read)

    def agency_name(self, oin: str) -> str:
        """As listed, made visible; the OIN for one that is not listed."""
        trust = self.trust()
        try:
            return visible(trust.agency(oin).name) if trust is not None else oin
        except Rejected:
            return oin

    def services(self) -> Mapping[ServiceKey, Service]:
        """All listed versions of services."""
        trust = self.trust()
        if trust is None:
            return {}
        return {
            (agency.id, found.id, found.version): found for agency in trust.agencies for found in agency.services
        }

    def _once(self, stamp: tuple[Hashable, ...], read: Callable[[], T]) -> T:
        """What `read` gave under this stamp; under another stamp of its kind it is read again."""
        with self._lock:
            if stamp in self._kept:
                found: T = self._kept[stamp]
                return found
        value = read()
        with self._lock:
            for old in [key for key in self._kept if key[0] == stamp[0]][:-_STAMPS]:
                del self._kept[old]
            self._kept[stamp] = value
        return value


def desk() -> Desk:
    """Of the app that answers this request."""
    found: Desk = current_app.extensions[DESK]
    return found
