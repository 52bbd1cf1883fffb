"""Tables of new SQLite databases without Alembic: what its revisions made the first time is made again.

A suite makes some thousands of small databases, and Alembic takes longer over each than most tests over their
subject. The first new database of a schema in this process is made by the product's own revisions; what they left
(statements and rows) is remembered and written into the next, in one durable transaction as well. A database that
has anything of the schema, and every database of `tests/migrations`, of PostgreSQL and of other processes goes the
usual way.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from service import upgrade
from service.database import immediate, snapshot
from service.schema import Schema

Row = tuple[str, Sequence[Any]]
_LISTED = "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"

_by_revisions = upgrade._upgrade
_recipes: dict[tuple[Path, str], tuple[list[str], list[Row]]] = {}
is_on = False
"""Whether it is done for the test that runs."""


def install() -> None:
    """For this process."""
    upgrade._upgrade = _upgrade


def _upgrade(engine: Engine, schema: Schema) -> None:
    if not is_on or engine.dialect.name != "sqlite":
        _by_revisions(engine, schema)
    elif (schema.folder, schema.newest) not in _recipes:
        _learn(engine, schema)
    elif not _repeat(engine, schema):
        _by_revisions(engine, schema)


def _learn(engine: Engine, schema: Schema) -> None:
    with snapshot(engine) as connection:
        before = _objects(connection)
    _by_revisions(engine, schema)
    if _is_new(before, schema):
        with snapshot(engine) as connection:
            _recipes[schema.folder, schema.newest] = _made(connection, before)


def _repeat(engine: Engine, schema: Schema) -> bool:
    """False when the database is not new, and nothing was done."""
    with immediate(engine) as connection:
        is_new = _is_new(_objects(connection), schema)
        if is_new:
            _make(connection, *_recipes[schema.folder, schema.newest])
    return is_new


def _objects(connection: Connection) -> dict[str, tuple[str, str]]:
    """Type and statement of each table and index, in the order in which they were made."""
    listed = connection.exec_driver_sql(_LISTED)
    return {name: (kind, sql) for name, kind, sql in listed if not name.startswith("sqlite_")}


def _is_new(objects: dict[str, tuple[str, str]], schema: Schema) -> bool:
    return schema.table not in objects and not schema.first.intersection(objects)


def _made(connection: Connection, before: dict[str, tuple[str, str]]) -> tuple[list[str], list[Row]]:
    objects = {name: made for name, made in _objects(connection).items() if name not in before}
    rows = []
    for name, (kind, _) in objects.items():
        for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"') if kind == "table" else ():
            rows.append((f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(row))})', tuple(row)))
    return [sql for _, sql in objects.values()], rows


def _make(connection: Connection, statements: list[str], rows: list[Row]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
    for statement, row in rows:
        connection.exec_driver_sql(statement, row)
