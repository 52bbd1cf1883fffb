"""The tables of an agency as released with 0.1."""

from alembic import op

revision = "0001"
down_revision: str | None = None
_TABLES = """
CREATE TABLE requests (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, service TEXT NOT NULL, service_version INTEGER NOT NULL,
  payload TEXT NOT NULL, answer_key BLOB, kem_seed BLOB, case_salt BLOB, created INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'open', answered INTEGER, response_code TEXT, binding BLOB, error TEXT
) STRICT;
CREATE TABLE request_objects (
  request TEXT NOT NULL REFERENCES requests, hash BLOB NOT NULL, token TEXT NOT NULL, wallet_nonce TEXT,
  PRIMARY KEY (request, hash)
) STRICT;
CREATE TABLE copies (
  request TEXT PRIMARY KEY REFERENCES requests, sealed BLOB NOT NULL, received INTEGER NOT NULL
) STRICT;
CREATE TABLE grants (
  request TEXT NOT NULL REFERENCES requests, version INTEGER NOT NULL, slot INTEGER NOT NULL UNIQUE,
  lock TEXT NOT NULL UNIQUE, tag_key TEXT NOT NULL, not_after INTEGER NOT NULL, request_hash BLOB NOT NULL,
  vp_token TEXT NOT NULL, sealed TEXT NOT NULL, grant_index INTEGER NOT NULL, received INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'active', PRIMARY KEY (request, version), UNIQUE (tag_key, version)
) STRICT;
CREATE TABLE reads (
  id TEXT PRIMARY KEY, slot INTEGER NOT NULL REFERENCES grants (slot), tag_key TEXT NOT NULL, token TEXT NOT NULL,
  reply_seed BLOB, case_salt BLOB NOT NULL, officer_salt BLOB NOT NULL, created INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending', code TEXT, n INTEGER, leaf_index INTEGER, opening_key TEXT, proof TEXT,
  evidence TEXT, statuses TEXT, UNIQUE (tag_key, n)
) STRICT;
CREATE TABLE messages (
  jti TEXT PRIMARY KEY, slot INTEGER NOT NULL REFERENCES grants (slot), kind TEXT NOT NULL, token TEXT NOT NULL,
  received INTEGER NOT NULL
) STRICT;
CREATE TABLE checkpoints (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE contradictions (
  origin TEXT NOT NULL, kept TEXT NOT NULL, seen TEXT NOT NULL, found INTEGER NOT NULL, PRIMARY KEY (kept, seen)
) STRICT;
CREATE TABLE status_lists (
  uri TEXT PRIMARY KEY, token TEXT NOT NULL, iat INTEGER NOT NULL, fetched INTEGER NOT NULL
) STRICT;
CREATE INDEX reads_of_grant ON reads (slot, state);
"""


def upgrade() -> None:
    """Make them."""
    for statement in _TABLES.strip().split(";\n"):
        op.execute(statement)
