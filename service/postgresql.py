"""Sessions of PostgreSQL that never wait for ever, and never make a server forget its standbys.

1. **Every answer has a deadline of ours**: of a statement, a lock, a commit, a ping. statement_timeout does not
limit a commit's wait for a synchronous standby, and a server that hangs answers no timeout at all. 2. **No cancel
request**: it ends a commit's wait for the standby, and the server acknowledges the commit all the same. Who gives
up shuts the socket down. 3. **Every host is tried**, who kept us waiting last, and only one that takes writes is
taken: `hosts` says why. 4. A server that has become read-only is left at once.
"""

import os
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import ExceptionContext

from protocol.errors import Unavailable
from service.hosts import Hosts

ANSWER_SECONDS = 5.0
"""Silence of a server after which its session is given up."""
CONNECT_SECONDS = 2
"""For each host; libpq takes no less."""
POOL_SIZE = 8
POOL_OVERFLOW = 16
"""PostgreSQL takes 100 sessions unless it is told otherwise: three processes must fit."""
POOL_SECONDS = 5.0
_READ_ONLY = ("25006", "57P01", "57P02", "57P03")
"""SQLSTATE of a standby, and of a server that is being stopped, has crashed or does not yet take anybody."""
_T = TypeVar("_T")


class Overdue(psycopg.OperationalError):
    """The server did not answer in time. What was asked may have happened."""


class Session(psycopg.Connection[Any]):
    """A connection whose every wait is bounded by `answer_seconds` of silence.

    `warnings`: SQLSTATEs of the warnings since it was cleared last.
    """

    answer_seconds: float
    warnings: list[str]

    @classmethod
    def open(cls, conninfo: str, answer_seconds: float) -> "Session":
        """Raises `psycopg.OperationalError` when no host can be reached that takes writes."""
        session = cls.connect(conninfo)
        session.answer_seconds = answer_seconds
        session.warnings = []
        session.add_notice_handler(session._heed)
        return session

    def _heed(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self.warnings.append(str(notice.sqlstate))

    def wait(self, gen: Generator[Any, Any, _T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """psycopg waits here for every answer. Its own way to end a wait, on Ctrl-C, is a cancel request."""
        try:
            due = _until_silent(gen, self.answer_seconds)
            return waiting.wait(due, self.pgconn.socket, interval=interval, timeout=timeout)
        except (Overdue, KeyboardInterrupt, SystemExit):
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """End the session without a word to the server's transaction."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)
        self.close()


def _until_silent(gen: Generator[Any, Any, _T], seconds: float) -> Generator[Any, Any, _T]:
    """`gen` with a deadline that is set anew whenever something comes. Raises `Overdue`."""
    try:
        wanted = next(gen)
        due = monotonic() + seconds
        while True:
            ready = yield wanted
            now = monotonic()
            if ready:
                due = now + seconds
            elif now > due:
                raise Overdue("the database server did not answer in time")
            wanted = gen.send(ready)
    except StopIteration as done:
        result: _T = done.value
        return result


def postgresql_engine(url: str, *, answer_seconds: float = ANSWER_SECONDS, **options: Any) -> Engine:
    """An engine for a libpq URI, `postgresql://user@host1,host2/name?...`; what it says comes before our settings.

    Raises `ValueError` for a URL that libpq does not take.
    """
    hosts = Hosts(_parameters(url, answer_seconds))
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: hosts.connect(lambda host: Session.open(host, answer_seconds)),
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        use_native_hstore=False,
        **options,
    )
    event.listen(engine, "handle_error", _leave_read_only)
    return engine


def _parameters(url: str, answer_seconds: float) -> dict[str, Any]:
    """libpq's parameters with ours where the URL says nothing.

    A session that is idle inside a transaction holds the writers' lock, and its process may be stopped for good:
    the server ends it. That harms no commit, for which a session is not idle.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ValueError("the database URL is none that libpq takes") from error
    milliseconds = int(answer_seconds * 1000)
    ours: dict[str, Any] = {
        "target_session_attrs": "read-write",
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": milliseconds,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "regie",
    }
    settings = f"-c idle_in_transaction_session_timeout={milliseconds} -c lock_timeout={milliseconds * 4 // 5}"
    options = f"{settings} {given.get('options') or ''}".strip()
    return {**ours, **given, "options": options}


def _leave_read_only(context: ExceptionContext) -> None:
    """A leader that was replaced: all connections of the pool are as old as this one."""
    if getattr(context.original_exception, "sqlstate", None) in _READ_ONLY:
        context.is_disconnect = True


@contextmanager
def listening(engine: Engine, channel: str) -> Iterator[Callable[[float], list[str]]]:
    """LISTEN on `channel` with a session of its own: `hear(seconds)` gives what came, as soon as there is any.

    Nothing is lost but by a broken session; silence is told from a dead server by a ping.
    Raises `Unavailable`: `database`.
    """
    try:
        raw = engine.raw_connection()  # SQLAlchemy translates no error of this one
    except psycopg.Error as error:
        raise Unavailable("database", "the database cannot be reached now") from error
    session = raw.driver_connection
    raw.detach()
    if not isinstance(session, Session):
        raise TypeError("only PostgreSQL notifies")

    def hear(seconds: float) -> list[str]:
        found = [notice.payload for notice in session.notifies(timeout=seconds, stop_after=1)]
        if not found:
            session.execute("SELECT 1")
        return found

    try:
        session.rollback()
        session.set_autocommit(True)
        session.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        yield hear
    except psycopg.Error as error:
        raise Unavailable("database", "the database cannot be listened to now") from error
    finally:
        session.close()  # and not by the pool, which would ask a dead server to roll back
