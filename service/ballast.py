"""Room for revocations on a full disk: a file that is given back when there is no other room.

A read or a grant may be refused for want of space, a revocation never: it needs some hundred bytes, and finds them
where the ballast was. Log and auditing cosigner recover by themselves when the ballast fits again.
"""

import os
import sqlite3
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from protocol.errors import Unavailable
from service.home import Home

BALLAST_BYTES = 8 * 1024 * 1024
"""Room for tens of thousands of revocations, each with its pages in the write-ahead log."""
_FILE = "ballast"


class Ballast:
    """The ballast file in a role's home, on the disk of its database. Nothing here raises: it is asked in need."""

    def __init__(self, home: Home, size: int = BALLAST_BYTES) -> None:
        self._path = home.file(_FILE)
        self._size = size

    def fill(self) -> bool:
        """Take the room, if it is not held already. False when the disk has not enough, or fails."""
        try:
            if self._path.exists() and self._path.stat().st_blocks * 512 >= self._size:
                return True
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(handle, 0, self._size)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, 0)
            return False
        finally:
            os.close(handle)
        return True

    def give_back(self) -> None:
        """Free the room for what must not fail."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def is_disk_full(error: Unavailable) -> bool:
    """Whether the database could not write for want of room."""
    cause = error.__cause__
    if not isinstance(cause, DBAPIError):
        return False
    code = getattr(cause.orig, "sqlite_errorcode", None)
    if code is not None:
        # A write into the shared-memory index or the log itself reports "I/O error" on some systems.
        return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return getattr(cause.orig, "sqlstate", None) == "53100"
