"""Appending to the log's own store, against `INSERT` of identical rows and RFC 6962 hashing by the same driver.

Groups of 1,000 leaves that need no more checks, each with its head: leaves, tiles, status chunks and status tree
as the writer commits them, one durable transaction a group. The bare side inserts the same rows of the same sizes
by `executemany` of sqlite3 or psycopg and hashes the group's tree, level by level. SQLite (WAL, synchronous=FULL)
and, where it is installed, PostgreSQL (fsync and synchronous_commit on). Wall clock, in pairs. Aim: 0.5 of the
bare rate.
"""

import os
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine

from bench.replay import bare_root
from consentlog.rows import Changes, Rows
from consentlog.sequence import Group
from consentlog.store import save_changes
from consentlog.tables import create_tables
from consentlog.tree import Draft, Tree
from protocol.leaf import Read
from protocol.status_tree import SLOTS_PER_CHUNK, StatusTree
from service.database import engine_for, immediate, sqlite_url
from service.sqlite_file import SQLITE_PRAGMAS
from tests.service import postgresql

GROUP = 1000
GROUPS = 10
"""Of each slice of a pair."""
PAIRS = 9
SLOTS = 200_000
REVOKED = 20
"""Slots that a group revokes: so many status chunks, at most, are written anew."""
ROWS = {
    "leaves": "INSERT INTO leaves (idx, leaf) VALUES (?, ?)",
    "tiles": "INSERT INTO tiles (level, n, data) VALUES (?, ?, ?)",
    "status_chunks": "INSERT INTO status_chunks (n, data) VALUES (?, ?)",
}


class OurLog:
    """The store of the log with what stands above it in the writer: draft, head, status, tree."""

    def __init__(self, engine: Engine) -> None:
        create_tables(engine)
        self._engine = engine
        self._tree = Tree(_no_tile)
        self._status = StatusTree()
        for _ in range(SLOTS):
            self._status.append_slot()
        self._dice = random.Random(7)
        self.last = Changes()

    def append(self, leaves: list[bytes]) -> None:
        """One group, durable when this returns."""
        draft = Draft(self._tree)
        group = Group(Rows(), draft, SLOTS, now=0, random=os.urandom, wrap=_no_share)
        group.changes.leaves += leaves
        slots = [self._dice.randrange(SLOTS) for _ in range(REVOKED)]
        for slot in slots:
            self._status.revoke(slot)
        changes = group.close(self._status)
        changes.chunks = {number: self._status.chunk(number) for number in {s // SLOTS_PER_CHUNK for s in slots}}
        with immediate(self._engine) as connection:
            save_changes(connection, changes)
        self._tree.extend(draft)
        self.last = changes


def _no_tile(level: int, n: int) -> bytes:
    raise LookupError(f"tile {n} of level {level} left the cache")


def _no_share(slot: int, lock: bytes, b: bytes) -> tuple[int, bytes]:
    raise LookupError("no grant is appended here")


class BareSqlite:
    """sqlite3 as the log opens it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in SQLITE_PRAGMAS:
            self._connection.execute(pragma)
        for statement in _schema("BLOB", "INTEGER"):
            self._connection.execute(statement)

    def append(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        """One transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        for table, values in rows.items():
            self._connection.executemany(ROWS[table], values)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """The file goes with its folder."""
        self._connection.close()


class BarePostgresql:
    """psycopg on a database of its own on the same server."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)
        self._connection.execute("CREATE SCHEMA bare")
        self._connection.execute("SET search_path TO bare")
        for statement in _schema("BYTEA", "BIGINT"):
            self._connection.execute(statement)
        self._connection.commit()

    def append(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        """One transaction."""
        with self._connection.cursor() as cursor:
            for table, values in rows.items():
                cursor.executemany(ROWS[table].replace("?", "%s"), values)
        self._connection.commit()

    def close(self) -> None:
        """The server goes with its folder."""
        self._connection.close()


def _schema(blob: str, number: str) -> list[str]:
    return [
        f"CREATE TABLE leaves (idx {number} PRIMARY KEY, leaf {blob} NOT NULL)",
        f"CREATE TABLE tiles (level {number}, n {number}, data {blob} NOT NULL, PRIMARY KEY (level, n))",
        f"CREATE TABLE status_chunks (n {number} PRIMARY KEY, data {blob} NOT NULL)",
    ]


def groups(dice: random.Random) -> list[list[bytes]]:
    """The leaves of one slice."""
    return [
        [Read(dice.randbytes(16), dice.randbytes(32)).to_bytes() for _ in range(GROUP - 1)] for _ in range(GROUPS)
    ]


def identical(changes: Changes, number: int) -> dict[str, list[tuple[Any, ...]]]:
    """As many rows of the same sizes as a group wrote, under keys of their own: `number` counts the groups."""
    first = number * GROUP
    return {
        "leaves": [(first + place, leaf) for place, leaf in enumerate(changes.leaves)],
        "tiles": [(number, place, data) for place, (_, _, data) in enumerate(changes.tiles)],
        "status_chunks": [(number * REVOKED + place, data) for place, data in enumerate(changes.chunks.values())],
    }


def compare(ours: OurLog, bare: BareSqlite | BarePostgresql) -> dict[str, float]:
    """Slices in turn; `ratio` = our leaves a second / bare leaves a second, median of pairs."""
    dice, done = random.Random(11), 0
    pairs = []
    for _ in range(PAIRS + 1):
        work = groups(dice)
        start = time.perf_counter()
        for group in work:
            ours.append(group)
        own = time.perf_counter() - start
        rows = [identical(ours.last, done + place) for place in range(GROUPS)]
        done += GROUPS
        start = time.perf_counter()
        for each in rows:
            bare_root([leaf for _, leaf in each["leaves"]])
            bare.append(each)
        pairs.append((own, time.perf_counter() - start))
    pairs = pairs[1:]  # the first one pays for what is opened once
    leaves = GROUP * GROUPS
    return {
        "ratio": round(statistics.median(theirs / own for own, theirs in pairs), 3),
        "leaves_per_second": round(leaves / statistics.median(own for own, _ in pairs)),
        "bare_leaves_per_second": round(leaves / statistics.median(theirs for _, theirs in pairs)),
    }


def measure() -> dict[str, Any]:
    """Both databases; PostgreSQL only where its server programs are installed."""
    with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
        found: dict[str, Any] = {"group": GROUP, "sqlite": _sqlite(Path(folder))}
    if postgresql.is_installed():
        found["postgresql"] = _postgresql()
    return found


def _sqlite(folder: Path) -> dict[str, float]:
    engine, bare = engine_for(sqlite_url(folder / "log.db")), BareSqlite(folder / "bare.db")
    try:
        return compare(OurLog(engine), bare)
    finally:
        engine.dispose()
        bare.close()


def _postgresql() -> dict[str, float]:
    server = postgresql.PostgreSQL(fsync=True)
    try:
        engine, bare = engine_for(server.url), BarePostgresql(server.url)
        try:
            return compare(OurLog(engine), bare)
        finally:
            engine.dispose()
            bare.close()
    finally:
        server.stop()
