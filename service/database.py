"""SQLAlchemy Core engines whose commits are durable: SQLite by default, PostgreSQL by URL.

`immediate(engine)` is the way to write: it takes the write lock before the first read, so that what a rule
decided on is still true when its answer is written. `single(engine)` is for one compare-and-swap in one statement.
`snapshot(engine)` reads one consistent state; a server that has been replaced still answers it, with old rows.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from protocol.errors import Unavailable
from service.sqlite_file import SQLITE_PRAGMAS, make_private

POOL_SIZE = 8
"""Connections kept open; more are opened for as long as more threads need one."""
POOL_OVERFLOW = 120
_EXECUTION = {"preserve_rowcount": True}
"""`rowcount` of an INSERT tells whether a row was written, also on PostgreSQL: compare-and-swaps need it."""
_IMMEDIATE = "regie_immediate"
_POSTGRESQL = "service.postgresql"
"""Its driver is an extra: only who uses PostgreSQL needs it."""
_WRITER_LOCK = 0x72656769
"""Key of the PostgreSQL advisory lock that makes writers take turns, as BEGIN IMMEDIATE does."""


def sqlite_url(path: Path | str) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{Path(path).absolute()}"


def engine_for(
    url: str, *, connect: Callable[[], Any] | None = None, answer_seconds: float | None = None
) -> Engine:
    """An engine for `sqlite:///path`, `sqlite://` (memory, one shared connection) or `postgresql://...`.

    PostgreSQL's URL is a libpq URI and may name several hosts; `answer_seconds`: silence of the server after which
    a session is given up (long work, such as a migration, needs more than the default).
    `connect` replaces the opening of a connection by one that returns a DBAPI connection of the stdlib's sqlite3
    shape (`cursor, commit, rollback, close, isolation_level`): tests put SQLite on a disk that loses writes there.
    The file is made 0600. Raises `ValueError` for another kind of URL.
    """
    if url.startswith("sqlite:"):
        return _sqlite_engine(url, connect)
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql", "postgresql+psycopg") or connect is not None:
        raise ValueError("databases are SQLite or PostgreSQL")
    postgresql = import_module(_POSTGRESQL)
    seconds = postgresql.ANSWER_SECONDS if answer_seconds is None else answer_seconds
    engine = postgresql.postgresql_engine(
        f"postgresql://{rest}", answer_seconds=seconds, execution_options=_EXECUTION
    )
    if not isinstance(engine, Engine):
        raise TypeError("not an engine")
    return engine


def _sqlite_engine(url: str, connect: Callable[[], Any] | None) -> Engine:
    path = url.removeprefix("sqlite://").removeprefix("/")
    if path and connect is None:
        make_private(path)
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


@contextmanager
def immediate(engine: Engine) -> Iterator[Connection]:
    """One writing transaction, alone among writers from its first statement; commits when the block ends.

    The commit is durable when this returns. Raises `Unavailable`: `database` when it is not known to be (it may
    still be there: ask again, do not assume); an `IntegrityError` of the block's own statements passes through.
    """
    with _writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
        yield connection


@contextmanager
def single(engine: Engine) -> Iterator[Connection]:
    """As `immediate`, but on PostgreSQL without a turn among writers.

    Only for a block of one compare-and-swap, which waits for its row and needs nobody to stand still beside it.
    """
    with _writing(engine) as connection:
        yield connection


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    with _translated(), engine.connect() as connection:
        connection.execution_options(**{_IMMEDIATE: True})
        transaction = connection.begin()
        try:
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

    A server whose wait for its synchronous standby is cancelled acknowledges the commit with a mere warning: a
    warning is a failure. The wait itself is bounded, like every wait of `service.postgresql`.
    """
    session: Any = connection.connection.driver_connection
    session.warnings.clear()
    transaction.commit()
    if session.warnings:
        connection.invalidate()
        raise Unavailable("database", "the commit is not known to be on the standby servers")


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One reading transaction that sees one committed state throughout. Raises `Unavailable`: `database`."""
    with _translated(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # At its default, READ COMMITTED, each statement would see another state.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def listening(engine: Engine, channel: str) -> Iterator[Callable[[float], list[str]]]:
    """`hear(seconds)`: what others `pg_notify` on `channel` of PostgreSQL. Raises `Unavailable`: `database`."""
    with _translated(), import_module(_POSTGRESQL).listening(engine, channel) as hear:
        yield hear


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout) as error:
        # Neither statement nor parameters go into the message: they hold what is stored.
        raise Unavailable("database", "the database cannot do this now") from error
