"""Epoch keys: what wraps the shares at rest lives in files beside the database, never in it or in its backups.

An epoch lasts a day. Then a new key is made, every live share is wrapped anew, and the old key is destroyed: from
then on no backup of the database holds a usable share that has been revoked since (G6).

Several processes may use one directory: what counts is which files there are, looked up at every question. An
epoch's number is its turn and a few bits of a hash of its key, so that processes that share a database, but by
mistake not the directory, never take each other's shares for their own: they find no key, and destroy nothing.

A share is lost when it is wrapped under a key that another process is just destroying, so the owner MUST keep this
order: ask `current` inside the transaction that writes the share, and destroy only after a transaction of the same
lock has found no share of that epoch left.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from threading import Lock

from protocol.canonical import sha256
from protocol.errors import Rejected, Unavailable
from service.home import Home

EPOCH_SECONDS = 24 * 3600
_KEY_BYTES = 32
_HASH_BITS = 16
_HASH_PURPOSE = b"regie/epoch/v1"
_FILE = re.compile(r"epoch-([0-9]{1,12})\.key")
_CONDEMNED = re.compile(r"destroyed-([0-9]{1,12})\.key")


def turn_of(epoch: int) -> int:
    """Counts the epochs of a directory, from 1."""
    return epoch >> _HASH_BITS


class Epochs:
    """The keys in a directory (0700, one file each, 0600): 32 bytes of key || u64 time of making.

    Raises `Unavailable`: `io`, `epoch_key` for a key that is destroyed or was never here; `Rejected`:
    `open_secret`.
    """

    def __init__(self, home: Home) -> None:
        self._home = home.create()
        self._guard = Lock()
        self._keys: dict[int, tuple[bytes, int]] = {}
        self._look()
        self.finish_destroying()

    @property
    def current(self) -> int:
        """The epoch that new shares are wrapped in."""
        keys = self._look()
        if not keys:
            raise Unavailable("epoch_key", "no epoch key: this home was not initialised, or its keys are gone")
        return max(keys)

    def key(self, epoch: int) -> bytes:
        """The key of an epoch, 32 bytes."""
        found = self._keys.get(epoch)  # a file that is made never changes: it is there or gone
        if found is None or not os.path.lexists(f"{self._home.path}/{_name(epoch)}"):
            found = self._look().get(epoch)
        if found is None:
            raise Unavailable("epoch_key", "the key of this share's epoch is gone")
        return found[0]

    def began(self) -> int:
        """When the current epoch began, POSIX seconds."""
        return self._look()[self.current][1]

    def is_due(self, now: int) -> bool:
        """Whether the current epoch has lasted its day."""
        return now >= self.began() + EPOCH_SECONDS

    def begin(self, key: bytes, now: int) -> int:
        """A new epoch under `key` (32 random bytes), durable before anything is wrapped in it: its number.

        When another process begins one at this moment, both keys are kept while anything is wrapped under them.
        """
        if len(key) != _KEY_BYTES:
            raise ValueError("an epoch key is 32 bytes")
        turn = turn_of(max(self._look(), default=0)) + 1
        epoch = turn << _HASH_BITS | int.from_bytes(sha256(_HASH_PURPOSE + key)[: _HASH_BITS // 8], "big")
        # Created, never replaced: overwriting another process's key would lose what it has already wrapped.
        self._home.create_secret(_name(epoch), key + now.to_bytes(8, "big"))
        self._look()
        return epoch

    def past(self) -> list[int]:
        """Epochs that are over and whose key is still here."""
        return sorted(self._look())[:-1]

    def destroy(self, epoch: int) -> None:
        """Overwrite and delete a key. The caller MUST have wrapped its shares anew, durably; again is no error."""
        if epoch == self.current:
            raise ValueError("the current epoch's key is in use")
        condemned = f"destroyed-{epoch}.key"
        # Renamed first: no other process takes half-overwritten bytes for a key. Missing if another was faster.
        with _on_disk():
            with contextlib.suppress(FileNotFoundError):
                self._home.file(_name(epoch)).rename(self._home.file(condemned))
            self._erase(condemned)
        self._look()

    def finish_destroying(self) -> None:
        """Erase what `destroy` condemned and could not erase: the disk refused, or the process died on the way."""
        with _on_disk():
            for name in os.listdir(self._home.path):
                if _CONDEMNED.fullmatch(name):
                    self._erase(name)

    def _erase(self, name: str) -> None:
        try:
            with self._home.file(name).open("r+b") as stream:
                stream.write(bytes(_KEY_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
        except FileNotFoundError:
            return
        self._home.remove(name)

    def _look(self) -> dict[int, tuple[bytes, int]]:
        """The keys whose files are here now; one that was destroyed is forgotten at the next look."""
        with _on_disk():
            here = {int(found[1]) for name in os.listdir(self._home.path) if (found := _FILE.fullmatch(name))}
        with self._guard, _on_disk():
            if here != self._keys.keys():
                read = {epoch: self._keys.get(epoch) or self._read(epoch) for epoch in here}
                self._keys = {epoch: entry for epoch, entry in read.items() if entry is not None}
            return self._keys

    def _read(self, epoch: int) -> tuple[bytes, int] | None:
        try:
            data = self._home.read_secret(_name(epoch))
        except Rejected as error:
            if error.code == "no_home":  # gone since it was listed
                return None
            raise
        if not self._home.has(_name(epoch)):  # it may have been overwritten while we read
            return None
        return data[:_KEY_BYTES], int.from_bytes(data[_KEY_BYTES:], "big")


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("io", f"the epoch keys cannot be reached: {error.strerror}") from error


def _name(epoch: int) -> str:
    return f"epoch-{epoch}.key"
