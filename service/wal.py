"""What SQLite's write-ahead log still holds after a row was destroyed, and getting rid of it."""

import sqlite3

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from protocol.errors import Unavailable


def truncate_log(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, whose older frames still hold what was deleted.

    False when a reader was under way, and the log is as it was. Raises `Unavailable`: `database`.
    """
    if engine.dialect.name != "sqlite":
        return True
    try:
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (is_busy, *_) = cursor.fetchall()[0]
            cursor.close()
        finally:
            raw.close()
    except (sqlite3.Error, DBAPIError) as error:  # the driver's own error: no statement of SQLAlchemy's is run
        raise Unavailable("database", "the write-ahead log cannot be emptied now") from error
    return not is_busy
