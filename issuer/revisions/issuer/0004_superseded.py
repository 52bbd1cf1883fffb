"""Copies whose data have changed in the register since: their status says that a newer one exists."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Nothing is superseded yet: what changed before cannot be told."""
    op.add_column("copies", sa.Column("superseded", sa.BigInteger(), nullable=True))
    op.create_index("copies_superseded", "copies", ["list", "superseded"], unique=False)
    op.create_index("copies_by_bsn", "copies", ["bsn"], unique=False)
