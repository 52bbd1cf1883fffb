"""Who looked into which agreement and why. Rows are added and never changed: the database itself refuses that."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make it, empty."""
    op.create_table(
        "case_looks",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time", _NUMBER, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("slot", _NUMBER, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER case_looks_no_{event.lower()} BEFORE {event} ON case_looks"
                " BEGIN SELECT RAISE(ABORT, 'looks are only added'); END"
            )
