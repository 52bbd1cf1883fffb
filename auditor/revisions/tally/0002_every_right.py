"""Requests to see and to correct are counted as those to erase are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What was counted goes: a log that was followed before is counted from its first leaf at the next look."""
    op.drop_table("tally_asked")
    op.create_table(
        "tally_asked",
        sa.Column("slot", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("time", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("slot", "right"),
    )
    for table in ("tally_cells", "tally_running", "tally_state"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
