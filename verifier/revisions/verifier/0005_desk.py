"""What the desk keeps of its own work: who looked for which case and why, and who helped a resident to decide.

`looks` is the agency's own account of its officers; nothing of it leaves the home. `helped`: two officers, the
second of whom is another one than the first. The indexes are those of lists that are shown page by page, and of
counts: a row of `reads` or `grants` holds many kilobytes, so nothing may walk over the rows themselves.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
_STEPS = """
CREATE TABLE looks (
  n INTEGER PRIMARY KEY, request TEXT NOT NULL REFERENCES requests, at INTEGER NOT NULL, officer TEXT NOT NULL,
  case_number TEXT NOT NULL, reason TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT 'begun', entry INTEGER
) STRICT;
CREATE TABLE helped (
  request TEXT PRIMARY KEY REFERENCES requests, officer TEXT NOT NULL, at INTEGER NOT NULL, second TEXT,
  confirmed INTEGER, CHECK ((second IS NULL) = (confirmed IS NULL)), CHECK (second <> officer)
) STRICT;
CREATE INDEX looks_of_request ON looks (request);
CREATE INDEX requests_by_time ON requests (created);
CREATE INDEX grants_by_time ON grants (received);
CREATE INDEX grants_by_state ON grants (state, not_after, tag_key);
CREATE INDEX looks_by_time ON looks (at, entry);
CREATE INDEX reads_done ON reads (created) WHERE state = 'done';
CREATE INDEX reads_refused ON reads (created, code) WHERE state IN ('refused', 'void')
"""


def upgrade() -> None:
    """Make them."""
    for statement in _STEPS.strip().split(";\n"):
        op.execute(statement)
