"""Migrating a database with Alembic's operations: all steps and the new revision in one transaction, or nothing.

SQLite and PostgreSQL undo the making and changing of tables with the transaction that did it, so a program that
dies half-way leaves the database as it was, and the next start begins again. Loaded by `migrations.prepare` and
`schema.prepare_file` when there is something to do.
"""

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from protocol.errors import Rejected, Unavailable
from service.database import engine_for, immediate, sqlite_url
from service.journal import log_event
from service.schema import Schema

WAIT_SECONDS = 60.0
"""For a neighbour that migrates; a worker that waited longer fails, and is started again."""
STATEMENT_SECONDS = 3600.0
"""What one statement on a large table may take; parties are not answered meanwhile."""
_RETRY_SECONDS = 0.2
_LOCK_NOT_AVAILABLE = "55P03"


def upgrade(engine: Engine, schema: Schema) -> None:
    """Bring the database to the newest revision; wait for whom migrates it already.

    Raises as `migrations.prepare` does.
    """
    until = monotonic() + WAIT_SECONDS
    while True:
        try:
            _upgrade(engine, schema)
            return
        except Unavailable as error:
            if not _is_taken(error) or monotonic() > until:
                raise
            sleep(_RETRY_SECONDS)


def _upgrade(engine: Engine, schema: Schema) -> None:
    """1. take the writers' lock, so that of many processes one migrates; 2. the revision that is recorded, now
    that nobody else changes it; 3. tables without one are the first revision; 4. each later revision in turn;
    5. commit, durably.
    """
    scripts = _scripts(schema.folder)
    with immediate(engine) as connection, _patience(connection):  # 1.
        context = MigrationContext.configure(connection, opts={"version_table": schema.table})
        start = context.get_current_revision()  # 2.
        if start is None and _is_first(connection, schema):  # 3.
            start = schema.revisions[0]
            context.stamp(scripts, start)
        elif start is not None and start not in schema.revisions:
            raise Rejected(
                "newer_schema",
                f"the database is at revision {start} of {schema.name}, this program knows those up to"
                f" {schema.newest}: install the newer program again",
            )
        with Operations.context(context):  # 4.
            for revision in reversed([*scripts.iterate_revisions(schema.newest, start or "base")]):
                scripts.get_revision(revision.revision).module.upgrade()
                context.stamp(scripts, revision.revision)
    if start not in (None, schema.newest):  # 5.
        log_event("service", "migrated", schema=schema.name, start=start, end=schema.newest)


@contextmanager
def _patience(connection: Connection) -> Iterator[None]:
    """PostgreSQL may be silent for longer than when parties wait; not at the commit, after the block."""
    if connection.dialect.name != "postgresql":
        yield
        return
    session: Any = connection.connection.driver_connection
    usual, session.answer_seconds = session.answer_seconds, STATEMENT_SECONDS
    try:
        yield
    finally:
        session.answer_seconds = usual


def _is_taken(error: Unavailable) -> bool:
    """Whether another process holds the lock that we waited for."""
    cause = error.__cause__
    if not isinstance(cause, DBAPIError):
        return False
    code = getattr(cause.orig, "sqlite_errorcode", None)
    if code is not None:
        return bool(code & 0xFF == sqlite3.SQLITE_BUSY)
    return getattr(cause.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def upgrade_file(path: Path, schema: Schema) -> None:
    """The same for a SQLite file."""
    engine = engine_for(sqlite_url(path))
    try:
        upgrade(engine, schema)
    finally:
        engine.dispose()


@functools.cache
def _scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(folder, version_locations=[folder])


def _is_first(connection: Connection, schema: Schema) -> bool:
    """Whether this is a database from before revisions were recorded; False for an empty one.

    Raises `Rejected`: `unknown_schema` when it has some of the tables: nobody of ours made it so.
    """
    present = schema.first.intersection(inspect(connection).get_table_names())
    if present and present != schema.first:
        raise Rejected("unknown_schema", f"some tables of {schema.name} are missing from the database")
    return bool(present)
