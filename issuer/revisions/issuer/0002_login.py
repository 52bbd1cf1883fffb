"""Authorization by login, refresh tokens, DPoP-bound tokens, and people whose record a clerk looks at first."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Add them."""
    op.add_column("offers", sa.Column("loa", sa.String(length=16), nullable=True))
    op.add_column("offers", sa.Column("renewal_id", sa.String(length=32), nullable=True))
    op.create_index("offers_by_renewal", "offers", ["renewal_id"], unique=False)
    op.add_column("tokens", sa.Column("dpop_jkt", sa.String(length=43), nullable=True))
    op.add_column("tokens", sa.Column("renewal_id", sa.String(length=32), nullable=True))
    op.add_column("tokens", sa.Column("with_details", sa.Integer(), nullable=True))
    op.create_index("tokens_by_renewal", "tokens", ["renewal_id"], unique=False)
    op.create_table(
        "authorizations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_jkt", sa.String(length=43), nullable=False),
        sa.Column("dpop_jkt", sa.String(length=43), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.String(length=43), nullable=False),
        sa.Column("configurations", sa.Text(), nullable=False),
        sa.Column("with_details", sa.Integer(), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=True),
        sa.Column("loa", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "renewals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("configurations", sa.Text(), nullable=False),
        sa.Column("loa", sa.String(length=16), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("client_jkt", sa.String(length=43), nullable=True),
        sa.Column("dpop_jkt", sa.String(length=43), nullable=False),
        sa.Column("with_details", sa.Integer(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("refreshes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "holds",
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bsn"),
    )
    op.create_table(
        "deferred",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("offer_id", sa.String(length=32), nullable=False),
        sa.Column("bsn", sa.String(length=9), nullable=False),
        sa.Column("configuration", sa.String(length=32), nullable=False),
        sa.Column("again", sa.String(length=32), nullable=True),
        sa.Column("holders", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deferred_by_offer", "deferred", ["offer_id"], unique=False)
