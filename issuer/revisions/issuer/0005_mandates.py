"""Mandates: who may act for whom, what was issued under one, and the board on which several agree."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Nobody acts for anybody yet: everything that was issued is its holder's own."""
    for table in ("offers", "renewals"):
        op.add_column(table, sa.Column("mandate", sa.String(length=22), nullable=True))
        op.add_column(table, sa.Column("party", sa.Integer(), nullable=True))
    op.add_column("copies", sa.Column("mandate", sa.String(length=22), nullable=True))
    op.create_index("copies_by_mandate", "copies", ["mandate"], unique=False)
    _mandates()
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _board()


def _mandates() -> None:
    op.create_table(
        "mandates",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("signers", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=True),
        sa.Column("services", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("officer", sa.Text(), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("mandates_by_bsn", "mandates", ["bsn"], unique=False)
    op.create_table(
        "mandate_parties",
        sa.Column("mandate", sa.String(length=22), nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.PrimaryKeyConstraint("mandate", "party"),
    )
    op.create_index("mandate_parties_by_bsn", "mandate_parties", ["bsn"], unique=False)


def _board() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "proposals",
        sa.Column("number", number, nullable=False),
        sa.Column("mandate", sa.String(length=22), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("proposals_by_mandate", "proposals", ["mandate"], unique=False)
    op.create_table(
        "cosignatures",
        sa.Column("id", number, nullable=False),
        sa.Column("proposal", sa.BigInteger(), nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("cosigned", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cosignatures_by_proposal", "cosignatures", ["proposal"], unique=False)
