"""The wallet between requests: opened once, used by one request at a time, closed when nobody is there any more.

`with in_use() as wallet:` is how a view gets it. While the wallet is locked that leads to the page that unlocks
it, and from there back. Between two requests only the open wallet and what was `keep`t are in memory.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from flask import current_app, g

from protocol.errors import Rejected, Unavailable
from service.clock import Clock, SystemClock
from service.fetch import Fetcher
from service.home import CONFIG, Home
from wallet.config import VAULT
from wallet.errand_remove import remove_wallet
from wallet.opened import OpenWallet, Surroundings, surroundings, wallet_of
from wallet.ui.prefs import Preferences, preferences
from wallet.vault import Vault, open_vault

KEEPER = "wallet.keeper"
WAIT_SECONDS = 40.0
"""For another request that is using the wallet: longer than an errand waits for one peer."""
HOLD_SECONDS = 3600
"""Idle time while a page asks for a decision: three times as long as slow readers need, and the page says so."""
WARN_SECONDS = 120
"""How long before locking the page asks whether anybody is there (WCAG 2.2.1: at least 20 seconds)."""
MAX_KEPT = 64
MAX_CEREMONIES = 16
_LOOK_SECONDS, _LEAST_SECONDS = 15.0, 1.0
T = TypeVar("T")


class Locked(Exception):
    """Somebody asked for a page that needs the wallet open. Not an error: they unlock it, and come back."""


@dataclass(frozen=True)
class Listed:
    """How something kept shows on the start page while it is open: whom it is about, and what to do with it."""

    title: str
    endpoint: str
    kind: Literal["request", "offer", "login"] = "request"


@dataclass(frozen=True)
class _Kept:
    value: Any
    listed: Listed | None
    lasting: bool


class Keeper:
    """One for each app. `home` may be without a wallet so far."""

    def __init__(
        self, home: Home, *, fetcher: Fetcher | None = None, clock: Clock | None = None, profile: str = "standard"
    ) -> None:
        """`profile`: the price of a guess in wallets and backups that are made here."""
        self.home = home
        self.profile = profile
        self.catches_up = True
        """Whether it asks everybody what happened as soon as it is unlocked."""
        self.clock = clock or SystemClock()
        self.memory: dict[str, Any] = {}
        """What pages remember of an open wallet; gone once it is locked."""
        self._fetcher = fetcher
        self._turn = threading.RLock()
        self._wallet: OpenWallet | None = None
        self._used = 0.0
        self._limit = self._idle = 0.0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._ceremonies: OrderedDict[str, object] = OrderedDict()
        self._watching: threading.Event | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a wallet in the home."""
        return self.home.has(CONFIG)

    @property
    def is_open(self) -> bool:
        """Whether it is unlocked."""
        return self._wallet is not None

    def around(self) -> Surroundings:
        """What stopping by paper code needs, and nothing more. Raises `Rejected`: `no_home`."""
        return self._wallet or surroundings(self.home, fetcher=self._fetcher, clock=self.clock)

    def unlock(self, passphrase: bytes, *, accept_older: bool = False) -> None:
        """One guess at a time: each costs a quarter of a gigabyte. Raises those of `open_vault`."""
        with self.taken():
            if self._wallet is None:
                around = self.around()
                path = self.home.file(VAULT)
                self.hold(around, open_vault(path, passphrase, around.random, accept_older=accept_older))
            else:
                self._wallet.vault.check_passphrase(passphrase)

    def hold(self, around: Surroundings, vault: Vault) -> OpenWallet:
        """From now on `vault` is what pages use."""
        with self.taken():
            self.lock()
            self._wallet = wallet_of(around, vault)
            self.set_idle(self.preferences().idle_minutes)
            self._watching = threading.Event()
            threading.Thread(target=self._watch, args=(self._watching,), name="idle", daemon=True).start()
            return self._wallet

    def lock(self) -> None:
        """Close the vault and forget its key."""
        with self.taken():
            wallet, self._wallet = self._wallet, None
            self.memory.clear()
            for kept_id in [name for name, kept in list(self._kept.items()) if not kept.lasting]:
                del self._kept[kept_id]
            if self._watching is not None:
                self._watching.set()
                self._watching = None
            if wallet is not None:
                wallet.vault.close()

    def remove(self) -> None:
        """Take the wallet off this machine, with all that its resident was doing: who makes the next one here is
        somebody else. Raises `Locked` and those of `remove_wallet`.
        """
        with self.in_use() as wallet:
            remove_wallet(wallet)
            self.lock()
            self._kept.clear()
            self._ceremonies.clear()

    @contextmanager
    def in_use(self) -> Iterator[OpenWallet]:
        """The open wallet, for one thread at a time. Raises `Locked`; `Unavailable`: `wallet_busy`."""
        with self.taken():
            self.lock_if_idle()
            if self._wallet is None:
                raise Locked
            yield self._wallet

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The turn of this thread. Raises `Unavailable`: `wallet_busy`."""
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("wallet_busy", "the wallet is still busy with something else; try again in a moment")
        try:
            yield
        finally:
            self._turn.release()

    def preferences(self) -> Preferences:
        """What the resident set; as at first while the wallet is locked."""
        with self.taken():
            return preferences(self._wallet) if self._wallet else Preferences()

    def touch(self, *, hold: bool = False) -> None:
        """Somebody is there. `hold`: and has a decision to make, which takes its time."""
        self._used = self.clock.monotonic()
        self._limit = max(self._idle, HOLD_SECONDS) if hold else self._idle

    def set_idle(self, minutes: int) -> None:
        """After how long it locks itself from now on. Kept here: every request asks, also while one writes."""
        self._idle = minutes * 60.0
        self.touch()

    def seconds_left(self) -> float:
        """Until the wallet locks itself."""
        return self._used + self._limit - self.clock.monotonic()

    def lock_if_idle(self) -> None:
        """Lock when nobody has been there for long enough."""
        if self._wallet is not None and self.seconds_left() <= 0:
            self.lock()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(max(_LEAST_SECONDS, min(_LOOK_SECONDS, self.seconds_left()))):
            if self.seconds_left() > 0 or not self._turn.acquire(blocking=False):
                continue  # whoever is using it is there
            try:
                if not over.is_set():
                    self.lock_if_idle()
            finally:
                self._turn.release()

    def keep(self, value: object, listed: Listed | None = None, *, lasting: bool = True) -> str:
        """Keep a link or what was read from one; its random id, for a path. Gone with the program.

        The oldest goes when there are too many. `listed`: shown on the start page until it is dropped. `lasting`:
        it survives the lock, which only what says nothing of the resident may.
        """
        kept_id = secrets.token_urlsafe(16)
        self._kept[kept_id] = _Kept(value, listed, lasting)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return kept_id

    def replace(self, kept_id: str, value: object) -> None:
        """Keep another value under the same id. Raises `Rejected`: `not_kept`."""
        old = self._find(kept_id)
        self._kept[kept_id] = _Kept(value, old.listed, old.lasting)

    def kept(self, kept_id: str, kind: type[T]) -> T:
        """Raises `Rejected`: `not_kept` (404)."""
        value = self._find(kept_id).value
        if not isinstance(value, kind):
            raise _not_kept()
        return value

    def drop(self, kept_id: str) -> None:
        """It is done with."""
        self._kept.pop(kept_id, None)

    def listed(self) -> dict[str, Listed]:
        """What is open, newest first."""
        return {name: kept.listed for name, kept in reversed(list(self._kept.items())) if kept.listed is not None}

    def begin_ceremony(self, asked: object) -> str:
        """What the answer of a passkey will be held against; its random id."""
        name = secrets.token_urlsafe(16)
        self._ceremonies[name] = asked
        while len(self._ceremonies) > MAX_CEREMONIES:
            self._ceremonies.popitem(last=False)
        return name

    def end_ceremony(self, name: str) -> object:
        """What was begun, once; None when nothing was, or it is too long ago."""
        return self._ceremonies.pop(name, None)

    def _find(self, kept_id: str) -> _Kept:
        found = self._kept.get(kept_id)
        if found is None:
            raise _not_kept()
        return found


def _not_kept() -> Rejected:
    return Rejected("not_kept", "this page was about something that is done or gone", status=404)


def keeper() -> Keeper:
    """Of the app that answers this request."""
    found: Keeper = current_app.extensions[KEEPER]
    return found


def in_use() -> AbstractContextManager[OpenWallet]:
    """The open wallet, in a view: `with in_use() as wallet:`. While it is locked the browser is led to unlock it.

    Never wait for a person inside the block: nobody else can use the wallet meanwhile.
    """
    return keeper().in_use()


def stay_open() -> None:
    """In the view of a page that asks for a decision: the wallet waits an hour for it, and warns before."""
    keeper().touch(hold=True)
    g.holds = True
