"""Every role calls `prepare(engine, SCHEMA)` before it touches its tables: then they are as this program wants.

    SCHEMA = schema_of(__file__, "log", ("leaves", "grants"))       # in tables.py, once
    prepare(engine, SCHEMA)                                         # at start

There is one way to make a table and to change one: a revision (CONTRIBUTING.md says how to write one). A database
never goes back: one that is newer than the program is refused.
"""

import importlib

from sqlalchemy import Connection, Engine, text

from service.database import snapshot
from service.schema import Schema

_RUNNER = "service.upgrade"


def prepare(engine: Engine, schema: Schema) -> None:
    """Nothing when the database has the newest revision; else one durable transaction that brings it there.

    Safe when many processes start at once: one migrates, the others wait for it and find it done.
    Raises `Rejected`: `newer_schema`, `unknown_schema`; `Unavailable`: `database`.
    """
    with snapshot(engine) as connection:
        revision = revision_of(connection, schema)
    if revision != schema.newest:
        importlib.import_module(_RUNNER).upgrade(engine, schema)


def revision_of(connection: Connection, schema: Schema) -> str | None:
    """The revision that is recorded in the database; None for none."""
    if not connection.dialect.has_table(connection, schema.table):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {schema.table}")).scalar()  # noqa: S608 - our name
    return None if found is None else str(found)
