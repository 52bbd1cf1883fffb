"""Batches: which rows are over, and which READ a row that was cut off goes on with.

Of a row there are its number, its READ and its outcome; what it asks stands in the caller's own file, and values
stand nowhere. The one-use reply key of a row's READ stays until the values were handed over: with it the log gives
the same entry again, after a kill too, and never a second one.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from protocol.errors import Rejected
from protocol.reading import parse_read
from verifier.gate import PendingRead
from verifier.tables import StoreFile

HANDED_OVER = "done"
"""Outcome of a row whose values the caller has; any other one is the code of a refusal."""


@dataclass(frozen=True)
class RowName:
    """Row `n` of a batch, from 0."""

    batch: str
    n: int


@dataclass(frozen=True)
class StoredBatch:
    """`begun`, `finished`: POSIX seconds; `done` and `refused` count rows that are over."""

    id: str
    size: int
    begun: int
    finished: int | None
    done: int
    refused: int

    @property
    def left(self) -> int:
        """Rows that are not over."""
        return self.size - self.done - self.refused


class Batches:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def begin(self, batch: str, input_hash: bytes, size: int, now: int) -> None:
        """A new batch. Raises `Rejected`: `batch_under_way` 409 when one of the same input is not finished."""
        try:
            with self._file.writing() as db:
                db.execute(
                    "INSERT INTO batches (id, input, size, begun) VALUES (?, ?, ?, ?)",
                    (batch, input_hash, size, now),
                )
        except sqlite3.IntegrityError as error:
            raise Rejected("batch_under_way", "a batch of this input was begun: resume it", status=409) from error

    def under_way(self, input_hash: bytes) -> str | None:
        """The batch of this input that is not finished."""
        rows = self._file.rows("SELECT id FROM batches WHERE input = ? AND finished IS NULL", input_hash)
        return str(rows[0]["id"]) if rows else None

    def over(self, batch: str) -> set[int]:
        """Numbers of the rows that have an outcome."""
        rows = self._file.rows("SELECT n FROM batch_rows WHERE batch = ? AND outcome IS NOT NULL", batch)
        return {int(row["n"]) for row in rows}

    def pending(self, row: RowName) -> PendingRead | None:
        """The READ of a row that is not over: under way, or done with values that nobody got."""
        rows = self._file.rows(
            "SELECT reads.* FROM batch_rows JOIN reads ON reads.id = batch_rows.read WHERE batch = ?"
            " AND batch_rows.n = ? AND outcome IS NULL AND reply_seed IS NOT NULL",
            row.batch,
            row.n,
        )
        return pending_read(rows[0]) if rows else None

    def close(self, batch: str, outcomes: Iterable[tuple[int, str]]) -> None:
        """What became of some rows (`HANDED_OVER` or a code); the reply keys of their READs go."""
        with self._file.writing() as db:
            for n, outcome in outcomes:
                db.execute(
                    "INSERT INTO batch_rows (batch, n, outcome) VALUES (?, ?, ?)"
                    " ON CONFLICT (batch, n) DO UPDATE SET outcome = excluded.outcome WHERE outcome IS NULL",
                    (batch, n, outcome),
                )
                # A READ that is still under way may be in the log: it is given up, not forgotten.
                db.execute(
                    "UPDATE reads SET reply_seed = NULL,"
                    " code = CASE state WHEN 'pending' THEN ? ELSE code END,"
                    " state = CASE state WHEN 'pending' THEN 'void' ELSE state END"
                    " WHERE id = (SELECT read FROM batch_rows WHERE batch = ? AND n = ?)"
                    " AND reply_seed IS NOT NULL",
                    (outcome, batch, n),
                )

    def finish(self, batch: str, now: int) -> None:
        """Every row is over."""
        with self._file.writing() as db:
            db.execute("UPDATE batches SET finished = ? WHERE id = ? AND finished IS NULL", (now, batch))

    def all(self) -> list[StoredBatch]:
        """The newest first."""
        return [StoredBatch(*row) for row in self._file.rows(f"{_BATCHES} ORDER BY begun DESC, id")]

    def get(self, batch: str) -> StoredBatch:
        """Raises `Rejected`: `unknown_batch` 404."""
        rows = self._file.rows(f"{_BATCHES} WHERE id = ?", batch)
        if not rows:
            raise Rejected("unknown_batch", "there is no such batch", status=404)
        return StoredBatch(*rows[0])


_BATCHES = (
    "SELECT id, size, begun, finished,"
    " (SELECT count(*) FROM batch_rows WHERE batch = id AND outcome = 'done'),"
    " (SELECT count(*) FROM batch_rows WHERE batch = id AND outcome <> 'done') FROM batches"
)


def bind_row(db: sqlite3.Connection, row: RowName, read_id: str) -> None:
    """Name the READ of a row, in the transaction that keeps the READ. Raises `Rejected`: `row_over` 409."""
    changed = db.execute(
        "INSERT INTO batch_rows (batch, n, read) VALUES (?, ?, ?)"
        " ON CONFLICT (batch, n) DO UPDATE SET read = excluded.read WHERE outcome IS NULL",
        (row.batch, row.n, read_id),
    )
    if changed.rowcount != 1:
        raise Rejected("row_over", "this row of the batch is over", status=409)


def pending_read(row: sqlite3.Row) -> PendingRead:
    """A row of `reads` that still has its reply key."""
    return PendingRead(
        row["id"], row["token"], parse_read(row["token"]).read, row["reply_seed"], row["case_salt"],
        row["officer_salt"],
    )  # fmt: skip
