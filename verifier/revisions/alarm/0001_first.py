"""What the alarm bell sees, all under marks of the agency, and what it rang for."""

from alembic import op

revision = "0001"
down_revision: str | None = None
_TABLES = (
    """
    CREATE TABLE facts (
      id TEXT PRIMARY KEY, at INTEGER NOT NULL, officer TEXT NOT NULL, resident TEXT NOT NULL,
      case_mark TEXT NOT NULL, service TEXT NOT NULL, by_hand INTEGER NOT NULL, zone TEXT NOT NULL,
      homes TEXT NOT NULL, persons TEXT NOT NULL, entry INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX facts_at ON facts (at)",
    """
    CREATE TABLE cases (
      mark TEXT PRIMARY KEY, opened INTEGER NOT NULL, closed INTEGER, acts TEXT NOT NULL
    ) STRICT
    """,
    "CREATE TABLE officers (mark TEXT PRIMARY KEY, homes TEXT NOT NULL, relatives TEXT NOT NULL) STRICT",
    "CREATE TABLE loaded (kind TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT",
    """
    CREATE TABLE alerts (
      id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, rule TEXT NOT NULL, officer TEXT, reads TEXT NOT NULL,
      since INTEGER NOT NULL, until INTEGER NOT NULL, numbers TEXT NOT NULL, rang INTEGER NOT NULL,
      looked INTEGER, looked_by TEXT, outcome TEXT, note TEXT, looked_reads INTEGER
    ) STRICT
    """,
)


def upgrade() -> None:
    """Make them, empty."""
    for statement in _TABLES:
        op.execute(statement)
