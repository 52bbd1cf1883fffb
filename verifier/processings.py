"""READs as processings of personal data, for the logs that the field asks for: which, when, how it ended.

Without proofs and keys, which make a row of `reads` heavy, and without officers, who have no place in those logs.
"""

import sqlite3
from collections.abc import Sequence

from protocol.canonical import parse_struct
from protocol.presentation import MAX_SEALED_BYTES, RegieSealed
from protocol.terms import Terms
from verifier.processing import Processing
from verifier.tables import StoreFile


class Processings:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def all(self, since: int, until: int, grant: str | None = None) -> list[Processing]:
        """`since` <= time < `until`, of one agreement or of all; the oldest first."""
        rows = self._file.rows(
            f"{_SELECT} AND reads.created >= :since AND reads.created < :until"
            " AND (:grant IS NULL OR request = :grant)"
            " ORDER BY reads.created, reads.id",
            since=since,
            until=until,
            grant=grant,
        )
        return [_processing(row) for row in rows]

    def unreported(self, limit: int) -> list[Processing]:
        """The oldest that no collector has confirmed."""
        rows = self._file.rows(f"{_SELECT} AND reported IS NULL ORDER BY reads.created, reads.id LIMIT ?", limit)
        return [_processing(row) for row in rows]

    def report(self, reads: Sequence[str], now: int) -> None:
        """A collector has confirmed these."""
        with self._file.writing() as db:
            db.executemany("UPDATE reads SET reported = ? WHERE id = ?", [(now, read) for read in reads])

    def terms(self, lock: str) -> Terms:
        """T of one version of a grant."""
        (row,) = self._file.rows("SELECT sealed FROM grants WHERE lock = ?", lock)
        return parse_struct(row["sealed"], RegieSealed, max_bytes=MAX_SEALED_BYTES).terms


_SELECT = (
    "SELECT reads.id AS id, request, reads.lock AS lock, service, service_version, reads.created AS created,"
    " reads.state AS state, code, leaf_index, trace, parent, took, token FROM reads"
    " JOIN grants ON grants.lock = reads.lock JOIN requests ON requests.id = grants.request"
    " WHERE reads.state <> 'pending'"
)


def _processing(row: sqlite3.Row) -> Processing:
    refusal = None if row["state"] == "done" else row["code"] or "void"
    return Processing(
        row["id"], row["request"], row["lock"], row["service"], row["service_version"], row["created"], refusal,
        row["leaf_index"], row["trace"], row["parent"], row["took"], row["token"],
    )  # fmt: skip
