"""Copies of databases, made as an operator makes them: while they are in use."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.ha import programs


def dump(url: str) -> bytes:
    """A consistent copy of a running PostgreSQL database, as SQL."""
    program = programs.postgresql("pg_dump")
    assert program is not None
    return subprocess.run([program, "-O", "-d", url], capture_output=True, check=True).stdout


def restore(copy: bytes, url: str) -> None:
    """Into an empty database."""
    program = programs.postgresql("psql")
    assert program is not None
    command = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
    subprocess.run(command, input=copy, stdout=subprocess.DEVNULL, check=True)


def copy_sqlite(source: Path, target: Path) -> None:
    """Into an existing file as well: a plain copy would leave the target's write-ahead log."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
