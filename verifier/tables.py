"""The one connection that a process has to an agency's store; its tables are in `revisions/verifier/`."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protocol.errors import Unavailable
from service.schema import Schema, prepare_file, schema_of
from service.sqlite_tables import open_sqlite_utils

SCHEMA = schema_of(
    __file__,
    "verifier",
    (
        "checkpoints",
        "contradictions",
        "copies",
        "grants",
        "messages",
        "reads",
        "request_objects",
        "requests",
        "status_lists",
    ),
)


class StoreFile:
    """One connection, one thread at a time; SQLite orders the processes."""

    def __init__(self, path: Path, schema: Schema = SCHEMA) -> None:
        prepare_file(path, schema)
        self.database = open_sqlite_utils(path)
        self._connection: sqlite3.Connection = self.database.conn
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its start. Raises `Unavailable`: `database`."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.commit()
                finally:
                    if self._connection.in_transaction:
                        self._connection.rollback()
            except sqlite3.IntegrityError:
                raise
            except sqlite3.Error as error:
                raise Unavailable("database", "the agency's store cannot do this now") from error

    def rows(self, sql: str, *values: Any, **named: Any) -> list[sqlite3.Row]:
        """All rows, with values by place or, where there are `named` ones, by name."""
        with self._lock:
            try:
                return self._connection.execute(sql, named or values).fetchall()
            except sqlite3.Error as error:
                raise Unavailable("database", "the agency's store cannot do this now") from error

    def clean_journal(self) -> None:
        """Empty the write-ahead log: `secure_delete` overwrites what was deleted in the file, not beside it."""
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
