"""A counter: people are found by surname and date of birth, and who of the staff did what is kept."""

import json
import unicodedata
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
CHUNK = 500


def upgrade() -> None:
    """Add both, and look up what is known of everybody already."""
    op.add_column("persons", sa.Column("surname", sa.Text(), nullable=True))
    op.add_column("persons", sa.Column("birth", sa.String(length=10), nullable=True))
    _fill(op.get_bind())
    op.create_index("persons_by_name", "persons", ["surname", "birth"], unique=False)
    op.create_table(
        "acts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("document", sa.String(length=32), nullable=True),
        sa.Column("reference", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("acts_by_bsn", "acts", ["bsn"], unique=False)


def _fill(connection: sa.Connection) -> None:
    """As the program of this revision writes them: a migration does not change."""
    persons = sa.table("persons", sa.column("bsn"), sa.column("record"), sa.column("surname"), sa.column("birth"))
    change = persons.update().where(persons.c.bsn == sa.bindparam("of")).values(surname=sa.bindparam("name"))
    change = change.values(birth=sa.bindparam("born"))
    last = ""
    while rows := connection.execute(
        sa.select(persons.c.bsn, persons.c.record).where(persons.c.bsn > last).order_by(persons.c.bsn).limit(CHUNK)
    ).all():
        connection.execute(change, [{"of": row.bsn, **_found_by(json.loads(row.record))} for row in rows])
        last = rows[-1].bsn


def _found_by(record: dict[str, Any]) -> dict[str, str | None]:
    surname = (record.get("naam") or {}).get("geslachtsnaam")
    date = (record.get("geboorte") or {}).get("datum") or {}
    return {"name": surname and _key(surname), "born": _birth(date)}


def _key(surname: str) -> str:
    plain = "".join(char for char in unicodedata.normalize("NFKD", surname) if not unicodedata.combining(char))
    return " ".join(plain.casefold().split())


def _birth(date: dict[str, Any]) -> str | None:
    match date.get("type"):
        case "Datum":
            return str(date["datum"])
        case "JaarMaandDatum":
            return f"{date['jaar']:04}-{date['maand']:02}"
        case "JaarDatum":
            return f"{date['jaar']:04}"
        case "DatumOnbekend":
            return "onbekend"
    return None
