"""Epoch keys: what wraps the shares at rest lives in files beside the database, never in it or in its backups.

An epoch lasts a day. Then a new key is made, every live share is wrapped anew, and the old key is destroyed: from
then on no backup of the database holds a usable share that has been revoked since (G6).
"""

import os
import re
from threading import Lock

from protocol.errors import Unavailable
from service.home import Home

EPOCH_SECONDS = 24 * 3600
_KEY_BYTES = 32
_FILE = re.compile(r"epoch-([0-9]{1,12})\.key")


class Epochs:
    """The keys in a directory (0700, one file each, 0600): 32 bytes of key || u64 time of making."""

    def __init__(self, home: Home) -> None:
        self._home = home.create()
        self._guard = Lock()
        self._keys: dict[int, tuple[bytes, int]] = {}
        for name in sorted(os.listdir(home.path)):
            if found := _FILE.fullmatch(name):
                data = home.read_secret(name)
                self._keys[int(found[1])] = (data[:_KEY_BYTES], int.from_bytes(data[_KEY_BYTES:], "big"))

    @property
    def current(self) -> int:
        """The epoch that new shares are wrapped in. Raises `Unavailable`: `epoch_key` when there is none."""
        with self._guard:
            if not self._keys:
                raise Unavailable("epoch_key", "no epoch key: the log was not initialised, or its keys are gone")
            return max(self._keys)

    def key(self, epoch: int) -> bytes:
        """The key of an epoch. Raises `Unavailable`: `epoch_key` when it is destroyed or was never here."""
        with self._guard:
            found = self._keys.get(epoch)
        if found is None:
            raise Unavailable("epoch_key", "the key of this share's epoch is gone")
        return found[0]

    def is_due(self, now: int) -> bool:
        """Whether the current epoch has lasted its day."""
        epoch = self.current
        with self._guard:
            return now >= self._keys[epoch][1] + EPOCH_SECONDS

    def begin(self, key: bytes, now: int) -> int:
        """A new epoch under `key` (32 random bytes), durable before anything is wrapped in it."""
        if len(key) != _KEY_BYTES:
            raise ValueError("an epoch key is 32 bytes")
        with self._guard:
            epoch = max(self._keys, default=0) + 1
            self._home.write_secret(_name(epoch), key + now.to_bytes(8, "big"))
            self._keys[epoch] = (key, now)
        return epoch

    def past(self) -> list[int]:
        """Epochs that are over and whose key is still here."""
        with self._guard:
            return sorted(self._keys)[:-1]

    def destroy(self, epoch: int) -> None:
        """Overwrite and delete a key. The caller MUST have wrapped its shares anew, durably."""
        if epoch == self.current:
            raise ValueError("the current epoch's key is in use")
        path = self._home.file(_name(epoch))
        with path.open("r+b") as stream:
            stream.write(bytes(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        self._home.remove(_name(epoch))
        with self._guard:
            del self._keys[epoch]


def _name(epoch: int) -> str:
    return f"epoch-{epoch}.key"
