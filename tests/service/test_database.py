"""The database: commits that survive a power cut, writers that take turns, reads of one state."""

import os
import random
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from protocol.errors import Rejected, Unavailable
from service.database import engine_for, immediate, listening, snapshot, sqlite_url
from service.sqlite_file import open_sqlite
from service.sqlite_tables import open_sqlite_utils
from tests.service.lossy import connect_lossy
from tests.service.postgresql import PostgreSQL, is_installed

if is_installed():
    import psycopg

    from service import postgresql

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
            barrier.wait(60)
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


ELSEWHERE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("INSERT INTO t VALUES (2)")
connection.close()
"""


@pytest.mark.parametrize("kind", ["sqlalchemy", "sqlite-utils", "plain"])
def test_file_opened_twice_here_stays_one_file_when_another_process_closes_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "test.db"
    first = open_sqlite(path)
    first.execute("CREATE TABLE t (a)")
    first.execute("INSERT INTO t VALUES (1)")
    first.commit()
    opened = {"sqlalchemy": lambda: engine_for(sqlite_url(path)), "sqlite-utils": lambda: open_sqlite_utils(path)}
    second = opened.get(kind, lambda: open_sqlite(path))()
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(path)], check=True)
    assert [tuple(row) for row in first.execute("SELECT a FROM t ORDER BY a")] == [(1,), (2,)]
    first.execute("INSERT INTO t VALUES (3)")
    first.commit()
    with closing(sqlite3.connect(path)) as later:
        assert later.execute("SELECT count(*) FROM t").fetchone() == (3,)
    assert second is not None


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


ON_POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

if is_installed():

    @pytest.fixture
    def impatient(server: PostgreSQL) -> Iterator[Engine]:
        """Gives an answer up after a second, in which a busy machine gives any that it gives."""
        made = engine_for(server.url, answer_seconds=1.0)
        metadata.drop_all(made)
        metadata.create_all(made)
        yield made
        made.dispose()

    def write(engine: Engine, number: int = 4711) -> None:
        with immediate(engine) as connection:
            connection.execute(insert(rows).values(id=number, note="x"))

    def refusal_of(call: Callable[[], object]) -> str:
        """In a few seconds by the limits of the session; without them, what hangs hangs for ever."""
        with pytest.raises(Unavailable) as caught:
            call()
        return caught.value.code

    def backends(server: PostgreSQL, condition: str) -> list[int]:
        engine = engine_for(server.url)
        with snapshot(engine) as connection:
            statement = f"SELECT pid FROM pg_stat_activity WHERE application_name = 'regie' AND {condition}"
            found = [pid for (pid,) in connection.exec_driver_sql(statement)]
        engine.dispose()
        return found

    def ask(server: PostgreSQL, function: str, condition: str) -> None:
        """`function` on the one session that fits, once there is one."""
        end = time.monotonic() + 60
        while not (found := backends(server, condition)):
            assert time.monotonic() < end
        engine = engine_for(server.url)
        with snapshot(engine) as connection:
            connection.exec_driver_sql(f"SELECT {function}({found[0]})")
        engine.dispose()

    def test_commit_that_no_standby_confirms_is_a_failure(server: PostgreSQL, impatient: Engine) -> None:
        with server.waiting_for_a_standby():
            assert refusal_of(lambda: write(impatient)) == "database"
        write(impatient, 1)  # and with the standbys back it works again

    @ON_POSTGRESQL
    def test_attack_commit_whose_wait_is_cancelled_passes_for_one_on_the_standbys(
        server: PostgreSQL, engine: Engine
    ) -> None:
        """The server acknowledges it, with a mere warning: 01000, canceling wait for synchronous replication."""
        with server.waiting_for_a_standby():
            canceller = threading.Thread(target=ask, args=(server, "pg_cancel_backend", "wait_event = 'SyncRep'"))
            canceller.start()
            assert refusal_of(lambda: write(engine)) == "database"
            canceller.join()

    def test_who_gives_up_a_commit_sends_no_cancel_request(server: PostgreSQL, impatient: Engine) -> None:
        with server.waiting_for_a_standby():
            refusal_of(lambda: write(impatient))
            # The server still waits for its standby, and nobody sees the row before that has it.
            assert backends(server, "wait_event = 'SyncRep'")
            assert count(impatient) == 0

    @ON_POSTGRESQL
    @pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
    def test_interrupt_at_a_commit_sends_no_cancel_request(
        server: PostgreSQL, engine: Engine, monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
    ) -> None:
        sent: list[object] = []
        monkeypatch.setattr(psycopg.Connection, "_try_cancel", lambda *args, **options: sent.append(args))

        def stop() -> float:
            raise interrupt

        def write_and_stop() -> None:
            with immediate(engine) as connection:
                connection.execute(insert(rows).values(id=1, note="x"))
                monkeypatch.setattr(postgresql, "monotonic", stop)

        with server.waiting_for_a_standby(), pytest.raises(interrupt):
            write_and_stop()
        monkeypatch.undo()
        assert sent == []

    def test_wait_for_another_writer_ends(server: PostgreSQL, impatient: Engine) -> None:
        patient = engine_for(server.url)  # the server ends a session that is idle for longer than its limit
        with immediate(patient):
            assert refusal_of(lambda: write(impatient)) == "database"
        patient.dispose()
        write(impatient, 1)

    def read_twice(engine: Engine, between: Callable[[int], None]) -> None:
        with snapshot(engine) as connection:
            between(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
            connection.execute(select(rows)).all()

    @pytest.mark.parametrize("when", ["in the pool", "in a transaction"])
    def test_read_of_a_server_that_hangs_ends(impatient: Engine, when: str) -> None:
        stopped: list[int] = []

        def stop(pid: int) -> None:
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

        try:
            if when == "in the pool":
                with snapshot(impatient) as connection:
                    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
                stop(pid)
            else:
                assert refusal_of(lambda: read_twice(impatient, stop)) == "database"
            assert count(impatient) == 0  # by another session
        finally:
            os.kill(stopped[0], signal.SIGCONT)

    def test_start_of_a_session_with_a_server_that_hangs_ends() -> None:
        """It takes connections, as the kernel does for a stopped process, and says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            engine = engine_for(f"postgresql://regie@127.0.0.1:{silent.getsockname()[1]}/postgres")
            assert refusal_of(lambda: count(engine)) == "database"

    def test_stopped_process_does_not_keep_the_writers_lock(server: PostgreSQL, impatient: Engine) -> None:
        other = engine_for(server.url)

        def be_stopped() -> None:
            with immediate(impatient):
                time.sleep(1.5)
                write(other)

        assert refusal_of(be_stopped) == "database"
        assert count(other) == 1
        other.dispose()

    def test_slow_answer_that_keeps_coming_is_waited_for(impatient: Engine) -> None:
        with snapshot(impatient) as connection:
            statement = "SELECT n, repeat('x', 9000) FROM generate_series(1, 40) n, pg_sleep(0.04 + n * 0)"
            assert len(connection.exec_driver_sql(statement).all()) == 40

    def test_hosts_are_tried_until_one_takes_writes(server: PostgreSQL) -> None:
        engine = engine_for(f"postgresql://regie@/postgres?host=/nowhere,{server.folder},/nowhere")
        for _ in range(6):
            with snapshot(engine) as connection:
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
            engine.dispose()

    @ON_POSTGRESQL
    def test_server_that_takes_no_writes_is_left(server: PostgreSQL, engine: Engine) -> None:
        write(engine)
        with server.read_only():
            refusal_of(lambda: write(engine, 1))  # by the session of before
            assert refusal_of(lambda: count(engine)) == "database"  # which is not used again, for reads either
        write(engine, 2)

    def test_server_that_is_gone_is_unavailable(server: PostgreSQL) -> None:
        engine = engine_for(server.url.replace("host=", "host=/nowhere"))
        with pytest.raises(Unavailable), snapshot(engine):
            pass

    def test_url_that_libpq_does_not_take_is_refused() -> None:
        with pytest.raises(ValueError, match="libpq"):
            engine_for("postgresql://a@b/c?nonsense=1")

    @ON_POSTGRESQL
    def test_snapshot_of_postgresql_sees_one_state_while_others_write(engine: Engine) -> None:
        with snapshot(engine) as connection:
            assert connection.execute(select(func.count()).select_from(rows)).scalar_one() == 0
            write(engine)
            assert connection.execute(select(func.count()).select_from(rows)).scalar_one() == 0
        assert count(engine) == 1

    def test_listener_hears_what_others_notify(server: PostgreSQL, impatient: Engine) -> None:
        with listening(impatient, "news") as hear:
            assert hear(0.05) == []
            with immediate(impatient) as connection:
                connection.execute(text("SELECT pg_notify('news', 'one')"))
            assert hear(5) == ["one"]
