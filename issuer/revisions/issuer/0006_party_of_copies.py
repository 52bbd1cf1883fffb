"""Copies say who their holder is under their mandate, so that what one phone held can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """What was issued gets the party of its offer, as far as the offer is remembered. What hangs on boards is not
    signed yet; it would come down within the hour.
    """
    op.add_column("copies", sa.Column("party", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE copies SET party = (SELECT offers.party FROM offers WHERE offers.id = copies.offer_id)"
        " WHERE mandate IS NOT NULL"
    )
    op.execute("DELETE FROM cosignatures")
    op.execute("DELETE FROM proposals")
