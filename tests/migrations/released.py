"""A log that a released version has made, as this program takes it over."""

from pathlib import Path

from msgspec.structs import replace

from consentlog.config import log_config
from service.home import Home
from tests.consentlog.small_town import SmallTown
from tests.migrations.samples import SAMPLES, load_home, load_postgresql, load_sqlite
from tests.protocol.builders import WITNESS_NAME


def load_log(release: str, folder: Path, database: str | None = None) -> SmallTown:
    """The town whose log was made by a release, as its disk was then."""
    sample = SAMPLES / release / ("log" if database is None else "log-postgresql")
    load_home(sample, folder)
    load_sqlite((sample / "lock.sqlite.sql").read_text(), folder / "log" / "lock.db")
    load_sqlite((sample / "witness.sqlite.sql").read_text(), folder / f"{WITNESS_NAME}.db")
    if database is None:
        load_sqlite((sample / "log.sqlite.sql").read_text(), folder / "log" / "log.db")
    else:
        load_postgresql((sample / "log.postgresql.sql").read_text(), database)
        home = Home(folder / "log")
        home.write_config(replace(log_config(home), database=database))
    return SmallTown(folder)
