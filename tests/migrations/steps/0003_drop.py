"""A second step of the same upgrade."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """What was copied is not needed twice."""
    op.drop_table("entries")
