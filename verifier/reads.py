"""READs: kept before they are sent, with the one-use reply key that goes when the answer has been opened."""

import sqlite3
from collections.abc import Mapping
from typing import Literal

from protocol.canonical import canonical_bytes
from protocol.consent_api import ReadAnswer
from protocol.errors import Rejected
from protocol.standing import VerifiedReading
from service.trace import current_span
from verifier.batches import RowName, bind_row, pending_read
from verifier.gate import PendingRead
from verifier.grants import StoredGrant
from verifier.seen import keep_checkpoint
from verifier.tables import StoreFile


class Reads:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def add(self, grant: StoredGrant, pending: PendingRead, row: RowName | None = None) -> None:
        """Keep a READ and its reply key before the READ is sent; of a row of a batch, bind it to the row.

        Its place in a trace is kept with it. Raises `Rejected`: `row_over` 409.
        """
        at = current_span()
        with self._file.writing() as db:
            db.execute(
                "INSERT INTO reads (id, lock, slot, tag_key, token, reply_seed, case_salt, officer_salt, created,"
                " trace, parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    pending.read_id, grant.lock, grant.slot, grant.answer.terms.tag_key, pending.token,
                    pending.reply_seed, pending.case_salt, pending.officer_salt, pending.read.iat,
                    at and at.header, at and at.parent,
                ),
            )  # fmt: skip
            if row is not None:
                bind_row(db, row, pending.read_id)

    def pending(self, lock: str) -> list[PendingRead]:
        """READs of a grant without an outcome, the newest first; not those that are a batch's."""
        rows = self._file.rows(
            "SELECT * FROM reads WHERE lock = ? AND state = 'pending'"
            " AND NOT EXISTS (SELECT 1 FROM batch_rows WHERE read = reads.id) ORDER BY created DESC",
            lock,
        )
        return [pending_read(row) for row in rows]

    def used_numbers(self, tag_key: str, *, but: str) -> dict[int, str]:
        """Numbers n of READs under a tag_key, over all versions, with the READ of each; not that of `but`."""
        rows = self._file.rows(
            "SELECT n, id FROM reads WHERE tag_key = ? AND n IS NOT NULL AND id <> ?", tag_key, but
        )
        return {int(row["n"]): str(row["id"]) for row in rows}

    def refuse(self, read_id: str, state: Literal["refused", "void"], code: str) -> None:
        """The log's refusal; the reply key goes."""
        with self._file.writing() as db:
            db.execute(
                "UPDATE reads SET state = ?, code = ?, reply_seed = NULL, took = ?"
                " WHERE id = ? AND state = 'pending'",
                (state, code, _took(), read_id),
            )

    def note_entry(self, pending: PendingRead, released: ReadAnswer) -> None:
        """The verified entry of a READ that operators are about to be asked for: it is spent, whatever they say.

        Raises `Rejected`: `read_number`; `read_ended` when another process gave the READ up meanwhile.
        """
        values = {
            "id": pending.read_id,
            "n": released.n,
            "leaf_index": released.index,
            "opening_key": released.opening_key,
            "proof": released.proof,
        }
        try:
            with self._file.writing() as db:
                changed = db.execute(
                    "UPDATE reads SET n = :n, leaf_index = :leaf_index, opening_key = :opening_key, proof = :proof"
                    " WHERE id = :id AND reply_seed IS NOT NULL AND (state = 'pending' OR state = 'done')"
                    " AND (n IS NULL OR n = :n)",
                    values,
                )
                if changed.rowcount != 1:
                    raise Rejected("read_ended", "this READ was given up, or has another number; read again")
        except sqlite3.IntegrityError as error:
            raise Rejected("read_number", "the log counts a number twice") from error

    def note_releases(self, read_id: str, outcomes: Mapping[str, str]) -> None:
        """What came of each operator for a READ: the last word of each counts."""
        with self._file.writing() as db:
            db.executemany(
                "INSERT INTO releases (read, operator, outcome) VALUES (?, ?, ?)"
                " ON CONFLICT (read, operator) DO UPDATE SET outcome = excluded.outcome",
                [(read_id, operator, outcome) for operator, outcome in outcomes.items()],
            )

    def releases(self) -> list[sqlite3.Row]:
        """Of all READs, what came of each operator."""
        return self._file.rows("SELECT read, operator, outcome FROM releases ORDER BY read, operator")

    def finish(
        self, pending: PendingRead, reading: VerifiedReading, released: ReadAnswer, *, hold: bool = False
    ) -> None:
        """Spend n, keep proofs and checkpoint, forget the reply key: the last write before values are used.

        `hold`: keep the reply key until the row of a batch is over (`Batches.close`).
        The UNIQUE (tag_key, n) is what refuses a number that the log counts twice, also between two processes.
        Raises `Rejected`: `read_number`; `read_ended` when another process gave the READ up meanwhile.
        """
        values = {
            "id": pending.read_id,
            "n": reading.n,
            "leaf_index": reading.index,
            "opening_key": released.opening_key,
            "proof": released.proof,
            "evidence": canonical_bytes(released.evidence).decode(),
            "statuses": canonical_bytes(reading.statuses).decode(),
            "hold": hold,
            "took": _took(),
        }
        try:
            with self._file.writing() as db:
                # Without the state in the WHERE, a value could leave under a READ of which nothing was kept.
                changed = db.execute(
                    "UPDATE reads SET state = 'done', reply_seed = CASE WHEN :hold THEN reply_seed END, n = :n,"
                    " leaf_index = :leaf_index, took = coalesce(took, :took),"
                    " opening_key = :opening_key, proof = :proof, evidence = :evidence, statuses = :statuses"
                    " WHERE id = :id AND (state = 'pending' OR state = 'done' AND n = :n)",
                    values,
                )
                if changed.rowcount != 1:
                    raise Rejected("read_ended", "this READ was given up meanwhile; read again")
                keep_checkpoint(db, reading.standing.checkpoint)
        except sqlite3.IntegrityError as error:
            raise Rejected("read_number", "the log counts a number twice") from error

    def tokens(self, since: int, until: int) -> dict[str, str]:
        """The READs made at `since` <= POSIX seconds < `until`, each by its id."""
        rows = self._file.rows("SELECT id, token FROM reads WHERE created >= ? AND created < ?", since, until)
        return {str(row["id"]): str(row["token"]) for row in rows}

    def ids(self) -> dict[str, int]:
        """When each READ was made, POSIX seconds, by its id."""
        return {str(row["id"]): int(row["created"]) for row in self._file.rows("SELECT id, created FROM reads")}

    def all(self) -> list[sqlite3.Row]:
        """All READs, the oldest first."""
        return self._file.rows("SELECT * FROM reads ORDER BY created, id")


def _took() -> int | None:
    """Milliseconds of the reading at hand."""
    at = current_span()
    return None if at is None else at.milliseconds
