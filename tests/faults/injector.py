"""An error beside every operation on a database or a file below a folder, one at a time.

`Faults` counts what the program does while `active`; operation number `at` fails, before it happens ("failed") or
after it has ("failed but persisted"). SQLite is reached through SQLAlchemy's `do_connect`, so no part of the
program is replaced; files through `os` and `io.open`, which Python's own library looks up when it calls them.
"""

import errno
import io
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, get_ident
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, event

T = TypeVar("T")
SQLITE_ERRORS = (
    (sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"),
    (sqlite3.SQLITE_FULL, "database or disk is full"),
    (sqlite3.SQLITE_BUSY, "database is locked"),
)
FILE_ERRORS = (errno.EIO, errno.ENOSPC, errno.EMFILE)
_NAMED = ("open", "replace", "rename", "link", "unlink", "mkdir", "chmod", "listdir")
_BY_HANDLE = ("fsync", "fchmod", "ftruncate", "posix_fallocate")


class Faults:
    """`at` None only counts. `seen` says what was done, `hit` which operation failed, as (place, what).

    `only`: operations of another place or kind are neither counted nor failed.
    """

    def __init__(
        self,
        folder: Path,
        at: int | None = None,
        *,
        persisted: bool = False,
        only: tuple[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.at = at
        self.persisted = persisted
        self.only = only
        self.active = False
        self.count = 0
        self.seen: Counter[tuple[str, str]] = Counter()
        self.hit: tuple[str, str] | None = None
        self._guard = Lock()
        self._looking: set[int] = set()
        self._paths: dict[int, Path] = {}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What a test looks at by itself is no part of the story; what other threads do meanwhile is."""
        self._looking.add(get_ident())
        try:
            yield
        finally:
            self._looking.discard(get_ident())

    @contextmanager
    def installed(self) -> Iterator["Faults"]:
        """Reaches whatever is opened inside the block; counts and fails from `active` on."""
        event.listen(Engine, "do_connect", self._connect)
        try:
            with pytest.MonkeyPatch.context() as patch:
                self._patch_files(patch)
                yield self
        finally:
            self.active = False
            event.remove(Engine, "do_connect", self._connect)

    def step(self, place: str, what: str, do: Callable[[], T], error: Callable[[int], Exception]) -> T:
        """One operation; `error` gets its number."""
        with self._guard:
            is_told = self.active and get_ident() not in self._looking
            if not is_told or self.only not in (None, (place, what)):
                is_it = False
            else:
                is_it = self.count == self.at
                self.count += 1
                self.seen[place, what] += 1
                if is_it:
                    self.hit = (place, what)
        if not is_it:
            return do()
        if self.persisted:
            do()
        raise error(self.count)

    # Databases.

    def _connect(self, dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        path = Path(str(arguments[0])) if arguments else Path()
        if self.folder not in path.parents:
            return None
        faults = self

        class Cursor(_Cursor):
            database = path.name
            step = staticmethod(faults.step)

        class Connection(_Connection):
            database = path.name
            step = staticmethod(faults.step)
            cursors = Cursor

        return sqlite3.connect(*arguments, **options, factory=Connection)

    # Files.

    def _patch_files(self, patch: pytest.MonkeyPatch) -> None:
        for name in _NAMED:
            patch.setattr(os, name, self._named(name, getattr(os, name)))
        for name in _BY_HANDLE:
            patch.setattr(os, name, self._by_handle(name, getattr(os, name)))
        patch.setattr(os, "fdopen", self._fdopen(os.fdopen))
        patch.setattr(io, "open", self._open(io.open))

    def _is_ours(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike):
            return False
        found = Path(os.fsdecode(path))
        return (
            (self.folder in found.parents or found == self.folder)
            and ".db" not in found.name
            and found.suffix != ".log"
        )

    def _named(self, name: str, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if not self._is_ours(path):
                return really(path, *arguments, **options)
            result = self.step(
                _kind(path), name, lambda: really(path, *arguments, **options), lambda n: _os_error(n, path)
            )
            if name == "open":
                self._paths[result] = Path(os.fsdecode(path))
            return result

        return call

    def _by_handle(self, name: str, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(handle: int, *arguments: Any) -> Any:
            path = self._paths.get(handle)
            if path is None:
                return really(handle, *arguments)
            return self.step(_kind(path), name, lambda: really(handle, *arguments), lambda n: _os_error(n, path))

        return call

    def _fdopen(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(handle: int, *arguments: Any, **options: Any) -> Any:
            stream = really(handle, *arguments, **options)
            path = self._paths.get(handle)
            return stream if path is None else _Stream(stream, path, self)

        return call

    def _open(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if not self._is_ours(path):
                return really(path, mode, *arguments, **options)
            stream = self.step(
                _kind(path),
                f"open {mode}",
                lambda: really(path, mode, *arguments, **options),
                lambda n: _os_error(n, path),
            )
            if "+" in mode or "w" in mode:
                self._paths[stream.fileno()] = Path(os.fsdecode(path))
                return _Stream(stream, Path(os.fsdecode(path)), self)
            return stream

        return call


def _kind(path: object) -> str:
    """What a file is for: names hold random parts and numbers."""
    name = Path(os.fsdecode(path)).name  # type: ignore[arg-type]
    if name.startswith("."):
        name = "." + name.split(".")[1]
    return re.sub("[0-9]+", "n", name)


def _os_error(number: int, path: object) -> OSError:
    code = FILE_ERRORS[number % len(FILE_ERRORS)]
    return OSError(code, os.strerror(code), os.fsdecode(path))  # type: ignore[arg-type]


def _sqlite_error(number: int) -> sqlite3.OperationalError:
    code, text = SQLITE_ERRORS[number % len(SQLITE_ERRORS)]
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class _Stream:
    """A file open for writing. A write that fails has written a part."""

    def __init__(self, stream: Any, path: Path, faults: Faults) -> None:
        self._stream, self._path, self._faults = stream, path, faults

    def write(self, data: bytes) -> int:
        def fail(number: int) -> OSError:
            if not self._faults.persisted:
                self._stream.write(data[: len(data) // 2])
            return _os_error(number, self._path)

        return self._faults.step(_kind(self._path), "write", lambda: self._stream.write(data), fail)

    def flush(self) -> None:
        self._faults.step(_kind(self._path), "flush", self._stream.flush, lambda n: _os_error(n, self._path))

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Cursor(sqlite3.Cursor):
    database: str
    step: Callable[..., Any]

    def execute(self, sql: str, *arguments: Any) -> Any:
        what = sql.split(maxsplit=1)[0]
        really = super().execute
        return self.step(self.database, what, lambda: really(sql, *arguments), _sqlite_error)

    def executemany(self, sql: str, *arguments: Any) -> Any:
        what = sql.split(maxsplit=1)[0]
        really = super().executemany
        return self.step(self.database, what, lambda: really(sql, *arguments), _sqlite_error)


class _Connection(sqlite3.Connection):
    database: str
    step: Callable[..., Any]
    cursors: type[sqlite3.Cursor]

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(self.cursors)

    def commit(self) -> None:
        self.step(self.database, "commit", super().commit, _sqlite_error)

    def rollback(self) -> None:
        self.step(self.database, "rollback", super().rollback, _sqlite_error)
