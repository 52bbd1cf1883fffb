"""A copy of the log's database while it runs, and back again: never to another history than was signed.

What a backup holds: leaves, openings, shares wrapped under epoch keys. What it does not: the epoch keys, the
global lock, the log's private keys. So a thief of a backup opens nothing; one epoch after a revocation nobody does
(G6); and a backup put back cannot sign what was signed otherwise: the lock, which is not in it, decides.

A log on PostgreSQL is copied with PostgreSQL's own means (docs/operating.md); its start judges it just the same.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete

from consentlog.fsck import Report, check_store
from consentlog.lock import Locked
from consentlog.tables import SCHEMA, shares
from protocol.errors import Rejected, Unavailable
from service.database import engine_for, immediate, sqlite_url
from service.epochs import Epochs
from service.migrations import prepare

_HEADER = b"SQLite format 3\0"
_TOLD = {
    "restored_backup": (
        "this backup is older than what the log signed last: it must not be used. Look for a newer copy of the"
        " database (another disk, a standby, a later backup). If there is none this log has ended: open a new one"
        " (docs/operating.md, restored_backup)"
    ),
    "forked": "this backup is of another history than the log signed: it belongs to another log, or was changed",
}


@dataclass(frozen=True)
class Restored:
    """`size` leaves are back; of `lost_shares` grants the epoch key is gone: their residents renew them."""

    size: int
    lost_shares: int


def back_up(database: Path, to: Path) -> int:
    """One consistent copy of the SQLite file `database`, whole or absent; its size in bytes.

    May run beside the serving log, which goes on writing. Raises `Rejected`: `file_exists`; `Unavailable`: `io`.
    """
    if to.exists():
        raise Rejected("file_exists", f"{to} exists: a backup replaces nothing")
    beside = to.with_name(f".{to.name}.partial")
    try:
        _copy(database, beside)
        size = beside.stat().st_size
        # A hard link, not a rename: of two backups to one name the second must not replace the first.
        os.link(beside, to)
        _sync_directory(to.parent)
    except FileExistsError as error:
        raise Rejected("file_exists", f"{to} exists: a backup replaces nothing") from error
    except (OSError, sqlite3.Error) as error:
        raise Unavailable("io", f"{to} cannot be written") from error
    finally:
        beside.unlink(missing_ok=True)
    return size


def restore(backup: Path, database: Path, locked: Locked, epochs: Epochs, *, origin: str, now: int) -> Restored:
    """Put a backup where the database was; the caller MUST hold the home, so that nothing serves it.

    1. no database is there; 2. a copy beside it, at this program's revision; 3. everything in it fits, and the
    lock says that nothing newer was signed; 4. in one step it is the database.
    Raises `Rejected`: `database_exists`, `bad_backup`, `restored_backup`, `forked`, `newer_schema`; `Unavailable`.
    """
    if any(database.parent.glob(f"{database.name}*")):  # 1.
        raise Rejected("database_exists", f"{database} is there: move it away first, it may be the newer one")
    beside = database.with_name(f"restoring-{database.name}")
    try:
        _check_file(backup)
        _copy(backup, beside)  # 2.
        report, lost = _checked(beside, locked, epochs, origin, now)  # 3.
        _judge(report)
        beside.rename(database)  # 4.
        _sync_directory(database.parent)
    except sqlite3.Error as error:
        raise Rejected("bad_backup", f"{backup} is damaged, or no backup of a log") from error
    except OSError as error:
        raise Unavailable("io", f"{backup} cannot be put back") from error
    finally:
        for path in database.parent.glob(f"{beside.name}*"):
            path.unlink()
    return Restored(report.size, lost)


def _check_file(backup: Path) -> None:
    try:
        with backup.open("rb") as stream:
            is_sqlite = stream.read(len(_HEADER)) == _HEADER
    except FileNotFoundError as error:
        raise Rejected("bad_backup", f"{backup} is missing") from error
    if not is_sqlite:
        raise Rejected("bad_backup", f"{backup} is no backup of a log")


def _copy(source: Path, to: Path) -> None:
    """By SQLite's backup: one committed state, also while others write. One file, 0600, durable."""
    to.unlink(missing_ok=True)
    os.close(os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(to)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE").fetchall()
    handle = os.open(to, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked(path: Path, locked: Locked, epochs: Epochs, origin: str, now: int) -> tuple[Report, int]:
    """What is in the copy, and how many shares were destroyed because the key of their epoch is gone."""
    engine = engine_for(sqlite_url(path))
    try:
        prepare(engine, SCHEMA)
        report = check_store(engine, locked, None, origin=origin, now=now)
        here = [*epochs.past(), epochs.current]
        with immediate(engine) as connection:
            # Nobody opens them any more: without the row a READ is refused by name and not asked for again.
            lost = connection.execute(delete(shares).where(shares.c.epoch.not_in(here))).rowcount
    except Unavailable as error:
        raise Rejected("bad_backup", "the backup cannot be read: it is damaged, or no backup of a log") from error
    finally:
        engine.dispose()
    with closing(sqlite3.connect(path)) as writing:
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        writing.execute("PRAGMA journal_mode=DELETE").fetchall()
    return report, lost


def _judge(report: Report) -> None:
    """Raises `Rejected`: `restored_backup`, `forked`, `bad_backup`."""
    codes = {fault.code for fault in report.faults}
    for code, detail in _TOLD.items():
        if code in codes:
            raise Rejected(code, detail)
    if report.faults or not report.is_whole:
        first = report.faults[0]
        raise Rejected("bad_backup", f"the backup is damaged: {first.place}: {first.text} ({first.code})")


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
