"""A cosigner follows the log by a replica (`service.replica`): the replay that it kept before is of no use to it.

Nothing is carried over: the replica replays the log from its first leaf, as a new cosigner does. Kept revocations
and verified trees stay.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Drop the old replay."""
    op.drop_table("grants")
    op.drop_table("replay")
