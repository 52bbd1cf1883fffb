"""Opening a store that must be there already: to look at it is not to make one."""

from pathlib import Path

from sqlalchemy import Engine

from protocol.errors import Rejected
from service.database import engine_for

_SQLITE = "sqlite:///"


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for PostgreSQL."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def existing_engine(url: str) -> Engine:
    """An engine for a database that is there. Raises `Rejected`: `no_database`."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise Rejected("no_database", f"{path} is missing", status=404)
    return engine_for(url)
