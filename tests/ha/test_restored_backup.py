"""An old copy of the log's database, put back: the log refuses it, and if it is made not to, the witnesses do.

The copy is made as an operator makes it, with pg_dump while the log runs, and put into a fresh server.
"""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.load import Load
from examples.processes import CommandFailed
from protocol.errors import Unavailable
from tests.consentlog.peers import wait_until
from tests.ha import programs
from tests.ha.clients import Crowd
from tests.ha.town import ClusterTown, founded_on
from tests.ha.verdict import check_all, witnessed
from tests.service import postgresql
from tests.service.postgresql import PostgreSQL

ENOUGH = 40
pytestmark = pytest.mark.skipif(not postgresql.is_installed(), reason="not installed: postgresql")


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    started = PostgreSQL()
    yield started
    started.stop()


@pytest.fixture
def spare() -> Iterator[PostgreSQL]:
    """Where the backup is restored."""
    started = PostgreSQL()
    yield started
    started.stop()


@pytest.fixture
def town(server: PostgreSQL, tmp_path: Path) -> Iterator[ClusterTown]:
    with founded_on(server.url, tmp_path / "town") as founded:
        yield founded


def dump(url: str) -> bytes:
    """A consistent copy of a running database, as SQL."""
    program = programs.postgresql("pg_dump")
    assert program is not None
    return subprocess.run([program, "-d", url], capture_output=True, check=True).stdout


def restore(copy: bytes, url: str) -> None:
    program = programs.postgresql("psql")
    assert program is not None
    command = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
    subprocess.run(command, input=copy, stdout=subprocess.DEVNULL, check=True)


def copy_sqlite(source: Path, target: Path) -> None:
    """Into an existing file as well: a plain copy would leave the target's write-ahead log."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def work(town: ClusterTown) -> Crowd:
    """Clients until some of their wishes were acknowledged."""
    crowd = Crowd(town)
    with crowd.at_work():
        wait_until(lambda: crowd.acknowledged() > ENOUGH, 60)
    return crowd


def test_restored_backup_signs_nothing(town: ClusterTown, spare: PostgreSQL, tmp_path: Path) -> None:
    lock, old_lock, new_lock = town.at("log") / "lock.db", tmp_path / "old-lock.db", tmp_path / "new-lock.db"
    crowds = [work(town)]
    copy_sqlite(lock, old_lock)
    copy = dump(town.database)
    crowds.append(work(town))
    town.servers["log"].stop()
    states = witnessed(town)
    restore(copy, spare.url)

    # The global lock is newer than the copy: the log does not even start.
    with pytest.raises(CommandFailed, match="restored_backup"):
        town.serve_log(database=spare.url)

    # An operator who puts the lock back as well makes the log start, and gets nothing signed by others.
    copy_sqlite(lock, new_lock)
    copy_sqlite(old_lock, lock)
    town.serve_log(database=spare.url)
    with pytest.raises(Unavailable):
        Load(town).grant()
    assert witnessed(town) == states
    town.servers["log"].stop()

    # The true database and lock still stand: the log goes on where it was.
    copy_sqlite(new_lock, lock)
    town.serve_log()
    crowds.append(work(town))
    check_all(town, [account for crowd in crowds for account in crowd.accounts])
