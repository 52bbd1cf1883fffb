"""Questions to cohorts: those that others ask here with what they cost, and those that this agency asks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, empty."""
    op.create_table(
        "cohort_questions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("version", _NUMBER, nullable=False),
        sa.Column("asker", sa.Text(), nullable=False),
        sa.Column("received", _NUMBER, nullable=False),
        sa.Column("year", _NUMBER, nullable=False),
        sa.Column("epsilon", _NUMBER, nullable=False),
        sa.Column("answered", _NUMBER, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cohort_questions_by_service", "cohort_questions", ["service", "year"])
    op.create_table(
        "cohort_answers",
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("question", "grant_id"),
    )
    op.create_table(
        "cohort_asked",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("made", _NUMBER, nullable=False),
        sa.Column("reply_seed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
