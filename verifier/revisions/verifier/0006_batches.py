"""Batches of an agency's automation, and of each READ in which trace it was made and how long it took.

`batch_rows.read` binds a row to its READ in the transaction that keeps the READ, so that a row which was cut off
goes on with that READ and never makes a second entry. `input` is a hash; no case number stands here. `trace`: the
READ's own place as a `traceparent`; `parent`: the span that called, if one did; `took`: milliseconds.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
_STEPS = """
CREATE TABLE batches (
  id TEXT PRIMARY KEY, input BLOB NOT NULL, size INTEGER NOT NULL, begun INTEGER NOT NULL, finished INTEGER
) STRICT;
CREATE UNIQUE INDEX batches_under_way ON batches (input) WHERE finished IS NULL;
CREATE TABLE batch_rows (
  batch TEXT NOT NULL REFERENCES batches, n INTEGER NOT NULL, read TEXT UNIQUE REFERENCES reads, outcome TEXT,
  PRIMARY KEY (batch, n)
) STRICT;
ALTER TABLE reads ADD COLUMN trace TEXT;
ALTER TABLE reads ADD COLUMN parent TEXT;
ALTER TABLE reads ADD COLUMN took INTEGER
"""


def upgrade() -> None:
    """Make them."""
    for statement in _STEPS.strip().split(";\n"):
        op.execute(statement)
