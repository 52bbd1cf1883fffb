"""A revision of many statements: a new table, rows that are copied into it, a column, an index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One row a statement, so that there are many moments to die at."""
    op.create_table(
        "copied", sa.Column("n", sa.BigInteger(), primary_key=True), sa.Column("note", sa.Text(), nullable=False)
    )
    op.add_column("copied", sa.Column("size", sa.BigInteger()))
    for first in range(0, 100, 20):
        op.execute(
            "INSERT INTO copied (n, note, size) SELECT n, note, length(note) FROM entries"
            f" WHERE n >= {first} AND n < {first + 20}"
        )
    op.create_index("copied_by_size", "copied", ["size"])
