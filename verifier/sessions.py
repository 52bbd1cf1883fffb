"""Which browser began a request: its wallet has to come back there (HAIP 1.0 section 5.1, OpenID4VP 1.0 14.2).

waiting   an address was handed out; whoever opens it first is the session
begun     a browser holds the session's secret
returned  the wallet sent its user back there, with the response code: only now is the answer worth anything
broken    the user came back somewhere else: the answer is thrown away
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.canonical import b64u_encode, sha256
from protocol.errors import Rejected
from verifier.tables import StoreFile

RETURN_SECONDS = 600
"""From the wallet's answer until its user is back: a wallet opens the address at once, a person may be slow."""
SessionState: TypeAlias = Literal["waiting", "begun", "returned", "broken"]


@dataclass(frozen=True)
class StoredSession:
    """`start` and `session` are the SHA-256 of what the browser holds; `session` is None while it waits."""

    request: str
    start: bytes
    session: bytes | None
    state: SessionState


class Sessions:
    """Each method is one transaction. A request without a row here was asked across devices."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def of(self, request_id: str) -> StoredSession | None:
        """The session of a request, if it has to come back."""
        return self._one("request", request_id)

    def find(self, start: str) -> StoredSession:
        """By what stands in the address. Raises `Rejected`: `unknown_start` 404."""
        found = self._one("start", sha256(start.encode("utf-8", "replace")))
        if found is None:
            raise Rejected("unknown_start", "there is no such address", status=404)
        return found

    def _one(self, column: str, value: str | bytes) -> StoredSession | None:
        rows = self._file.rows(
            f"SELECT request, start, session, state FROM sessions WHERE {column} = ?",  # noqa: S608 - our own name
            value,
        )
        return StoredSession(*rows[0]) if rows else None

    def begin(self, request_id: str, session: bytes, now: int) -> None:
        """This browser is the session, with this hash. Raises `Rejected`: `start_used` 410."""
        with self._file.writing() as db:
            # The compare-and-swap of "the first one": without `state = 'waiting'` whoever learns the address later
            # would take over the session, and with it the answer.
            changed = db.execute(
                "UPDATE sessions SET session = ?, state = 'begun', changed = ?"
                " WHERE request = ? AND state = 'waiting'",
                (session, now, request_id),
            )
            if changed.rowcount != 1:
                raise Rejected("start_used", "this address was opened in another browser", status=410)

    def come_back(self, request_id: str, session: bytes, now: int) -> SessionState:
        """The wallet's user arrived with the response code, in a browser whose secret has this hash.

        Another session, or one too late, breaks it and throws the answer away; what is decided stays decided.
        """
        with self._file.writing() as db:
            returned = db.execute(
                "UPDATE sessions SET state = 'returned', changed = ? WHERE request = ? AND state = 'begun'"
                " AND session = ? AND EXISTS (SELECT 1 FROM requests WHERE id = request AND answered > ?)",
                (now, request_id, session, now - RETURN_SECONDS),
            )
            if returned.rowcount != 1:
                broken = db.execute(
                    "UPDATE sessions SET state = 'broken', changed = ?"
                    " WHERE request = ? AND state IN ('waiting', 'begun')",
                    (now, request_id),
                )
                if broken.rowcount == 1:
                    db.execute("DELETE FROM copies WHERE request = ?", (request_id,))
            row = db.execute(
                "SELECT state, session = ? FROM sessions WHERE request = ?", (session, request_id)
            ).fetchone()
        if row[0] == "returned" and not row[1]:
            return "broken"  # for this browser; it takes nothing from the one that was first
        state: SessionState = row[0]
        if state == "broken":
            self._file.clean_journal()
        return state


def hash_of(secret: bytes) -> bytes:
    """What is kept of a secret that a browser holds as base64url: 32 bytes."""
    return sha256(b64u_encode(secret).encode("ascii"))
