"""The settings of every SQLite file of ours, and the plain way to open one.

`synchronous=FULL`: in WAL mode NORMAL loses acknowledged commits at a power cut. `secure_delete`: what was erased
must not stay readable in free pages. Order matters: `busy_timeout` first, since the next ones take locks.
"""

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


def open_sqlite(path: Path | str) -> sqlite3.Connection:
    """A connection to the file `path` (made 0600), set as above; any thread may use it, one at a time."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma).fetchall()
    return connection
