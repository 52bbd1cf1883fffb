"""Room for revocations on a full disk: a ballast that is given back when there is no other room.

A read or a grant may be refused for want of space, a revocation never: it needs some hundred bytes, and finds them
where the ballast was. The log recovers by itself when the ballast fits again.

Beside SQLite the ballast is a file. PostgreSQL's disk is not ours, and may be several: there it is a table, which
takes its room on every server of a cluster. Its write-ahead log must lie on a disk of its own: a PostgreSQL that
cannot write that stops, whatever else has room.
"""

from typing import Protocol

from sqlalchemy import Connection, Engine, text

from protocol.errors import Unavailable
from service.ballast import BALLAST_BYTES, Ballast, is_disk_full
from service.database import immediate
from service.home import Home
from service.journal import log_event

_PAGE_BYTES, _ROW_CHARACTERS = 8192, 7900
"""Of PostgreSQL: one such row fills a page."""
_STEP_PAGES = 64


class Reserve(Protocol):
    """Room that is held until revocations need it."""

    def fill(self) -> bool:
        """Take the room, if it is not held already. False when there is not enough."""

    def give_back(self) -> None:
        """Free the room for what must not fail."""

    def is_held(self, connection: Connection) -> bool:
        """Whether the room is still there, within a writing transaction: another worker may have given it back."""


def reserve_for(engine: Engine, home: Home) -> Reserve:
    """The reserve of the log in `home` whose rows are in `engine`."""
    return TableReserve(engine) if engine.dialect.name == "postgresql" else FileReserve(home)


class FileReserve(Ballast):
    """The ballast file in the log's home, on the disk of its database."""

    def is_held(self, connection: Connection) -> bool:
        """SQLite has one worker, which knows what it did."""
        return True


class TableReserve:
    """The table `ballast`, beside the log's other tables."""

    def __init__(self, engine: Engine, size: int = BALLAST_BYTES) -> None:
        self._engine = engine
        self._pages = size // _PAGE_BYTES

    def fill(self) -> bool:
        """Take the room, if it is not held already. False when there is not enough."""
        try:
            with immediate(self._engine) as connection:
                if not self.is_held(connection):
                    self._fill(connection)
        except Unavailable as error:
            if not is_disk_full(error):
                raise
            self.give_back()  # what was taken before the disk was full stays taken, though it was rolled back
            return False
        return True

    def _fill(self, connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE IF EXISTS ballast")
        # Plain: neither compressed nor moved elsewhere. Not UNLOGGED: it must take its room on the standbys too.
        connection.exec_driver_sql("CREATE TABLE ballast (filler text)")
        connection.exec_driver_sql("ALTER TABLE ballast ALTER filler SET STORAGE PLAIN")
        rows = text("INSERT INTO ballast SELECT repeat('x', :length) FROM generate_series(1, :pages)")
        # In steps, each of which a slow disk writes well within the deadline of an answer.
        for start in range(0, self._pages, _STEP_PAGES):
            pages = min(_STEP_PAGES, self._pages - start)
            connection.execute(rows, {"length": _ROW_CHARACTERS, "pages": pages})

    def give_back(self) -> None:
        """Free the room for what must not fail. A drop needs none itself: it only marks rows of the catalogue."""
        try:
            with immediate(self._engine) as connection:
                connection.exec_driver_sql("DROP TABLE IF EXISTS ballast")
        except Unavailable as error:
            log_event("consentlog", "reserve_kept", code=error.code)

    def is_held(self, connection: Connection) -> bool:
        """By the size of the table's file."""
        size = connection.exec_driver_sql("SELECT pg_relation_size(to_regclass('ballast'))").scalar()
        return size is not None and int(size) >= self._pages * _PAGE_BYTES
