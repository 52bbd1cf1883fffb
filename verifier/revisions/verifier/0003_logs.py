"""Grants in several logs: each log counts its slots from 0, so that a grant is found by its lock.

SQLite takes no constraint off a table: the tables are made anew, the ones that refer to others after them. The log
of a grant that is there already stands in its terms.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
_STEPS = """
CREATE TABLE new_grants (
  request TEXT NOT NULL REFERENCES requests, version INTEGER NOT NULL, log TEXT NOT NULL, slot INTEGER NOT NULL,
  lock TEXT NOT NULL UNIQUE, tag_key TEXT NOT NULL, not_after INTEGER NOT NULL, request_hash BLOB NOT NULL,
  vp_token TEXT NOT NULL, sealed TEXT NOT NULL, grant_index INTEGER NOT NULL, received INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'active', PRIMARY KEY (request, version), UNIQUE (tag_key, version),
  UNIQUE (log, slot)
) STRICT;
INSERT INTO new_grants SELECT request, version, json_extract(sealed, '$.terms.log'), slot, lock, tag_key,
  not_after, request_hash, vp_token, sealed, grant_index, received, state FROM grants;
CREATE TABLE new_reads (
  id TEXT PRIMARY KEY, lock TEXT NOT NULL REFERENCES new_grants (lock), slot INTEGER NOT NULL,
  tag_key TEXT NOT NULL, token TEXT NOT NULL, reply_seed BLOB, case_salt BLOB NOT NULL, officer_salt BLOB NOT NULL,
  created INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'pending', code TEXT, n INTEGER, leaf_index INTEGER,
  opening_key TEXT, proof TEXT, evidence TEXT, statuses TEXT, UNIQUE (tag_key, n)
) STRICT;
INSERT INTO new_reads SELECT id, grants.lock, reads.slot, reads.tag_key, token, reply_seed, case_salt,
  officer_salt, created, reads.state, code, n, leaf_index, opening_key, proof, evidence, statuses
  FROM reads JOIN grants ON grants.slot = reads.slot;
CREATE TABLE new_releases (
  read TEXT NOT NULL REFERENCES new_reads (id), operator TEXT NOT NULL, outcome TEXT NOT NULL,
  PRIMARY KEY (read, operator)
) STRICT;
INSERT INTO new_releases SELECT read, operator, outcome FROM releases;
CREATE TABLE new_messages (
  jti TEXT PRIMARY KEY, lock TEXT NOT NULL REFERENCES new_grants (lock), slot INTEGER NOT NULL,
  kind TEXT NOT NULL, token TEXT NOT NULL, received INTEGER NOT NULL
) STRICT;
INSERT INTO new_messages SELECT jti, grants.lock, messages.slot, kind, token, messages.received
  FROM messages JOIN grants ON grants.slot = messages.slot;
DROP TABLE releases;
DROP TABLE messages;
DROP TABLE reads;
DROP TABLE grants;
ALTER TABLE new_grants RENAME TO grants;
ALTER TABLE new_reads RENAME TO reads;
ALTER TABLE new_releases RENAME TO releases;
ALTER TABLE new_messages RENAME TO messages;
CREATE INDEX reads_of_grant ON reads (lock, state)
"""


def upgrade() -> None:
    """Make them anew with all rows."""
    for statement in _STEPS.strip().split(";\n"):
        op.execute(statement)
