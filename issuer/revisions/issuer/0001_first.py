"""The tables of an issuer as released with 0.1."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "copies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("configuration", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("list", sa.Integer(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("list", "idx"),
        sa.UniqueConstraint("offer_id", "configuration", "position"),
    )
    op.create_index("copies_by_offer", "copies", ["offer_id", "configuration"], unique=False)
    op.create_index("copies_revoked", "copies", ["list", "revoked"], unique=False)
    op.create_table(
        "next_positions",
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("configuration", sa.String(length=32), nullable=False),
        sa.Column("next", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bsn", "configuration"),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=False),
        sa.Column("configuration", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "offers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("configurations", sa.Text(), nullable=False),
        sa.Column("tx_code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("redeemed", sa.Integer(), nullable=False),
        sa.Column("replaces", sa.String(length=32), nullable=True),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "persons",
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("imported", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("bsn"),
    )
    op.create_table(
        "sets",
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.String(length=22), nullable=False),
        sa.PrimaryKeyConstraint("bsn", "position"),
        sa.UniqueConstraint("set_id"),
    )
    op.create_table(
        "spent_nonces",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce"),
    )
    op.create_table(
        "status_lists",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("given_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
