"""What a follower counts for the console, beside its book in `follow.db`, and when it looked."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, empty: a log that was followed before is counted from its first leaf at the next look."""
    op.create_table(
        "tally_cells",
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("n", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("family", "agency", "period", "name"),
    )
    op.create_table(
        "tally_running",
        sa.Column("slot", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("given", _NUMBER, nullable=False),
        sa.Column("until", _NUMBER, nullable=False),
        sa.Column("last_read", _NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("slot"),
    )
    op.create_table(
        "tally_asked",
        sa.Column("slot", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("time", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("slot"),
    )
    op.create_table(
        "tally_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counted_to", _NUMBER, nullable=False),
        sa.Column("clock", _NUMBER, nullable=False),
        sa.Column("saves", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tally_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("since", _NUMBER, nullable=False),
        sa.Column("until", _NUMBER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("checked", _NUMBER, nullable=False),
        sa.Column("remarks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
