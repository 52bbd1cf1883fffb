"""The verdicts on answers, as they are kept: the one that ended a request, and the last refusals before it."""

import sqlite3
from dataclasses import dataclass

from protocol.canonical import canonical_bytes, parse_struct
from verifier.tables import StoreFile
from verifier.verdict import Verdict

MAX_KEPT = 8
"""Of one request: whoever knows its address can send answers, and more of them would fill the disk."""
MAX_VERDICT_BYTES = 256 * 1024


@dataclass(frozen=True)
class StoredVerdict:
    """`at`: when the answer came, POSIX seconds."""

    at: int
    verdict: Verdict


class Verdicts:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def refuse(self, request_id: str, verdict: Verdict, now: int) -> None:
        """Of an answer to a request that is still open: later ones could push out the one that ended it."""
        with self._file.writing() as db:
            row = db.execute("SELECT 1 FROM requests WHERE id = ? AND state = 'open'", (request_id,)).fetchone()
            if row is not None:
                keep_verdict(db, request_id, verdict, now)

    def of(self, request_id: str) -> list[StoredVerdict]:
        """All that are kept, the oldest first."""
        rows = self._file.rows("SELECT at, verdict FROM verdicts WHERE request = ? ORDER BY n", request_id)
        return [
            StoredVerdict(row["at"], parse_struct(row["verdict"], Verdict, max_bytes=MAX_VERDICT_BYTES))
            for row in rows
        ]


def keep_verdict(db: sqlite3.Connection, request_id: str, verdict: Verdict, now: int) -> None:
    """The newest one, in the transaction of what it is about; what is older than `MAX_KEPT` goes."""
    row = db.execute("SELECT max(n) FROM verdicts WHERE request = ?", (request_id,)).fetchone()
    n = 0 if row[0] is None else row[0] + 1
    db.execute(
        "INSERT INTO verdicts (request, n, at, verdict) VALUES (?, ?, ?, ?)",
        (request_id, n, now, canonical_bytes(verdict).decode()),
    )
    db.execute("DELETE FROM verdicts WHERE request = ? AND n <= ?", (request_id, n - MAX_KEPT))
