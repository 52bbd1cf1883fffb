"""A key of a home that can rotate: the one in use, and beside it the next one until everybody knows it.

    keys = Keyring(home, "log-key", lambda seed: NoteSigner(origin, Ed25519Private(seed)))
    keys.all()                   # in use now: one, or two while a rotation is under way
    keys.begin(seed); keys.finish()

A server asks `all` at every use: what another process (the command line) did to the files shows at the next use.
"""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from protocol.errors import Rejected
from service.home import Home

K = TypeVar("K")
_Mark = tuple[int, int, int]


class Keyring(Generic[K]):
    """`make` turns the bytes of a key file into the key. Thread-safe; several processes may use one home."""

    def __init__(self, home: Home, name: str, make: Callable[[bytes], K]) -> None:
        self._home = home
        self._name, self._next = name, f"{name}-next"
        self._make = make
        self._guard = Lock()
        self._marks: tuple[_Mark | None, ...] | None = None
        self._keys: tuple[K, ...] = ()

    def all(self) -> tuple[K, ...]:
        """The key in use, then the next one where there is one; empty where none was ever made.

        Raises `Rejected`: `open_secret`.
        """
        with self._guard:
            while (marks := self._look()) != self._marks:
                names = [name for name, mark in zip((self._name, self._next), marks, strict=True) if mark]
                try:
                    self._keys = tuple(self._make(self._home.read_secret(name)) for name in names)
                except (Rejected, FileNotFoundError):
                    if self._look() == marks:
                        raise
                    continue  # a rotation was finished between the look and the reading
                self._marks = marks
            return self._keys

    def next(self) -> K | None:
        """The key that will be the one in use; None when no rotation is under way."""
        keys = self.all()
        return keys[1] if len(keys) > 1 else None

    def create(self, seed: bytes) -> None:
        """The first key. Raises `Rejected`: `key_exists` rather than replace one."""
        if not self._home.create_secret(self._name, seed):
            raise Rejected("key_exists", "there is a key of this kind already", status=409)

    def begin(self, seed: bytes) -> None:
        """Make the next key; both are in use from now on. Raises `Rejected`: `rotation_under_way`."""
        if not self._home.has(self._name):
            raise Rejected("no_key", "there is no key of this kind to rotate", status=404)
        if not self._home.create_secret(self._next, seed):
            raise Rejected("rotation_under_way", "the last rotation of this key is not finished", status=409)

    def finish(self) -> None:
        """The next key is the one in use, and the old one is gone, in one step.

        Raises `Rejected`: `no_rotation`.
        """
        if not self._home.has(self._next):
            raise Rejected("no_rotation", "no rotation of this key is under way", status=409)
        self._home.rename(self._next, self._name)

    def _look(self) -> tuple[_Mark | None, ...]:
        return self._mark(self._name), self._mark(self._next)

    def _mark(self, name: str) -> _Mark | None:
        try:
            found = self._home.file(name).stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
