"""What a follower keeps beside its replica: the leaves, a book of numbers, notes to come back to, alarms."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, empty: the log is followed from its first leaf."""
    op.create_table(
        "follow_bundles",
        sa.Column("n", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )
    op.create_table(
        "follow_book",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "follow_notes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("since", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "follow_alarms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time", _NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("leaf", _NUMBER, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
