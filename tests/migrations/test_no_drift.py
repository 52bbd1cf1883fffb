"""Revisions and `tables.py` say the same: who changes the one without the other hears of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, inspect

import consentlog.tables
import verifier.account_store
import verifier.alarm_store
import verifier.tables
from service.database import engine_for, sqlite_url
from service.migrations import prepare
from service.schema import Schema
from service.upgrade import _scripts
from tests import quick_tables
from tests.migrations.samples import SAMPLES, load_postgresql, load_sqlite
from tests.service import postgresql

ROOT = Path(__file__).resolve().parents[2]


def _modules() -> Iterator[Any]:
    """Every module of the program that describes a schema."""
    for path in sorted(ROOT.glob("*/*.py")):
        if path.parent.name not in ("tests", "bench", "examples") and "= schema_of(" in path.read_text():
            yield import_module(f"{path.parent.name}.{path.stem}")


TABLES: dict[Schema, MetaData] = {
    module.SCHEMA: found
    for module in _modules()
    if (found := getattr(module, "metadata", getattr(module, "_metadata", None))) is not None
}
"""What `tables.py` of each role says. The agency's is SQLite's own SQL and stands in its revisions only."""
SCHEMAS = [verifier.alarm_store.SCHEMA, *TABLES, verifier.tables.SCHEMA, verifier.account_store.SCHEMA]


def test_every_folder_of_revisions_belongs_to_a_schema() -> None:
    folders = {path.parent for path in ROOT.glob("*/revisions/*/__init__.py")}
    assert {schema.folder for schema in SCHEMAS} == folders


def shape(engine: Engine) -> dict[str, Any]:
    """Everything that the database itself says of its tables."""
    found = inspect(engine)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in sorted(found.get_columns(name), key=lambda column: column["name"])
            ],
            "key": found.get_pk_constraint(name)["constrained_columns"],
            "unique": sorted(str(unique["column_names"]) for unique in found.get_unique_constraints(name)),
            "indexes": sorted(
                (str(index["name"]), str(index["column_names"]), bool(index["unique"]))
                for index in found.get_indexes(name)
            ),
            "foreign": sorted(str(key["constrained_columns"]) for key in found.get_foreign_keys(name)),
        }
        for name in found.get_table_names()
        if not name.endswith("_schema")
    }


@pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.name)
def test_revisions_make_the_tables_that_the_program_uses(tmp_path: Path, schema: Schema) -> None:
    migrated, made = (engine_for(sqlite_url(tmp_path / name)) for name in ("migrated.db", "made.db"))
    prepare(migrated, schema)
    TABLES[schema].create_all(made)
    assert shape(migrated) == shape(made), f"{schema.name}: write a revision (CONTRIBUTING.md)"


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*/*/*.sqlite.sql")), ids=lambda path: path.name)
def test_migrated_database_of_a_release_has_the_tables_of_a_new_one(tmp_path: Path, sample: Path) -> None:
    load_sqlite(sample.read_text(), tmp_path / "old.db")
    old, new = (engine_for(sqlite_url(tmp_path / name)) for name in ("old.db", "new.db"))
    for schema in schemas_of(sample):
        prepare(old, schema)
        prepare(new, schema)
    assert shape(old) == shape(new)


def schemas_of(sample: Path) -> list[Schema]:
    """A cosigner's database holds three."""
    name = sample.name.partition(".")[0]
    names = {"auditor": ("auditor", "witness", "replica")}.get(name, (name,))
    return [schema for schema in SCHEMAS if schema.name in names]


if postgresql.is_installed():

    @pytest.fixture(scope="module")
    def server() -> Iterator[postgresql.PostgreSQL]:
        made = postgresql.PostgreSQL()
        yield made
        made.stop()

    @pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.name)
    def test_revisions_make_the_tables_on_postgresql_too(server: postgresql.PostgreSQL, schema: Schema) -> None:
        engine = empty(server)
        prepare(engine, schema)
        migrated = shape(engine)
        engine = empty(server)
        TABLES[schema].create_all(engine)
        assert migrated == shape(engine), f"{schema.name}: write a revision (CONTRIBUTING.md)"

    @pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*/*/*.postgresql.sql")), ids=lambda path: path.name)
    def test_migrated_release_on_postgresql_has_the_tables_of_a_new_one(
        server: postgresql.PostgreSQL, sample: Path
    ) -> None:
        shapes = []
        for text in (sample.read_text(), None):
            engine = empty(server)
            if text is not None:
                load_postgresql(text, server.url)
            for schema in schemas_of(sample):
                prepare(engine, schema)
            shapes.append(shape(engine))
        assert shapes[0] == shapes[1]

    def empty(server: postgresql.PostgreSQL) -> Engine:
        """An engine on the server's database with nothing in it."""
        engine = engine_for(server.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        return engine


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_revisions_form_one_line_and_are_named_by_their_files(schema: Schema) -> None:
    scripts = [*_scripts(schema.folder).walk_revisions()]
    assert sorted(script.revision for script in scripts) == schema.revisions
    for script, older in zip(scripts, [*scripts[1:], None], strict=True):
        assert script.down_revision == (older.revision if older else None)
        assert Path(script.path).name.startswith(f"{script.revision}_")
        assert not hasattr(script.module, "downgrade"), "a database never goes back"


def test_every_table_of_the_program_has_a_schema() -> None:
    """Nobody makes a table in another way."""
    for path in sorted(ROOT.glob("*/*.py")):
        if path.parent.name in ("tests", "bench", "examples"):
            continue
        text = path.read_text()
        assert "create_all(" not in text, path
        if "CREATE TABLE" in text.upper():
            assert (path.parent.name, path.stem) in OWN_SQL, path


OWN_SQL = {
    ("verifier", "evidence"),
    ("wallet", "vault_file"),
    ("service", "schema"),
    ("consentlog", "reserve"),
}
"""A file for others, the wallet's vault, whose format says its own version, and a ballast that means nothing."""


def test_a_forgotten_revision_is_noticed(tmp_path: Path) -> None:
    engine = engine_for(sqlite_url(tmp_path / "log.db"))
    prepare(engine, consentlog.tables.SCHEMA)
    before = shape(engine)
    engine.dispose()
    for statement in (
        "ALTER TABLE grants ADD COLUMN more INTEGER",
        "CREATE TABLE others (n INTEGER PRIMARY KEY)",
        "CREATE INDEX more ON shares (slot)",
    ):
        with sqlite3.connect(tmp_path / "log.db") as connection:
            connection.execute(statement)
        connection.close()
        engine = engine_for(sqlite_url(tmp_path / "log.db"))
        assert shape(engine) != before
        before = shape(engine)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_quick_tables_of_the_suite_are_those_of_the_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: Schema
) -> None:
    made = []
    for number, is_on in enumerate((False, True, True)):  # by the revisions; those are learnt; and are repeated
        monkeypatch.setattr(quick_tables, "is_on", is_on)
        engine = engine_for(sqlite_url(tmp_path / f"{number}.db"))
        prepare(engine, schema)
        engine.dispose()
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as connection:
            made.append(list(connection.iterdump()))
    assert made[0] == made[1] == made[2]
    assert len(made[0]) > 3
