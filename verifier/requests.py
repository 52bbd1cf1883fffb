"""Requests, their signed objects, and the copies that were shared once."""

import sqlite3
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.canonical import canonical_bytes, parse_object
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.seal import KemPrivate
from verifier.ask import REQUEST_SECONDS, Kind, Request
from verifier.sessions import RETURN_SECONDS
from verifier.tables import StoreFile
from verifier.verdict import Verdict
from verifier.verdicts import keep_verdict

MAX_OBJECTS = 32
"""Signed request objects of one request: each wallet_nonce makes a new one."""
COPY_SECONDS = 7 * 86_400
"""How long a copy waits, sealed, to be handed over."""
RequestState: TypeAlias = Literal["open", "answered", "declined"]


@dataclass(frozen=True)
class StoredRequest:
    """A request with what has become of it. `response_code` belongs to the session that started it."""

    request: Request
    state: RequestState
    response_code: str | None
    binding: bytes | None
    error: str | None


class Requests:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def add(self, request: Request, *, start: bytes | None = None) -> None:
        """A new request, before anybody hears of it; `start`: hash of the address that a browser opens first.

        What is overdue goes, as with each copy that comes or is taken.
        """
        if request.answer_key is None:
            raise ValueError("a new request has a key for its answer")
        with self._file.writing() as db:
            db.execute(
                "INSERT INTO requests (id, kind, service, service_version, payload, answer_key, kem_seed,"
                " case_salt, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.id, request.kind, request.service, request.service_version,
                    canonical_bytes(request.payload).decode(), request.answer_key.to_pem(),
                    request.kem.seed if request.kem else None, request.case_salt, request.created,
                ),
            )  # fmt: skip
            if start is not None:
                db.execute(
                    "INSERT INTO sessions (request, start, changed) VALUES (?, ?, ?)",
                    (request.id, start, request.created),
                )
            _forget_overdue(db, request.created)

    def get(self, request_id: str) -> StoredRequest:
        """Raises `Rejected`: `unknown_request` 404."""
        rows = self._file.rows("SELECT * FROM requests WHERE id = ?", request_id)
        if not rows:
            raise Rejected("unknown_request", "there is no such request", status=404)
        return _stored_request(rows[0])

    def all(self) -> list[StoredRequest]:
        """All, the newest first."""
        return [
            _stored_request(row) for row in self._file.rows("SELECT * FROM requests ORDER BY created DESC, id")
        ]

    def add_object(self, request_id: str, digest: bytes, token: str, wallet_nonce: str | None) -> str:
        """Keep a signed request object before it is sent; the same wallet_nonce gets the first one again.

        Answers carry the object's hash, so only what stands here can be answered.
        Raises `Rejected`: `too_many_fetches` 429.
        """
        with self._file.writing() as db:
            rows = db.execute(
                "SELECT token, wallet_nonce FROM request_objects WHERE request = ?", (request_id,)
            ).fetchall()
            for row in rows:
                if row["wallet_nonce"] == wallet_nonce:
                    return str(row["token"])
            if len(rows) >= MAX_OBJECTS:
                raise Rejected("too_many_fetches", "this request was fetched too often", status=429)
            db.execute(
                "INSERT INTO request_objects (request, hash, token, wallet_nonce) VALUES (?, ?, ?, ?)",
                (request_id, digest, token, wallet_nonce),
            )
        return token

    def objects(self, request_id: str) -> set[bytes]:
        """Hashes of the signed objects of a request."""
        return {
            row["hash"]
            for row in self._file.rows("SELECT hash FROM request_objects WHERE request = ?", request_id)
        }

    def object_token(self, request_id: str, digest: bytes) -> str:
        """The signed object with this hash, which an answer named."""
        rows = self._file.rows(
            "SELECT token FROM request_objects WHERE request = ? AND hash = ?", request_id, digest
        )
        return str(rows[0]["token"])

    def decline(self, request_id: str, error: str, verdict: Verdict, now: int) -> bool:
        """The wallet said no; whether the request was still open."""
        with self._file.writing() as db:
            changed = db.execute(
                "UPDATE requests SET state = 'declined', error = ?, answered = ?, answer_key = NULL,"
                " kem_seed = NULL WHERE id = ? AND state = 'open'",
                (error, now, request_id),
            )
            if changed.rowcount == 1:
                keep_verdict(db, request_id, verdict, now)
            return changed.rowcount == 1

    def answer_with_copy(self, request_id: str, sealed: bytes, verdict: Verdict, *, code: str, now: int) -> None:
        """Store a copy, sealed under the home's key, and end the request. Raises: `already_answered`."""
        with self._file.writing() as db:
            close_request(db, request_id, code, None, verdict, now)
            _forget_overdue(db, now)
            db.execute("UPDATE requests SET answer_key = NULL WHERE id = ?", (request_id,))
            db.execute(
                "INSERT INTO copies (request, sealed, received) VALUES (?, ?, ?)", (request_id, sealed, now)
            )

    def take_copy(self, request_id: str, now: int) -> bytes:
        """The sealed copy, once: it is gone when this returns, as is one that is overdue, whoever asks.

        Raises `Rejected`: `no_copy` 410.
        """
        with self._file.writing() as db:
            _forget_overdue(db, now)
            row = db.execute("SELECT sealed FROM copies WHERE request = ?", (request_id,)).fetchone()
            db.execute("DELETE FROM copies WHERE request = ?", (request_id,))
        self._file.clean_journal()
        if row is None:
            raise Rejected("no_copy", "nothing was shared, or it has been handed over or is overdue", status=410)
        return bytes(row["sealed"])


def _forget_overdue(db: sqlite3.Connection, now: int) -> None:
    """Dead keys, copies that nobody fetched, and those that no session took back."""
    ended = (now - REQUEST_SECONDS,)
    db.execute("UPDATE requests SET answer_key = NULL WHERE created < ?", ended)
    db.execute("UPDATE requests SET kem_seed = NULL WHERE created < ? AND state = 'open'", ended)
    db.execute("DELETE FROM copies WHERE received < ?", (now - COPY_SECONDS,))
    db.execute(
        "DELETE FROM copies WHERE received < ? AND request IN"
        " (SELECT request FROM sessions WHERE state != 'returned')",
        (now - RETURN_SECONDS,),
    )


def close_request(
    db: sqlite3.Connection, request_id: str, code: str, binding: bytes | None, verdict: Verdict, now: int
) -> None:
    """Mark a request answered, and keep why. Raises `Rejected`: `already_answered`."""
    # The compare-and-swap of "one response per request": without `state = 'open'` in the WHERE, two answers that
    # were verified side by side would both be stored.
    changed = db.execute(
        "UPDATE requests SET state = 'answered', response_code = ?, binding = ?, answered = ?"
        " WHERE id = ? AND state = 'open'",
        (code, binding, now, request_id),
    )
    if changed.rowcount != 1:
        raise Rejected("already_answered", "this request has been answered")
    keep_verdict(db, request_id, verdict, now)


def request_of(row: sqlite3.Row) -> Request:
    """The request in a row of `requests`."""
    key = Es256Private.from_pem(row["answer_key"]) if row["answer_key"] else None
    kind: Kind = "copy" if row["kind"] == "copy" else "standing"
    return Request(
        id=row["id"],
        kind=kind,
        service=row["service"],
        service_version=row["service_version"],
        payload=parse_object(row["payload"]),
        answer_key=key,
        kem=KemPrivate(row["kem_seed"]) if row["kem_seed"] else None,
        case_salt=row["case_salt"],
        created=row["created"],
    )


def _stored_request(row: sqlite3.Row) -> StoredRequest:
    return StoredRequest(request_of(row), row["state"], row["response_code"], row["binding"], row["error"])
