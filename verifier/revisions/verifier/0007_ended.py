"""When this agency heard that a grant was over: the figures of a month count stops by it.

NULL for what ended before, and for what goes on: of an older stop nobody knows when it was heard of.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add it."""
    op.execute("ALTER TABLE grants ADD COLUMN ended INTEGER")
