"""The sealed account of who read: entries chained by their heads, never changed and never deleted."""

from alembic import op

revision = "0001"
down_revision: str | None = None
_TABLES = """
CREATE TABLE entries (
  n INTEGER PRIMARY KEY CHECK (n >= 1), kind TEXT NOT NULL, at INTEGER NOT NULL, act TEXT, body BLOB NOT NULL,
  head BLOB NOT NULL UNIQUE
) STRICT;
CREATE INDEX entries_of_act ON entries (act);
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_remain BEFORE DELETE ON entries BEGIN SELECT raise(ABORT, 'entries are never deleted'); END;
"""


def upgrade() -> None:
    """Make them."""
    for statement in _TABLES.strip().split(";\nCREATE "):
        op.execute(statement if statement.startswith("CREATE ") else f"CREATE {statement}")
