"""The browser session that began a request, and what was found out about each answer.

`start` and `session` are SHA-256 of what the browser holds. Of the verdicts on one request the last few are kept.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
_STEPS = """
CREATE TABLE sessions (
  request TEXT PRIMARY KEY REFERENCES requests, start BLOB NOT NULL UNIQUE, session BLOB,
  state TEXT NOT NULL DEFAULT 'waiting', changed INTEGER NOT NULL
) STRICT;
CREATE TABLE verdicts (
  request TEXT NOT NULL REFERENCES requests, n INTEGER NOT NULL, at INTEGER NOT NULL, verdict TEXT NOT NULL,
  PRIMARY KEY (request, n)
) STRICT
"""


def upgrade() -> None:
    """Make them."""
    for statement in _STEPS.strip().split(";\n"):
        op.execute(statement)
