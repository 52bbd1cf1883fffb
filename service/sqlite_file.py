"""The settings of every SQLite file of ours, and the plain way to open one.

`synchronous=FULL`: in WAL mode NORMAL loses acknowledged commits at a power cut. `secure_delete`: what was erased
must not stay readable in free pages. Order matters: `busy_timeout` first, since the next ones take locks.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

SQLITE_PRAGMAS = (
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
)


def make_private(path: Path | str) -> None:
    """Make the file 0600 if it is not there yet. One that is there is left alone, and above all not opened.

    Closing any descriptor of a file gives up every lock that the process has on it, those of its other connections
    too (POSIX; sqlite.org/howtocorrupt, 2.2). Another process that closes the file then takes itself for the last
    one and removes the write-ahead log, and those connections read and write a log that is not there any more.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def open_sqlite(path: Path | str) -> sqlite3.Connection:
    """A connection to the file `path` (made 0600), set as above; any thread may use it, one at a time."""
    make_private(path)
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma).fetchall()
    return connection
