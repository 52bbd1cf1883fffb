"""The tables of an agency's store, and the one connection that a process has to it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protocol.errors import Unavailable
from service.sqlite_file import open_sqlite_utils

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, service TEXT NOT NULL, service_version INTEGER NOT NULL,
  payload TEXT NOT NULL, answer_key BLOB, kem_seed BLOB, case_salt BLOB, created INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'open', answered INTEGER, response_code TEXT, binding BLOB, error TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS request_objects (
  request TEXT NOT NULL REFERENCES requests, hash BLOB NOT NULL, token TEXT NOT NULL, wallet_nonce TEXT,
  PRIMARY KEY (request, hash)
) STRICT;
CREATE TABLE IF NOT EXISTS copies (
  request TEXT PRIMARY KEY REFERENCES requests, sealed BLOB NOT NULL, received INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS grants (
  request TEXT NOT NULL REFERENCES requests, version INTEGER NOT NULL, slot INTEGER NOT NULL UNIQUE,
  lock TEXT NOT NULL UNIQUE, tag_key TEXT NOT NULL, not_after INTEGER NOT NULL, request_hash BLOB NOT NULL,
  vp_token TEXT NOT NULL, sealed TEXT NOT NULL, grant_index INTEGER NOT NULL, received INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'active', PRIMARY KEY (request, version), UNIQUE (tag_key, version)
) STRICT;
CREATE TABLE IF NOT EXISTS reads (
  id TEXT PRIMARY KEY, slot INTEGER NOT NULL REFERENCES grants (slot), tag_key TEXT NOT NULL, token TEXT NOT NULL,
  reply_seed BLOB, case_salt BLOB NOT NULL, officer_salt BLOB NOT NULL, created INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending', code TEXT, n INTEGER, leaf_index INTEGER, opening_key TEXT, proof TEXT,
  evidence TEXT, statuses TEXT, UNIQUE (tag_key, n)
) STRICT;
CREATE TABLE IF NOT EXISTS messages (
  jti TEXT PRIMARY KEY, slot INTEGER NOT NULL REFERENCES grants (slot), kind TEXT NOT NULL, token TEXT NOT NULL,
  received INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS contradictions (
  origin TEXT NOT NULL, kept TEXT NOT NULL, seen TEXT NOT NULL, found INTEGER NOT NULL, PRIMARY KEY (kept, seen)
) STRICT;
CREATE TABLE IF NOT EXISTS status_lists (
  uri TEXT PRIMARY KEY, token TEXT NOT NULL, iat INTEGER NOT NULL, fetched INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS reads_of_grant ON reads (slot, state);
"""


class StoreFile:
    """One connection, one thread at a time; SQLite orders the processes."""

    def __init__(self, path: Path) -> None:
        self.database = open_sqlite_utils(path)
        self._connection: sqlite3.Connection = self.database.conn
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        with self.writing() as db:
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)

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

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise Unavailable("database", "the agency's store cannot do this now") from error

    def clean_journal(self) -> None:
        """Empty the write-ahead log: `secure_delete` overwrites what was deleted in the file, not beside it."""
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
