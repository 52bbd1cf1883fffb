"""What came of each operator that was asked to release for a READ."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        "CREATE TABLE releases (read TEXT NOT NULL REFERENCES reads (id), operator TEXT NOT NULL,"
        " outcome TEXT NOT NULL, PRIMARY KEY (read, operator)) STRICT"
    )
