"""What the tests begin with."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make it."""
    op.create_table("entries", sa.Column("n", sa.BigInteger(), primary_key=True), sa.Column("note", sa.Text()))
