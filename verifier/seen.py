"""What this agency has seen of others: checkpoints, contradictions, status lists, messages of residents."""

import sqlite3
from dataclasses import dataclass

from protocol.checkpoint import VerifiedCheckpoint
from protocol.reading import ResidentMessage
from protocol.rights import RIGHTS, Right
from verifier.tables import StoreFile


@dataclass(frozen=True)
class KeptNote:
    """The largest checkpoint that this agency has verified."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True)
class Asked:
    """What a resident asks of their rights, by `jti`; `lock` and `slot` of the version that it is about.

    `acknowledged`, `answered`: when that was entered into the log; `answer`: what we signed, done or refused.
    `token`: the request as it was signed.
    """

    right: Right
    jti: str
    request: str
    lock: str
    slot: int
    received: int
    token: str
    acknowledged: int | None
    answered: int | None
    answer: str | None


def _asked_sql(right: Right) -> str:
    """Only constants of the protocol go into it."""
    kinds = RIGHTS[right]
    said = (
        f"FROM messages AS said WHERE said.lock = asked.lock AND said.kind IN ('{kinds.done}', '{kinds.refused}')"
        " AND said.received >= asked.received"
    )
    return f"""
SELECT '{right}', asked.jti, grants.request, asked.lock, asked.slot, asked.received, asked.token,
  (SELECT min(received) FROM messages AS heard WHERE heard.lock = asked.lock
    AND heard.kind = '{kinds.acknowledged}' AND heard.received >= asked.received),
  (SELECT min(received) {said}), (SELECT token {said} ORDER BY said.received LIMIT 1)
FROM messages AS asked JOIN grants ON grants.lock = asked.lock WHERE asked.kind = '{kinds.asked}'
"""  # noqa: S608 - our own words


_ASKED = " UNION ALL ".join(map(_asked_sql, RIGHTS))
"""An answer is one to all that was asked of one right about this version until then."""


class Seen:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def add_message(self, message: ResidentMessage, token: str, now: int) -> bool:
        """Keep a message about a grant; False when it is known already."""
        with self._file.writing() as db:
            added = db.execute(
                "INSERT INTO messages (jti, lock, slot, kind, token, received) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (jti) DO NOTHING",
                (message.jti, message.lock, message.slot, message.kind, token, now),
            )
            return added.rowcount == 1

    def messages(self) -> list[sqlite3.Row]:
        """All messages, the oldest first."""
        return self._file.rows("SELECT * FROM messages ORDER BY received, jti")

    def asked(self) -> list[Asked]:
        """All that residents asked of their rights, the oldest first."""
        rows = self._file.rows(f"SELECT * FROM ({_ASKED}) ORDER BY received, jti")  # noqa: S608 - our own words
        return [Asked(*row) for row in rows]

    def asked_by(self, jti: str) -> Asked | None:
        """One of them."""
        rows = self._file.rows(f"SELECT * FROM ({_ASKED}) WHERE jti = ?", jti)  # noqa: S608 - our own words
        return Asked(*rows[0]) if rows else None

    def answer(self, message: ResidentMessage, token: str, now: int, *, erased: str | None) -> None:
        """Our answer, after the log has it; of the request `erased` nothing waits to be handed over any more."""
        with self._file.writing() as db:
            db.execute(
                "INSERT INTO messages (jti, lock, slot, kind, token, received) VALUES (?, ?, ?, ?, ?, ?)",
                (message.jti, message.lock, message.slot, message.kind, token, now),
            )
            if erased is not None:
                db.execute("DELETE FROM copies WHERE request = ?", (erased,))
        if erased is not None:
            self._file.clean_journal()

    def checkpoints(self) -> list[sqlite3.Row]:
        """The largest verified checkpoint of each log: origin, size, note."""
        return self._file.rows("SELECT origin, size, note FROM checkpoints ORDER BY origin")

    def kept_checkpoint(self, origin: str) -> KeptNote | None:
        """What the log's next checkpoint must be consistent with."""
        rows = self._file.rows("SELECT size, root, note FROM checkpoints WHERE origin = ?", origin)
        return KeptNote(rows[0]["size"], rows[0]["root"], rows[0]["note"]) if rows else None

    def keep_checkpoint(self, checkpoint: VerifiedCheckpoint) -> None:
        """A verified checkpoint, unless a larger one is kept."""
        with self._file.writing() as db:
            keep_checkpoint(db, checkpoint)

    def add_contradiction(self, origin: str, kept: str, seen: str, now: int) -> None:
        """Two notes that one honest log cannot have signed: evidence for the auditor."""
        with self._file.writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO contradictions (origin, kept, seen, found) VALUES (?, ?, ?, ?)",
                (origin, kept, seen, now),
            )

    def contradictions(self) -> list[sqlite3.Row]:
        """All of them, the oldest first."""
        return self._file.rows("SELECT * FROM contradictions ORDER BY found")

    def status_list(self, uri: str) -> sqlite3.Row | None:
        """The last status list token of an address: token, iat, fetched."""
        rows = self._file.rows("SELECT token, iat, fetched FROM status_lists WHERE uri = ?", uri)
        return rows[0] if rows else None

    def keep_status_list(self, uri: str, token: str, iat: int, fetched: int) -> None:
        """Over an older one only: `iat` never goes back."""
        with self._file.writing() as db:
            db.execute(
                "INSERT INTO status_lists (uri, token, iat, fetched) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (uri) DO UPDATE"
                " SET token = excluded.token, iat = excluded.iat, fetched = excluded.fetched"
                " WHERE excluded.iat >= status_lists.iat",
                (uri, token, iat, fetched),
            )


def keep_checkpoint(db: sqlite3.Connection, checkpoint: VerifiedCheckpoint) -> None:
    # Never back to a smaller tree: another process may have verified a larger one meanwhile.
    db.execute(
        "INSERT INTO checkpoints (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE"
        " SET size = excluded.size, root = excluded.root, note = excluded.note"
        " WHERE excluded.size > checkpoints.size",
        (checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.note),
    )
