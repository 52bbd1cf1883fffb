"""Which revision a database has, and which the program wants. Light: who only looks loads no migration machinery.

A role that keeps rows describes them by a `Schema`: a directory of revisions (`0001_first.py`, `0002_....py`; the
digits are the revision's name) beside the role, and the tables that databases had before revisions were recorded.
The revision of a database lies in the database, one table for each schema, so that schemas may share one.
"""

import importlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.sqlite_file import open_sqlite

_DIGITS = 4
_RUNNER = "service.upgrade"
"""Loads Alembic, which takes as long as a whole small command: only when there is something to migrate."""


@dataclass(frozen=True)
class Schema:
    """`name`: of the schema, for ever; `folder`: of its revisions; `first`: the tables of revision 0001."""

    name: str
    folder: Path
    first: frozenset[str]

    @property
    def table(self) -> str:
        """Where the database keeps its revision, in column `version_num`."""
        return f"{self.name}_schema"

    @property
    def revisions(self) -> Sequence[str]:
        """The names of all revisions that this program knows, the first one first."""
        return sorted(path.name[:_DIGITS] for path in self.folder.glob("[0-9]*_*.py"))

    @property
    def newest(self) -> str:
        """The revision that this program works with."""
        return self.revisions[-1]


def schema_of(module_file: str, name: str, first: Sequence[str]) -> Schema:
    """The schema `name` whose revisions lie in `revisions/NAME/` beside the module with this `__file__`."""
    return Schema(name, Path(module_file).with_name("revisions") / name, frozenset(first))


def prepare_file(path: Path, schema: Schema) -> None:
    """Bring a SQLite file that a role opens without SQLAlchemy to the newest revision; made where it is missing.

    Raises `Rejected`: `newer_schema`, `unknown_schema`; `Unavailable`: `database`.
    """
    connection = open_sqlite(path)
    try:
        revision = _revision_of_file(connection, schema)
    finally:
        connection.close()
    if revision != schema.newest:
        importlib.import_module(_RUNNER).upgrade_file(path, schema)


def _revision_of_file(connection: sqlite3.Connection, schema: Schema) -> str | None:
    listed = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if connection.execute(listed, (schema.table,)).fetchone() is None:
        return None
    row = connection.execute(f"SELECT version_num FROM {schema.table}").fetchone()  # noqa: S608 - our own name
    return None if row is None else str(row[0])
