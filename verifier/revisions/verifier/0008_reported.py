"""When a log of processings (LDV) confirmed the record of a READ: what it has not confirmed is sent again."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add it, with an index of what is still to be sent."""
    op.execute("ALTER TABLE reads ADD COLUMN reported INTEGER")
    op.execute(
        "CREATE INDEX reads_unreported ON reads (created, id) WHERE reported IS NULL AND state <> 'pending'"
    )
