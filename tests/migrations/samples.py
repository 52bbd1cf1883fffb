"""Databases with real rows, as SQL text: made once with each release, loaded by the tests of every later one.

    python -m tests.migrations.samples 0.1        # writes tests/vectors/databases/0.1/, at the release's commit

A sample is a home without its databases (`home.json`: file name to base64; keys of fictional people) and one
`NAME.DIALECT.sql` for each database. Paths below the home's folder stand there as `@FOLDER@`. Times are those of
`tests.protocol.builders.NOW`, so that a sample does not grow old.
"""

import base64
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec.structs import replace

from consentlog.config import log_config
from issuer import store as issuer_store
from issuer.config import IssuerConfig
from issuer.office import Office
from issuer.signing import load_codes_key, load_signer, make_keys
from issuer.web import make_web
from protocol.reading import sign_message
from protocol.revocation_code import revocation_secret
from service.database import engine_for, sqlite_url
from service.home import Home
from tests.auditor.history import History
from tests.auditor.test_cosigner import Desk as CosignerDesk
from tests.consentlog.small_town import SmallTown
from tests.consentlog.test_looking_back import message
from tests.issuer.desk import KARIM, NOOR, PERSONS, URL, Desk, FakeClock
from tests.protocol import granting
from tests.protocol.builders import HOLDER, WITNESS_NAME
from tests.service import postgresql
from tests.verifier.agency import PURPOSE, Agency, Wallet
from verifier.reader import read_grant

SAMPLES = Path(__file__).parents[1] / "vectors" / "databases"
FOLDER = b"@FOLDER@"
CLOSED = 64
"""Grants that were revoked and erased again: with the others more leaves than one tile holds, in little room."""


def live(town: SmallTown) -> None:
    """A life of a log in which every table gets rows."""
    with town.running():
        spent, renewed, stopped = town.grant(max_reads=2), town.grant(), town.grant()
        for _ in range(3):
            town.post_read(town.make_read(spent))
        assert town.send("POST", "/v1/grants", town.refresh_request(renewed)[1]).status_code == 201
        town.read(stopped)
        town.revoke(stopped)
        asked = sign_message(message(stopped), HOLDER)
        assert town.post_message(asked, headers=stopped.view).status_code == 201
        for _ in range(CLOSED):
            given = town.grant()
            town.revoke(given)
            path = f"/v1/grants/{given.answer.slot}/openings"
            assert town.send("DELETE", path, headers=given.view).status_code == 204
        town.settle()


def make_log(folder: Path, to: Path, database: str | None = None) -> None:
    """The town's log, its lock and its plain witness."""
    town = SmallTown(folder, database=database)
    live(town)
    if database is not None:
        (to / "log.postgresql.sql").write_text(dump_postgresql(database))
        town.home.write_config(replace(log_config(town.home), database="@DATABASE@"))
    else:
        (to / "log.sqlite.sql").write_text(dump_sqlite(town.home.file("log.db")))
    (to / "lock.sqlite.sql").write_text(dump_sqlite(town.home.file("lock.db")))
    (to / "witness.sqlite.sql").write_text(dump_sqlite(folder / f"{WITNESS_NAME}.db"))
    keep_home(folder, to)


def make_auditor(folder: Path, to: Path) -> None:
    """A cosigner that has replayed a history and keeps a revocation that is not in it."""
    history = History()
    desk = CosignerDesk(folder / "auditor", history)
    desk.ask(history.checkpoint())
    history.read(0)
    history.checkpoint()
    desk.ask(history.checkpoint())
    desk.cosigner.keep(revocation_secret(granting.CODE, 1))
    (to / "auditor.sqlite.sql").write_text(dump_sqlite(desk.home.file("auditor.db")))
    keep_home(folder, to)


def make_issuer(folder: Path, to: Path, database: str | None = None) -> None:
    """An issuer with two people in its register, one of whom has fetched two cards; one card was revoked."""
    home, clock = Home(folder / "issuer").create(), FakeClock()
    config = IssuerConfig(role="issuer", url=URL, name="Gemeente Lindehaven")
    entry = make_keys(home, config, now=clock.now(), random=os.urandom)
    engine = engine_for(database or sqlite_url(home.file("issuer.db")))
    issuer_store.create_tables(engine)
    office = Office(engine, load_signer(home, config, clock.now()), load_codes_key(home), clock, os.urandom)
    office.import_persons([line for line in PERSONS.read_bytes().splitlines() if is_one_of(line, NOOR, KARIM)])
    desk = Desk(office, entry, clock, make_web(config, office).test_client(), URL)
    token = desk.token("persoon", "adres")
    desk.fetch(token, "persoon", 2)
    desk.fetch(token, "adres", 2)
    desk.offer("persoon", bsn=KARIM)
    if database is None:
        (to / "issuer.sqlite.sql").write_text(dump_sqlite(home.file("issuer.db")))
        home.write_config(config)
        keep_home(folder, to)
    else:
        (to / "issuer.postgresql.sql").write_text(dump_postgresql(database))


def is_one_of(line: bytes, *numbers: str) -> bool:
    """Whether a line of the register's export is about one of these people."""
    return json.loads(line)["burgerservicenummer"] in numbers


def make_verifier(folder: Path, to: Path) -> None:
    """An agency with a grant that it has read, an open request and a copy that waits."""
    folder.mkdir(parents=True)
    agency = Agency(folder)
    wallet = Wallet(agency.clock, agency.log)
    rid, link = agency.ask()
    assert agency.post(rid, wallet.grant(wallet.open(agency, link)).form()).status_code == 200
    read_grant(agency.desk, rid, (), PURPOSE)
    agency.ask()
    agency.desk.store.close()
    (to / "verifier.sqlite.sql").write_text(dump_sqlite(agency.home.file("verifier.db")))
    keep_home(folder, to)


def dump_sqlite(path: Path) -> str:
    """The whole database as SQL."""
    with sqlite3.connect(path) as connection:
        text = "\n".join(connection.iterdump()) + "\n"
    connection.close()
    return text


def dump_postgresql(url: str) -> str:
    """The same, by pg_dump: no roles, no comments, no meta-commands of psql."""
    done = subprocess.run(
        ["pg_dump", "--inserts", "--no-owner", "--no-privileges", url], capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(("--", "\\", "SET "))]
    return "\n".join(line for line in lines if "set_config" not in line) + "\n"


def keep_home(folder: Path, to: Path) -> None:
    """Every file that is no database, with the folder's name taken out."""
    files = {
        str(path.relative_to(folder)): path.read_bytes().replace(str(folder).encode(), FOLDER)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".db" not in path.name and path.name not in ("ballast", "lock", "serve.lock")
    }
    text = {name: base64.b64encode(data).decode() for name, data in files.items()}
    (to / "home.json").write_text(json.dumps(text, indent=1) + "\n")


def load_home(sample: Path, folder: Path) -> None:
    """The files of a sample below `folder`, as private as they were."""
    for name, text in json.loads((sample / "home.json").read_text()).items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(text).replace(FOLDER, str(folder).encode()))
        path.chmod(0o600)


def load_sqlite(text: str, path: Path) -> None:
    """A database file made of SQL."""
    with sqlite3.connect(path) as connection:
        connection.executescript(text)
    connection.close()


def load_postgresql(text: str, url: str) -> None:
    """The same into an empty database of a server."""
    with engine_for(url).connect() as connection:
        connection.exec_driver_sql(text.replace("%", "%%"))
        connection.commit()


def main(version: str) -> None:
    """Write the samples of this release."""
    with tempfile.TemporaryDirectory() as name:
        work, to = Path(name), SAMPLES / version
        for role in ("log", "log-postgresql", "auditor", "issuer", "verifier"):
            (to / role).mkdir(parents=True)
        make_log(work / "log", to / "log")
        make_auditor(work / "auditor", to / "auditor")
        make_issuer(work / "issuer", to / "issuer")
        make_verifier(work / "verifier", to / "verifier")
        for make, to_folder in ((make_log, to / "log-postgresql"), (make_issuer, to / "issuer")):
            server = postgresql.PostgreSQL()
            try:
                make(work / f"{to_folder.name}-pg", to_folder, server.url)
            finally:
                server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
