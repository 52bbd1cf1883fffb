"""The latest checkpoint itself, for monitors; rows of before have none until the next one is cosigned."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("witness_states", sa.Column("note", sa.Text()))
