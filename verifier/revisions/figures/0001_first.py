"""Figures of months: our own, each released once, and those of others that were taken in."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, empty."""
    op.create_table(
        "figures_released",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("made", _NUMBER, nullable=False),
        sa.Column("epsilon", _NUMBER, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("month"),
    )
    op.create_table(
        "figures_taken",
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "month"),
    )
