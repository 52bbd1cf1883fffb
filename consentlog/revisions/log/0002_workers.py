"""Several workers on one log: where the store ends, and who publishes.

Both begin empty: the first process that starts writes where the store ends, and takes the turn to publish.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "tail",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "published",
        sa.Column("id", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("moves", _NUMBER, nullable=False),
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("is_ready", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
