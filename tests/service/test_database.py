"""The database: commits that survive a power cut, writers that take turns, reads of one state."""

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from protocol.errors import Rejected, Unavailable
from service import database
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.sqlite_file import open_sqlite, open_sqlite_utils
from tests.service.lossy import connect_lossy
from tests.service.postgresql import PostgreSQL, is_installed

metadata = MetaData()
rows = Table("rows", metadata, Column("id", Integer, primary_key=True), Column("note", String(100)))
KINDS = ["sqlite", "memory", "apsw", *(["postgresql"] if is_installed() else [])]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "test.db"
    if request.param == "postgresql":
        made = engine_for(request.getfixturevalue("server").url)
    elif request.param == "apsw":
        made = engine_for(sqlite_url(path), connect=lambda: connect_lossy(path, lossy=False))
    else:
        made = engine_for(sqlite_url(path) if request.param == "sqlite" else "sqlite://")
    metadata.drop_all(made)
    metadata.create_all(made)
    yield made
    made.dispose()


def count(engine: Engine) -> int:
    with snapshot(engine) as connection:
        return connection.execute(select(func.count()).select_from(rows)).scalar_one()


def test_written_rows_are_read(engine: Engine) -> None:
    with immediate(engine) as connection:
        assert connection.execute(insert(rows).values(id=1, note="a")).rowcount == 1
    with snapshot(engine) as connection:
        assert connection.execute(select(rows)).all() == [(1, "a")]
        assert connection.execute(select(rows).where(rows.c.id == 9)).all() == []


def test_refusal_in_the_block_leaves_nothing(engine: Engine) -> None:
    def write() -> None:
        with immediate(engine) as connection:
            connection.execute(insert(rows).values(id=1, note="a"))
            raise Rejected("too_late")

    with pytest.raises(Rejected):
        write()
    assert count(engine) == 0


def test_broken_constraint_passes_through_and_leaves_nothing(engine: Engine) -> None:
    with immediate(engine) as connection:
        connection.execute(insert(rows).values(id=1, note="a"))

    def write() -> None:
        with immediate(engine) as connection:
            connection.execute(insert(rows).values(id=2, note="b"))
            connection.execute(insert(rows).values(id=1, note="c"))

    with pytest.raises(IntegrityError):
        write()
    assert count(engine) == 1


def test_error_of_the_database_is_unavailable_and_repeats_no_value(engine: Engine) -> None:
    with pytest.raises(Unavailable) as caught, immediate(engine) as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:canary)"), {"canary": "999990019"})
    assert caught.value.code == "database"
    assert "999990019" not in str(caught.value)


@pytest.mark.parametrize("engine", [kind for kind in KINDS if kind in ("sqlite", "postgresql")], indirect=True)
def test_writers_take_turns_from_their_first_read(engine: Engine) -> None:
    """Each reads the highest id and writes the next: with deferred transactions two would write the same."""
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(10):
                with immediate(engine) as connection:
                    highest = connection.execute(select(func.max(rows.c.id))).scalar_one() or 0
                    time.sleep(0.001)
                    connection.execute(insert(rows).values(id=highest + 1, note="x"))
        except (IntegrityError, Unavailable) as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with snapshot(engine) as connection:
        assert connection.execute(select(func.max(rows.c.id))).scalar_one() == 80


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_snapshot_sees_one_state_while_others_write(engine: Engine) -> None:
    with snapshot(engine) as connection:
        assert connection.execute(select(func.count()).select_from(rows)).scalar_one() == 0
        with immediate(engine) as writer:
            writer.execute(insert(rows).values(id=1, note="a"))
        assert connection.execute(select(func.count()).select_from(rows)).scalar_one() == 0
    assert count(engine) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_more_threads_than_pooled_connections_can_read(engine: Engine) -> None:
    barrier = threading.Barrier(64)
    seen: list[int] = []

    def read() -> None:
        with snapshot(engine) as connection:
            connection.execute(select(rows)).all()
            barrier.wait(10)
            seen.append(1)

    threads = [threading.Thread(target=read) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 64


@pytest.mark.parametrize("kind", ["sqlalchemy", "sqlite-utils", "plain"])
def test_sqlite_file_is_closed_to_others_and_set_to_last(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "test.db"
    old = os.umask(0)
    try:
        if kind == "sqlalchemy":
            with immediate(engine_for(sqlite_url(path))) as connection:
                found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in SETTINGS]
        else:
            plain = open_sqlite(path) if kind == "plain" else open_sqlite_utils(path).conn
            found = [plain.execute(f"PRAGMA {name}").fetchone()[0] for name in SETTINGS]
            plain.execute("CREATE TABLE t (a)")
            plain.commit()
    finally:
        os.umask(old)
    assert found == ["wal", 2, 1, 1, 0, 5000]
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


SETTINGS = ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "trusted_schema", "busy_timeout")


def test_deleted_row_is_not_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    engine = engine_for(sqlite_url(path))
    metadata.create_all(engine)
    with immediate(engine) as connection:
        connection.execute(insert(rows).values(id=1, note="CANARY-CANARY"))
    with immediate(engine) as connection:
        connection.execute(rows.delete())
    engine.dispose()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"CANARY" not in path.read_bytes()


def test_sqlite_utils_file_takes_rows(tmp_path: Path) -> None:
    made = open_sqlite_utils(tmp_path / "evidence.db")
    made["reads"].insert({"id": 1, "case": "x"}, pk="id")
    assert list(open_sqlite_utils(tmp_path / "evidence.db")["reads"].rows) == [{"id": 1, "case": "x"}]


@pytest.mark.parametrize("url", ["mysql://localhost/x", "oracle://x", "", "x.db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="SQLite or PostgreSQL"):
        engine_for(url)


WRITER = """
import sys
from sqlalchemy import text
from service.database import engine_for, immediate, sqlite_url
from tests.service.lossy import connect_lossy
path, synchronous = sys.argv[1:]
engine = engine_for(sqlite_url(path), connect=lambda: connect_lossy(path))
with engine.connect() as connection:
    if synchronous == "NORMAL":
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        connection.exec_driver_sql("BEGIN")
with immediate(engine) as connection:
    connection.execute(text("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, note TEXT)"))
    first = connection.execute(text("SELECT coalesce(max(id), 0) FROM rows")).scalar_one()
print("start", first, flush=True)
for n in range(first + 1, first + 100000):
    with immediate(engine) as connection:
        connection.execute(text("INSERT INTO rows VALUES (:n, :note)"), {"n": n, "note": "x" * 200})
    print(n, flush=True)
"""


def cut_power(path: Path, synchronous: str, after: float) -> int:
    """Write until the power is cut after so many seconds; the last acknowledged row."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), synchronous], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("start")
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    acknowledged = process.communicate()[0].split("\n")[:-1]
    return int(acknowledged[-1]) if acknowledged else 0


def stored(path: Path) -> int:
    with closing(sqlite3.connect(path)) as plain:
        return int(plain.execute("SELECT coalesce(max(id), 0) FROM rows").fetchone()[0])


def test_no_acknowledged_row_is_lost_when_the_power_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "full.db"
    written = 0
    for _ in range(4):
        acknowledged = cut_power(path, "FULL", random.uniform(0.02, 0.2))
        assert stored(path) >= acknowledged
        written += acknowledged
    assert written > 0


def loses_rows(path: Path) -> bool:
    """One power cut with synchronous=NORMAL."""
    acknowledged = cut_power(path, "NORMAL", 0.3)
    try:
        return stored(path) < acknowledged
    except sqlite3.OperationalError:  # even the table is gone
        return acknowledged > 0


def test_power_cut_would_be_noticed(tmp_path: Path) -> None:
    """The negative control: with synchronous=NORMAL the same disk loses rows.

    Not at each cut: a cut may fall just after SQLite has moved its journal into the file.
    """
    assert any(loses_rows(tmp_path / f"normal-{cut}.db") for cut in range(6))


if is_installed():

    def test_commit_that_no_standby_confirms_is_a_failure(
        server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = engine_for(server.url)
        metadata.create_all(engine)
        monkeypatch.setattr(database, "COMMIT_SECONDS", 0.3)
        with server.waiting_for_a_standby():
            started = time.monotonic()
            with pytest.raises(Unavailable) as caught, immediate(engine) as connection:
                connection.execute(insert(rows).values(id=4711, note="x"))
            assert caught.value.code == "database"
            assert time.monotonic() - started < 3
        with immediate(engine) as connection:  # and with the standbys back it works again
            connection.execute(rows.delete())
        engine.dispose()

    def test_server_that_is_gone_is_unavailable(server: PostgreSQL) -> None:
        engine = engine_for(server.url.replace("host=", "host=/nowhere"))
        with pytest.raises(Unavailable), snapshot(engine):
            pass
