"""All visits of one counter: in memory only, since their wallets must not outlive the program."""

import secrets
import shutil
import threading
from contextlib import ExitStack

from protocol.errors import RegieError, Rejected
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import Home
from service.journal import log_event
from service.trust import TrustSource
from wallet.client import Peers
from wallet.config import WalletConfig
from wallet.counter_book import stop_unprinted
from wallet.counter_config import CounterConfig
from wallet.opened import Surroundings
from wallet.visit import FOLDER, Visit, begin, finish

VISITS_LOCK = "visits.lock"
MAX_VISITS = 50
VISIT_SECONDS = 7200
"""A request lives less than an hour; nobody is hurried within a visit (WCAG 2.2.1)."""


class Visits:
    """Thread-safe. What a crash left is cleaned up at the start: wallets are deleted, and what has no receipt is
    stopped. So one program alone has the home, until `close` or its death: another one would do that to visits
    that are open. Raises `Unavailable`: `in_use`.
    """

    def __init__(self, home: Home, *, fetcher: Fetcher | None = None, clock: Clock | None = None) -> None:
        config = home.config(CounterConfig)
        fetcher = fetcher or Fetcher()
        trust = TrustSource(home, config.trust_list, config.registrar, fetcher=fetcher)
        self.around = Surroundings(home, Peers(fetcher), trust, clock or SystemClock(), secrets.token_bytes)
        self._config = WalletConfig("wallet", config.trust_list, config.registrar)
        self._found: dict[str, Visit] = {}
        self._turn = threading.Lock()
        self.held = ExitStack()
        self.held.enter_context(home.lock(VISITS_LOCK))
        for left in home.path.glob(f"{FOLDER}*"):
            shutil.rmtree(left, ignore_errors=True)
        if count := stop_unprinted(self.around):
            log_event("visits", "stopped_without_receipt", count=count)

    def begin(self, officer: str) -> Visit:
        """Raises `Rejected`: `too_many_visits`."""
        self.sweep()
        with self._turn:
            if len(self._found) >= MAX_VISITS:
                raise Rejected("too_many_visits", "finish some of the visits first", status=429)
            visit = begin(self.around, self._config, officer)
            self._found[visit.id] = visit
        return visit

    def find(self, visit_id: str) -> Visit:
        """Raises `Rejected`: `visit_over` (404)."""
        self.sweep()
        found = self._found.get(visit_id)
        if found is None:
            raise Rejected("visit_over", "nothing is open under this id", status=404)
        return found

    def all(self) -> list[Visit]:
        """The oldest first."""
        self.sweep()
        return sorted(self._found.values(), key=lambda visit: visit.began)

    def finish(self, visit: Visit) -> None:
        """Raises as `visit.finish`, and `visit_over` when somebody was before."""
        with visit.lock:
            if self._found.get(visit.id) is not visit:
                raise Rejected("visit_over", "nothing is open under this id", status=404)
            finish(visit)
            del self._found[visit.id]

    def sweep(self) -> None:
        """End what nobody came back to."""
        old = self.around.now() - VISIT_SECONDS
        for visit in [visit for visit in list(self._found.values()) if visit.began < old]:
            try:
                self.finish(visit)
            except RegieError as error:
                log_event("visits", "cannot_finish", code=error.code)

    def close(self) -> None:
        """The program ends: every wallet is destroyed; what has no receipt is stopped now or at the next start."""
        for visit in list(self._found.values()):
            try:
                self.finish(visit)
            except RegieError as error:
                log_event("visits", "cannot_finish", code=error.code)
        self.held.close()
