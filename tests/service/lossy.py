"""SQLite on a disk that forgets at a power cut: what was written and not synced dies with the process.

`connect_lossy(path)` returns a connection of the stdlib's sqlite3 shape for `engine_for(url, connect=...)`, run by
apsw, whose VFS keeps writes in memory until SQLite syncs them. Kill the process to cut the power.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw


class _LossyFile(apsw.VFSFile):
    def __init__(self, base: str, name: Any, flags: list[int]) -> None:
        super().__init__(base, name, flags)
        size = super().xFileSize()
        self.memory = bytearray(super().xRead(size, 0)) if size else bytearray()
        self.pending: list[tuple[int | None, Any]] = []

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self.memory[offset : offset + amount])

    def xWrite(self, data: Any, offset: int) -> None:
        data = bytes(data)
        if len(self.memory) < offset:
            self.memory.extend(bytes(offset - len(self.memory)))
        self.memory[offset : offset + len(data)] = data
        self.pending.append((offset, data))

    def xTruncate(self, size: int) -> None:
        del self.memory[size:]
        self.pending.append((None, size))

    def xFileSize(self) -> int:
        return len(self.memory)

    def xSync(self, flags: int) -> None:
        for offset, data in self.pending:
            if offset is None:
                super().xTruncate(data)
            else:
                super().xWrite(data, offset)
        self.pending = []
        super().xSync(flags)


class _LossyVFS(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("lossy", "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _LossyFile("", name, flags)


_vfs: list[_LossyVFS] = []


def _raised(error: apsw.Error) -> sqlite3.Error:
    kind = sqlite3.IntegrityError if isinstance(error, apsw.ConstraintError) else sqlite3.OperationalError
    return kind(str(error))


class Cursor:
    """PEP 249 over an apsw cursor; all rows are fetched at once."""

    arraysize = 1

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.description: tuple[Any, ...] | None = None
        self.rowcount = -1
        self.lastrowid = 0
        self._rows: list[Any] = []

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "Cursor":
        self.description = None
        cursor = self._connection.cursor()

        def describe(running: apsw.Cursor, _sql: str, _bindings: Any) -> bool:
            columns = running.get_description()
            self.description = tuple((*column[:1], *[None] * 6) for column in columns) or None
            return True

        cursor.exec_trace = describe
        before = self._connection.total_changes()
        try:
            self._rows = list(cursor.execute(sql, tuple(parameters)))
        except apsw.Error as error:
            raise _raised(error) from error
        self.rowcount = self._connection.total_changes() - before if self.description is None else -1
        self.lastrowid = self._connection.last_insert_rowid()
        return self

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> "Cursor":
        changed = 0
        for row in rows:
            changed += max(self.execute(sql, row).rowcount, 0)
        self.rowcount = changed
        return self

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        taken, self._rows = self._rows[: size or self.arraysize], self._rows[size or self.arraysize :]
        return taken

    def fetchall(self) -> list[Any]:
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        self._rows = []


class Connection:
    """What SQLAlchemy's sqlite dialect asks of a connection."""

    isolation_level: str | None = None

    def __init__(self, connection: apsw.Connection) -> None:
        self.apsw = connection

    def cursor(self) -> Cursor:
        return Cursor(self.apsw)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        if self.apsw.in_transaction:
            self.cursor().execute("COMMIT")

    def rollback(self) -> None:
        if self.apsw.in_transaction:
            self.cursor().execute("ROLLBACK")

    def close(self) -> None:
        self.apsw.close()

    def create_function(self, name: str, arguments: int, function: Callable[..., Any], **options: Any) -> None:
        self.apsw.create_scalar_function(name, function, arguments, **options)


def connect_lossy(path: Path | str, *, lossy: bool = True) -> Connection:
    """A connection over apsw; on the forgetful disk when `lossy`. Only one at a time can hold the file then."""
    if not _vfs:
        _vfs.append(_LossyVFS())  # SQLite keeps no reference of its own
    connection = Connection(apsw.Connection(str(path), vfs="lossy" if lossy else None))
    if lossy:  # the WAL index then lives in memory: the VFS shares none
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    return connection
