"""Reads the SQLite file of `regie verifier evidence`: read-only, bounded, and trusted in nothing."""

import sqlite3
from pathlib import Path
from typing import Any

from auditor.evidence import EvidenceFile, GrantEvidence, ReadEvidence
from protocol.errors import Rejected

FORMAT = "regie/evidence/v1"
MAX_EVIDENCE_BYTES = 4 * 1024**3
"""An agency with a million reads; a larger one exports by year."""
MAX_TEXT = 128 * 1024


def read_evidence(path: Path) -> EvidenceFile:
    """The file at `path`. Raises `Rejected`: `bad_evidence`, `too_large`."""
    if path.stat().st_size > MAX_EVIDENCE_BYTES:
        raise Rejected("too_large", "the evidence file is larger than an auditor reads at once")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_TEXT)
            return _read(connection)
        finally:
            connection.close()
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise Rejected("bad_evidence", "this is no evidence file of an agency") from error


def _read(connection: sqlite3.Connection) -> EvidenceFile:
    meta = dict(connection.execute("SELECT name, value FROM meta LIMIT 100").fetchall())
    if meta.get("format") != FORMAT:
        raise Rejected("bad_evidence", f"the evidence is not in the format {FORMAT}")
    grants = connection.execute(f"SELECT slot, grant_index, terms, opening_key, {_proof(connection, 'grants')}")
    reads = connection.execute(f"SELECT slot, token, n, leaf_index, opening_key, {_proof(connection, 'reads')}")
    log = _text(meta.get("log"))
    notes = connection.execute(
        "SELECT note FROM checkpoints WHERE origin = ?1"
        " UNION SELECT kept FROM contradictions WHERE origin = ?1"
        " UNION SELECT seen FROM contradictions WHERE origin = ?1",
        (log,),
    )
    return EvidenceFile(
        oin=_text(meta.get("oin")),
        log=log,
        grants=[
            GrantEvidence(_number(slot), _number(index), _text(terms), _text(key), _text_or_none(proof))
            for slot, index, terms, key, proof in grants
        ],
        reads=[
            ReadEvidence(
                _number(slot),
                _text(token),
                None if n is None else _number(n),
                None if index is None else _number(index),
                _text_or_none(key),
                _text_or_none(proof),
            )
            for slot, token, n, index, key, proof in reads
        ],
        checkpoints=[_text(note) for (note,) in notes],
    )


def _proof(connection: sqlite3.Connection, table: str) -> str:
    """The rest of a query: an older export has no receipts."""
    columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    return f"{'proof' if 'proof' in columns else 'NULL'} FROM {table}"


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError("not a number that counts")
    return value
