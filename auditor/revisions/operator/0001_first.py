"""What an operator holds: pieces of shares, wrapped, and the READs that it released for."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "operator_shares",
        sa.Column("lock", sa.LargeBinary(), nullable=False),
        sa.Column("slot", _NUMBER, nullable=False),
        sa.Column("opening_key", sa.LargeBinary(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", _NUMBER, nullable=False),
        sa.Column("epoch", _NUMBER, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lock"),
    )
    op.create_index("operator_shares_of_epoch", "operator_shares", ["epoch"])
    op.create_index("operator_shares_until", "operator_shares", ["not_after"])
    op.create_table(
        "operator_releases",
        sa.Column("read_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tag_hash", sa.LargeBinary(), nullable=False),
        sa.Column("n", _NUMBER, nullable=False),
        sa.Column("not_after", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("read_hash"),
        sa.UniqueConstraint("tag_hash", "n"),
    )
    op.create_index("operator_releases_until", "operator_releases", ["not_after"])
