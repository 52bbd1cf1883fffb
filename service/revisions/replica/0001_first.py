"""The tables of a replica of a log. Before them an auditor had a replay of its own (see auditor 0002)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, empty: the log is followed from its first leaf."""
    op.create_table(
        "replica_grants",
        sa.Column("slot", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("lock", sa.LargeBinary(), nullable=False),
        sa.Column("grant_index", _NUMBER, nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("slot"),
    )
    op.create_table(
        "replica_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", _NUMBER, nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("ends_in_head", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "replica_roots",
        sa.Column("size", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
