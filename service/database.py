"""SQLAlchemy Core engines whose commits are durable: SQLite by default, PostgreSQL by URL.

`immediate(engine)` is the one way to write: it takes the write lock before the first read, so that what a rule
decided on is still true when its answer is written. `snapshot(engine)` reads one consistent state.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from protocol.errors import Unavailable
from service.sqlite_file import SQLITE_PRAGMAS

POOL_SIZE = 8
"""Connections kept open; more are opened for as long as more threads need one."""
POOL_OVERFLOW = 120
CONNECT_SECONDS = 3
COMMIT_SECONDS = 5.0
"""How long a commit may wait for synchronous standbys of PostgreSQL."""
_EXECUTION = {"preserve_rowcount": True}
"""`rowcount` of an INSERT tells whether a row was written, also on PostgreSQL: compare-and-swaps need it."""
_IMMEDIATE = "regie_immediate"
_WARNINGS = "regie_warnings"
_WRITER_LOCK = 0x72656769
"""Key of the PostgreSQL advisory lock that makes writers take turns, as BEGIN IMMEDIATE does."""


def sqlite_url(path: Path | str) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{Path(path).absolute()}"


def engine_for(url: str, *, connect: Callable[[], Any] | None = None) -> Engine:
    """An engine for `sqlite:///path`, `sqlite://` (memory, one shared connection) or `postgresql://...`.

    `connect` replaces the opening of a connection by one that returns a DBAPI connection of the stdlib's sqlite3
    shape (`cursor, commit, rollback, close, isolation_level`): tests put SQLite on a disk that loses writes there.
    The file is made 0600. Raises `ValueError` for another kind of URL.
    """
    if url.startswith("sqlite:"):
        return _sqlite_engine(url, connect)
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql", "postgresql+psycopg") or connect is not None:
        raise ValueError("databases are SQLite or PostgreSQL")
    return _postgresql_engine(f"postgresql+psycopg://{rest}")


def _sqlite_engine(url: str, connect: Callable[[], Any] | None) -> Engine:
    path = url.removeprefix("sqlite://").removeprefix("/")
    if path and connect is None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    options: dict[str, Any] = {"creator": connect} if connect else {"connect_args": {"check_same_thread": False}}
    if path:
        options |= {"pool_size": POOL_SIZE, "max_overflow": POOL_OVERFLOW}
    else:
        options |= {"poolclass": StaticPool}
    engine = create_engine(url, execution_options=_EXECUTION, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # The driver must not open transactions by itself: it would do so late, and deferred.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(pragma)
        cursor.fetchall()
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes can fail half-way, or decide on what is no longer so.
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _postgresql_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_pre_ping=True,
        execution_options=_EXECUTION,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    event.listen(engine, "connect", _watch_warnings)
    return engine


def _watch_warnings(connection: Any, record: ConnectionPoolEntry) -> None:
    warnings: list[str] = []
    record.info[_WARNINGS] = warnings

    def keep(notice: Any) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(str(notice.sqlstate))

    connection.add_notice_handler(keep)


@contextmanager
def immediate(engine: Engine) -> Iterator[Connection]:
    """One writing transaction, alone among writers from its first statement; commits when the block ends.

    The commit is durable when this returns. Raises `Unavailable`: `database` when it is not known to be (it may
    still be there: ask again, do not assume); an `IntegrityError` of the block's own statements passes through.
    """
    with _translated(), engine.connect() as connection:
        connection.execution_options(**{_IMMEDIATE: True})
        transaction = connection.begin()
        try:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
            yield connection
        except BaseException:
            transaction.rollback()
            raise
        try:
            if engine.dialect.name == "postgresql":
                _commit_on_standbys(connection, transaction)
            else:
                transaction.commit()
        except DBAPIError:
            # A commit that failed can leave its transaction open, with the write lock: close the connection.
            connection.invalidate()
            raise


def _commit_on_standbys(connection: Connection, transaction: RootTransaction) -> None:
    """Commit, and believe it only if the server says nothing else.

    A server whose wait for its synchronous standby is cancelled acknowledges the commit with a mere warning, and
    statement_timeout does not bound that wait: so there is a deadline of ours, and a warning is a failure.
    """
    warnings: list[str] = connection.info[_WARNINGS]
    warnings.clear()
    driver: Any = connection.connection.driver_connection
    timer = threading.Timer(COMMIT_SECONDS, driver.cancel)
    timer.daemon = True
    timer.start()
    try:
        transaction.commit()
    finally:
        timer.cancel()
    if warnings:
        connection.invalidate()
        raise Unavailable("database", "the commit is not known to be on the standby servers")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One reading transaction that sees one committed state throughout. Raises `Unavailable`: `database`."""
    with _translated(), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout) as error:
        # Neither statement nor parameters go into the message: they hold what is stored.
        raise Unavailable("database", "the database cannot do this now") from error
