"""Grants, each verified before it is stored; versions of one grant share the id of its request."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.canonical import b64u_decode, canonical_bytes, parse_object, parse_struct
from protocol.checkpoint import VerifiedStanding
from protocol.consent import StandingAnswer
from protocol.errors import Rejected
from protocol.presentation import MAX_SEALED_BYTES, RegieSealed
from protocol.standing import VerifiedStandingGrant
from protocol.terms import terms_hash
from verifier.ask import Request
from verifier.requests import close_request, request_of
from verifier.seen import keep_checkpoint
from verifier.tables import StoreFile
from verifier.verdict import Verdict

GrantState: TypeAlias = Literal["active", "revoked", "replaced"]


@dataclass(frozen=True)
class StoredGrant:
    """A grant that was verified before it was stored, with the keys of its request."""

    id: str
    request: Request
    request_hash: bytes
    answer: StandingAnswer
    grant_index: int
    received: int
    state: GrantState

    @property
    def slot(self) -> int:
        """Its number in its log."""
        return self.answer.sealed.slot

    @property
    def log(self) -> str:
        """Origin of the log that guards it: that of its terms, whatever log the agency asks for now."""
        return self.answer.terms.log

    @property
    def lock(self) -> str:
        """What it is known by here: a lock never repeats, in no log."""
        return self.answer.terms.lock


class Grants:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def add(
        self,
        request_id: str,
        grant: VerifiedStandingGrant,
        standing: VerifiedStanding,
        verdict: Verdict,
        *,
        code: str,
        now: int,
    ) -> None:
        """Store a verified grant, end its request and keep verdict and the log's checkpoint, in one transaction.

        Raises `Rejected`: `already_answered`, `grant_known` when its slot, lock or tag_key is another grant's.
        """
        with _unique(), self._file.writing() as db:
            close_request(db, request_id, code, terms_hash(grant.answer.terms), verdict, now)
            _insert_grant(db, request_id, grant, now)
            keep_checkpoint(db, standing.checkpoint)

    def replace(
        self, old: StoredGrant, grant: VerifiedStandingGrant, standing: VerifiedStanding, *, now: int
    ) -> None:
        """A verified refresh takes the place of `old`. Raises `Rejected`: `grant_known`, `already_answered`."""
        with _unique(), self._file.writing() as db:
            # Without the state in the WHERE, two refreshes verified side by side would both stand.
            changed = db.execute(
                "UPDATE grants SET state = 'replaced' WHERE lock = ? AND state <> 'replaced'", (old.lock,)
            )
            if changed.rowcount != 1:
                raise Rejected("already_answered", "this grant has been refreshed")
            _insert_grant(db, old.id, grant, now)
            keep_checkpoint(db, standing.checkpoint)

    def all(self) -> list[StoredGrant]:
        """Current versions, the newest first."""
        rows = self._file.rows(f"{_GRANTS} WHERE grants.state <> 'replaced' ORDER BY received DESC, request")
        return [_stored_grant(row) for row in rows]

    def history(self) -> list[StoredGrant]:
        """All versions, the oldest first."""
        return [_stored_grant(row) for row in self._file.rows(f"{_GRANTS} ORDER BY received, request, version")]

    def get(self, request_id: str) -> StoredGrant:
        """The current version. Raises `Rejected`: `unknown_grant` 404."""
        rows = self._file.rows(f"{_GRANTS} WHERE request = ? AND grants.state <> 'replaced'", request_id)
        if not rows:
            raise Rejected("unknown_grant", "there is no such grant", status=404)
        return _stored_grant(rows[0])

    def first(self, request_id: str) -> StoredGrant:
        """The version that the request was answered with. Raises `Rejected`: `unknown_grant` 404."""
        rows = self._file.rows(f"{_GRANTS} WHERE request = ? ORDER BY version LIMIT 1", request_id)
        if not rows:
            raise Rejected("unknown_grant", "there is no such grant", status=404)
        return _stored_grant(rows[0])

    def end(self, lock: str, now: int) -> None:
        """The log said that the grant is over: we have heard it at `now`, once."""
        with self._file.writing() as db:
            db.execute(
                "UPDATE grants SET state = 'revoked', ended = ? WHERE lock = ? AND state = 'active'", (now, lock)
            )


_GRANTS = (
    "SELECT grants.request AS request, version, slot, lock, request_hash, vp_token, sealed, grant_index, received,"
    " grants.state AS grant_state, requests.* FROM grants JOIN requests ON requests.id = grants.request"
)


@contextmanager
def _unique() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise _known() from error


def _known() -> Rejected:
    return Rejected("grant_known", "slot, lock or tag key belong to another grant")


def _insert_grant(db: sqlite3.Connection, request_id: str, grant: VerifiedStandingGrant, now: int) -> None:
    terms = grant.answer.terms
    others = "SELECT 1 FROM grants WHERE tag_key = ? AND request <> ?"
    if db.execute(others, (terms.tag_key, request_id)).fetchone():
        raise _known()
    db.execute(
        "INSERT INTO grants (request, version, log, slot, lock, tag_key, not_after, request_hash, vp_token,"
        " sealed, grant_index, received) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request_id, terms.version, terms.log, grant.answer.sealed.slot, terms.lock, terms.tag_key,
            terms.not_after, b64u_decode(terms.request_hash), json.dumps(dict(grant.answer.vp_token)),
            canonical_bytes(grant.answer.sealed).decode(), grant.grant_index, now,
        ),
    )  # fmt: skip


def _stored_grant(row: sqlite3.Row) -> StoredGrant:
    sealed = parse_struct(row["sealed"], RegieSealed, max_bytes=MAX_SEALED_BYTES)
    return StoredGrant(
        id=row["request"],
        request=request_of(row),
        request_hash=row["request_hash"],
        answer=StandingAnswer(parse_object(row["vp_token"], max_bytes=MAX_SEALED_BYTES), sealed),
        grant_index=row["grant_index"],
        received=row["received"],
        state=row["grant_state"],
    )
