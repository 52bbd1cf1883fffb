"""What SQLite's write-ahead log still holds after a row was destroyed, and getting rid of it."""

from sqlalchemy import Engine


def truncate_log(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, whose older frames still hold what was deleted.

    False when a reader was under way, and the log is as it was.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (is_busy, *_) = cursor.fetchall()[0]
        cursor.close()
    finally:
        raw.close()
    return not is_busy
