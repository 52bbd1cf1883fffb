"""Every released database opens, migrates and works; what is newer is refused; a kill changes nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from auditor.store import SCHEMA as AUDITOR
from auditor.store import Store as AuditorStore
from consentlog.lock import SCHEMA as LOCK
from consentlog.tables import SCHEMA as LOG
from consentlog.tables import create_tables
from issuer import store as issuer_store
from issuer.tables import SCHEMA as ISSUER
from protocol.errors import Rejected
from protocol.revocation_code import revocation_secret
from service.database import engine_for, snapshot, sqlite_url
from service.home import Home
from service.migrations import prepare, revision_of
from service.replica import SCHEMA as REPLICA
from service.schema import Schema, prepare_file, schema_of
from service.witness import SCHEMA as WITNESS
from tests.auditor.history import History
from tests.auditor.test_cosigner import Desk as CosignerDesk
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.figures import record
from tests.issuer.desk import KARIM, NOOR
from tests.migrations import samples
from tests.migrations.released import load_log
from tests.migrations.samples import SAMPLES, load_home, load_postgresql, load_sqlite
from tests.protocol import builders, granting
from tests.protocol.builders import LOG_ORIGIN, WITNESS_NAME
from tests.service import postgresql
from tests.verifier.agency import PURPOSE, Agency, Wallet
from verifier.reader import read_grant
from verifier.tables import SCHEMA as VERIFIER

KILLS = int(os.environ.get("REGIE_MIGRATION_KILLS", "20"))
RELEASES = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
STEPS = Path(__file__).with_name("steps")
"""A schema with a long second revision, so that a kill finds it in the middle."""
LONG = Schema("long", STEPS, frozenset({"entries"}))
WORKER = """
import sys
from pathlib import Path
from service.migrations import prepare
from service.database import engine_for
from service.schema import Schema
prepare(engine_for(sys.argv[1]), Schema("long", Path(sys.argv[2]), frozenset({"entries"})))
"""


def revision(engine: Engine, schema: Schema) -> str | None:
    with snapshot(engine) as connection:
        return revision_of(connection, schema)


# Every released version.


def check_log(town: SmallTown) -> None:
    """What stood stands, what was stopped is stopped, and there is more to come."""
    with town.running():
        replay = town.replayed()
        assert replay.slots == 4 + samples.CLOSED
        assert sum(state.revoked for state in replay.locks.values()) == 2 + samples.CLOSED
        given = town.grant()
        assert town.read(given)[1].n == 0
        town.revoke(given)
        assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
        assert town.node is not None
        assert revision(town.node.engine, LOG) == LOG.newest


@pytest.mark.parametrize("release", RELEASES)
def test_log_of_every_release_migrates_and_goes_on(tmp_path: Path, release: str) -> None:
    town = load_log(release, tmp_path)
    check_log(town)
    assert revision(engine_for(sqlite_url(town.home.file("lock.db"))), LOCK) == LOCK.newest
    assert revision(engine_for(sqlite_url(tmp_path / f"{WITNESS_NAME}.db")), WITNESS) == WITNESS.newest


@pytest.mark.parametrize("release", RELEASES)
def test_auditor_of_every_release_keeps_what_it_was_handed(tmp_path: Path, release: str) -> None:
    sample = SAMPLES / release / "auditor"
    load_home(sample, tmp_path)
    (tmp_path / "auditor").mkdir(exist_ok=True)
    load_sqlite((sample / "auditor.sqlite.sql").read_text(), tmp_path / "auditor" / "auditor.db")
    store = AuditorStore(Home(tmp_path / "auditor"))
    prepare(store.engine, REPLICA)
    prepare(store.engine, WITNESS)
    assert [kept.r for kept in store.kept_revocations(10)] == [revocation_secret(granting.CODE, 1)]
    assert [revision(store.engine, schema) for schema in (AUDITOR, REPLICA, WITNESS)] == [
        AUDITOR.newest,
        REPLICA.newest,
        WITNESS.newest,
    ]
    desk = CosignerDesk(tmp_path / "auditor", History())
    state = desk.witness.state(LOG_ORIGIN)
    assert state is not None
    assert state.size > 0, "what it cosigned it never cosigns otherwise"
    assert desk.cosigner.pending() == [revocation_secret(granting.CODE, 1)]


def check_issuer(engine: Engine) -> None:
    issuer_store.create_tables(engine)
    assert revision(engine, ISSUER) == ISSUER.newest
    with snapshot(engine) as connection:
        assert issuer_store.person_record(connection, NOOR) is not None
        assert issuer_store.person_record(connection, KARIM) is not None
        assert connection.scalar(text("SELECT count(*) FROM copies")) == 4


@pytest.mark.parametrize("release", RELEASES)
def test_issuer_of_every_release_knows_its_people_and_copies(tmp_path: Path, release: str) -> None:
    load_sqlite((SAMPLES / release / "issuer" / "issuer.sqlite.sql").read_text(), tmp_path / "issuer.db")
    check_issuer(engine_for(sqlite_url(tmp_path / "issuer.db")))


@pytest.mark.parametrize("release", RELEASES)
def test_agency_of_every_release_holds_its_grant_and_asks_again(tmp_path: Path, release: str) -> None:
    sample = SAMPLES / release / "verifier"
    load_home(sample, tmp_path)
    load_sqlite((sample / "verifier.sqlite.sql").read_text(), tmp_path / "home" / "verifier.db")
    # The registrar has signed a new list since: the vocabulary grows with the releases.
    agency = Agency(tmp_path, trust=builders.trust_list(version=2))
    agency.random = os.urandom  # its usual bytes were drawn when the sample was made
    agency.start()
    (kept,) = agency.desk.store.grants.all()
    assert (kept.state, kept.answer.terms.version) == ("active", 1)
    assert [read["state"] for read in agency.desk.store.reads.all()] == ["done"]
    assert {stored.state for stored in agency.desk.store.requests.all()} == {"answered", "open"}
    # This log does not know the grant: another stands in its place, and another history was kept of it.
    agency.log.enter(granting.terms(), bytes(32))
    agency.desk.store._file.database.conn.execute("DELETE FROM checkpoints")
    agency.desk.store._file.database.conn.commit()
    wallet = Wallet(agency.clock, agency.log, name="another")
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    assert read_grant(agency.desk, rid, (), PURPOSE).values


if postgresql.is_installed():

    @pytest.fixture
    def server() -> Iterator[postgresql.PostgreSQL]:
        made = postgresql.PostgreSQL()
        yield made
        made.stop()

    @pytest.mark.parametrize("release", RELEASES)
    def test_roles_of_every_release_migrate_on_postgresql(
        tmp_path: Path, release: str, server: postgresql.PostgreSQL
    ) -> None:
        check_log(load_log(release, tmp_path, server.url))
        load_postgresql((SAMPLES / release / "issuer" / "issuer.postgresql.sql").read_text(), server.url)
        check_issuer(engine_for(server.url))

    def test_workers_that_start_at_once_on_postgresql_migrate_it_once(server: postgresql.PostgreSQL) -> None:
        prepare_at_once(server.url)

    def test_migration_killed_at_any_statement_on_postgresql_resumes(server: postgresql.PostgreSQL) -> None:
        kill_at_every_statement(lambda n: server.url, clean=True)


# Newer, foreign, half.


def test_database_of_a_newer_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
    engine = engine_for(sqlite_url(town.home.file("log.db")))
    with engine.begin() as connection:
        connection.execute(text("UPDATE log_schema SET version_num = '9999'"))
    before = dump(town.home.file("log.db"))
    with pytest.raises(Rejected) as refused:
        town.start(until="nothing")
    assert refused.value.code == "newer_schema"
    assert "9999" in refused.value.detail
    assert dump(town.home.file("log.db")) == before


def test_agency_store_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    agency = Agency(tmp_path)
    agency.desk.store._file.database.conn.execute("UPDATE verifier_schema SET version_num = '9999'")
    agency.desk.store._file.database.conn.commit()
    with pytest.raises(Rejected, match="newer_schema"):
        agency.start()


def test_lock_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    engine = engine_for(sqlite_url(town.home.file("lock.db")))
    with engine.begin() as connection:
        connection.execute(text("UPDATE lock_schema SET version_num = '9999'"))
    with pytest.raises(Rejected, match="newer_schema"):
        town.start(until="nothing")


def test_database_that_lacks_a_table_of_the_first_release_is_refused(tmp_path: Path) -> None:
    load_sqlite((SAMPLES / "0.1" / "log" / "log.sqlite.sql").read_text(), tmp_path / "log.db")
    engine = engine_for(sqlite_url(tmp_path / "log.db"))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE shares"))
    with pytest.raises(Rejected, match="unknown_schema"):
        create_tables(engine)


# Many at once, and kills.


def dump(path: Path) -> str:
    return samples.dump_sqlite(path)


def old_database(url: str) -> None:
    """At the first revision of `LONG`, without a version, as before migrations existed."""
    with engine_for(url).begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS entries"))
        connection.execute(text("DROP TABLE IF EXISTS copied"))
        connection.execute(text("DROP TABLE IF EXISTS long_schema"))
        connection.execute(text("CREATE TABLE entries (n BIGINT PRIMARY KEY, note TEXT NOT NULL)"))
        connection.execute(
            text("INSERT INTO entries VALUES (:n, :note)"), [{"n": n, "note": f"row {n}"} for n in range(100)]
        )


def is_old(url: str) -> bool:
    with snapshot(engine_for(url)) as connection:
        has = connection.dialect.has_table
        return not has(connection, "copied") and not has(connection, "long_schema")


def is_new(url: str) -> bool:
    with snapshot(engine_for(url)) as connection:
        if not connection.dialect.has_table(connection, "copied"):
            return False
        count = connection.scalar(text("SELECT count(*) FROM copied WHERE size = length(note)"))
        return count == 100 and revision_of(connection, LONG) == LONG.newest


def prepare_at_once(url: str, workers: int = 4) -> None:
    old_database(url)
    command = [sys.executable, "-c", WORKER, url, str(STEPS)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(workers)]
    outputs = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0] * workers, outputs
    assert sum(b'"migrated"' in errors for _, errors in outputs) == 1
    assert is_new(url)


def test_processes_that_start_at_once_migrate_a_file_once(tmp_path: Path) -> None:
    prepare_at_once(sqlite_url(tmp_path / "long.db"))


def test_threads_that_start_at_once_migrate_a_store_once(tmp_path: Path) -> None:
    schema = schema_of(samples.__file__.replace("migrations/samples", "migrations/x"), "x", ())
    assert schema.table == "x_schema"
    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(prepare_file, tmp_path / "agency.db", VERIFIER) for _ in range(8)]:
            future.result()
    assert revision(engine_for(sqlite_url(tmp_path / "agency.db")), VERIFIER) == VERIFIER.newest


def kill_at_every_statement(url_of: Any, *, clean: bool = False) -> None:
    """Die before the n-th statement and around the commit, for every n; what is found is the old or the new."""
    statement, resumed = 0, 0
    while True:
        url = url_of(statement)
        old_database(url)
        pid = os.fork()
        if pid == 0:
            _migrate_and_die(url, statement)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert is_new(url)
            break
        assert is_old(url) or is_new(url)
        prepare(engine_for(url), LONG)
        assert is_new(url)
        resumed += 1
        statement += 1
    assert resumed > 8


def _migrate_and_die(url: str, statement: int) -> None:
    """In a child: SIGKILL itself before statement number `statement`."""
    engine, left = engine_for(url), [statement]

    @event.listens_for(engine, "before_cursor_execute")
    def count(*_: Any) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    @event.listens_for(engine, "commit")
    def before_commit(*_: Any) -> None:
        count()

    status = 2
    try:
        prepare(engine, LONG)
        status = 0
    finally:
        os._exit(status)


def test_migration_killed_at_any_statement_resumes(tmp_path: Path) -> None:
    kill_at_every_statement(lambda n: sqlite_url(tmp_path / f"{n}.db"))


def test_migration_killed_at_random_moments_resumes(tmp_path: Path) -> None:
    """SIGKILL from outside, at moments spread over the time that a migration takes here."""
    chance = random.Random(int(os.environ.get("REGIE_SEED", "1")))
    url = sqlite_url(tmp_path / "long.db")
    old_database(url)
    pid, started = _fork_migration(url), time.monotonic()
    os.waitpid(pid, 0)
    whole = time.monotonic() - started
    undone = 0
    for _ in range(KILLS):
        old_database(url)
        pid = _fork_migration(url)
        time.sleep(chance.uniform(0, whole))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        undone += is_old(url)
        assert is_old(url) or is_new(url)
        prepare(engine_for(url), LONG)
        assert is_new(url)
    record("migrations", {"kills": KILLS, "undone": undone, "resumed": KILLS})


def _fork_migration(url: str) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            prepare(engine_for(url), LONG)
        finally:
            os._exit(0)
    return pid


def test_store_that_is_up_to_date_opens_without_loading_the_machinery(tmp_path: Path) -> None:
    """It takes longer to load than most commands take to run."""
    path = tmp_path / "verifier.db"
    prepare_file(path, VERIFIER)
    prepare(engine_for(sqlite_url(tmp_path / "log.db")), LOG)
    script = (
        "import sys\nfrom pathlib import Path\nfrom verifier.store import Store\n"
        "from consentlog.tables import create_tables\nfrom service.database import engine_for\n"
        f"Store(Path({str(path)!r})).close()\ncreate_tables(engine_for({sqlite_url(tmp_path / 'log.db')!r}))\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
