"""SQLite files through sqlite-utils, for an agency's evidence. Not in `sqlite_file`: it takes long to import."""

from pathlib import Path

from sqlite_utils import Database

from service.sqlite_file import open_sqlite


def open_sqlite_utils(path: Path | str) -> Database:
    """`open_sqlite` as a sqlite-utils `Database`.

    sqlite-utils commits each of its calls; group writes with `with database.conn:`.
    """
    return Database(open_sqlite(path))
