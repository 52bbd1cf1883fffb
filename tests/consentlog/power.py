"""The log's database on a disk that forgets what was not synced, for a process of many threads.

The disk of `tests.service.lossy` takes one connection at a time: here all threads share it, a transaction each in
turn. `FULL` leaves the log's settings as they are; `NORMAL` is the setting that must be seen to lose.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from tests.service.lossy import Connection, Cursor, connect_lossy


class LossyDisk:
    """`connect` is what `engine_for` takes."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.synchronous = synchronous
        self.turn = Lock()
        self._path = path
        self._connection: Connection | None = None

    def connect(self) -> "Lease":
        if self._connection is None:
            self._connection = connect_lossy(self._path)
        return Lease(self, self._connection)


class Lease:
    """One of many that look like a connection each; holds the one there is from BEGIN to its end."""

    isolation_level: str | None = None

    def __init__(self, disk: LossyDisk, connection: Connection) -> None:
        self.disk = disk
        self.connection = connection
        self.has_turn = False

    def cursor(self) -> "LeaseCursor":
        return LeaseCursor(self)

    def commit(self) -> None:
        self._end(self.connection.commit)

    def rollback(self) -> None:
        self._end(self.connection.rollback)

    def _end(self, how: Any) -> None:
        if self.has_turn:
            try:
                how()
            finally:
                self.has_turn = False
                self.disk.turn.release()

    def close(self) -> None:
        self.rollback()

    def create_function(self, *arguments: Any, **options: Any) -> None:
        with self.disk.turn:
            self.connection.create_function(*arguments, **options)


class LeaseCursor(Cursor):
    """Waits for its turn at BEGIN, and for the length of a PRAGMA."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(lease.connection.apsw)
        self._lease = lease

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        lease = self._lease
        if sql.startswith("PRAGMA") and not lease.has_turn:
            with lease.disk.turn:
                return super().execute(sql.replace("=FULL", f"={lease.disk.synchronous}"), parameters)
        if sql.startswith("BEGIN"):
            lease.disk.turn.acquire()
            lease.has_turn = True
        return super().execute(sql, parameters)
