"""`regie log fsck`: everything that the leaves determine, derived again and compared with what the store holds.

    report = check_store(engine, locked, epochs, origin=origin, now=now)

Reads one snapshot and writes nothing, so that it runs beside a living log; holds a page of rows, a bit for each
slot and the edge of the tree in memory, however large the log is. Order: `fsck_tree` (leaves: tiles, roots, heads,
status, grants), `fsck_rows` (openings, reads, messages, shares), `fsck_sums` (counters, versions, erasures).

**Not** compared, since no leaf tells: view_hash, post_hash, tickets and the times of entries are judged by their
form and order only. **Not** the signatures of READs and messages: that is the auditor's work.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Engine, LargeBinary, String, Table, text

from consentlog.findings import Enough, Fault, Findings
from consentlog.fsck_rows import RowCheck
from consentlog.fsck_sums import SumCheck
from consentlog.fsck_tree import Expected, TreeCheck
from consentlog.lock import Locked
from consentlog.tables import SCHEMA, leaves
from protocol.checkpoint import parse_checkpoint_body
from protocol.errors import Rejected, Unavailable
from service.database import snapshot
from service.epochs import Epochs
from service.migrations import revision_of

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What was found; `size` leaves under `root` were looked at. `is_whole`: False when the look ended early."""

    size: int
    root: bytes
    faults: tuple[Fault, ...]
    is_whole: bool


def check_store(
    engine: Engine,
    locked: Locked,
    epochs: Epochs | None,
    *,
    origin: str,
    now: int,
    progress: Progress = lambda line: None,
) -> Report:
    """All faults, at most `findings.MAX_FAULTS`. `locked` MUST have been read before: the log goes on meanwhile.

    1. the file itself; 2. which trees the store must hold; 3. the leaves; 4. the rows; 5. the sums; 6. shares that
    did not open are looked at again: their epoch may have been ending. Without `epochs` shares are not opened.
    Raises `Rejected`: `older_schema`, `newer_schema`.
    """
    findings = Findings()
    tree = TreeCheck(findings, progress)
    rows = RowCheck(findings, epochs, origin=origin, now=now, progress=progress)
    is_whole = False
    try:
        with suppress(Enough), snapshot(engine) as connection:
            _check_revision(revision_of(connection, SCHEMA))
            if connection.dialect.name == "sqlite":  # 1.
                progress("looking through the file ...")
                _check_file(connection, findings)
            tree.run(connection, _expected(connection, locked, origin, findings))  # 2. and 3.
            if tree.is_whole:
                rows.run(connection, tree)  # 4.
                SumCheck(findings, tree, now=now).run(connection)  # 5.
                is_whole = True
        with suppress(Enough):
            rows.look_again(engine)  # 6.
    except Unavailable:
        findings.add_last("unreadable", "file", "the database cannot be read to its end")
        is_whole = False
    except (TypeError, ValueError, AttributeError, OverflowError):
        # SQLite keeps any value in any column: a damaged one is of a kind that nothing here reckons with.
        findings.add_last("unreadable", "row", "a row holds values of another kind")
        is_whole = False
    return Report(tree.size, tree.root, tuple(findings.faults), is_whole)


def _check_file(connection: Connection, findings: Findings) -> None:
    """Pages and indexes by SQLite's own account; the columns that there must be, each with its kind of value."""
    for (line,) in connection.execute(text("PRAGMA integrity_check(20)")):
        if line != "ok":
            findings.add("file_damaged", "file", str(line).splitlines()[0])
    listed = text("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {name for (name,) in connection.execute(listed)}
    findings.expect(SCHEMA.table in names, "bad_table", SCHEMA.table, "is not listed")
    for table in leaves.metadata.sorted_tables:
        info = connection.execute(text(f"PRAGMA table_info({table.name})"))
        found = {row.name: (row.type, not row.notnull) for row in info}
        wanted = {
            column.name: (column.type.compile(connection.dialect), bool(column.nullable))
            for column in table.columns
        }
        is_so = table.name in names and found == wanted
        findings.expect(is_so, "bad_table", table.name, "has other columns")
        count = connection.execute(text(f"SELECT count(*) FROM {table.name} WHERE {_wrong(table)}")).scalar()  # noqa: S608
        findings.expect(count == 0, "bad_row", table.name, "has values of another kind")


def _wrong(table: Table) -> str:
    """Whether any value of a row is not of its column's kind: SQLite takes any."""
    return " OR ".join(
        f"typeof({column.name}) NOT IN ('{_kind(column)}'{', ' + repr('null') if column.nullable else ''})"
        for column in table.columns
    )


def _kind(column: Column[Any]) -> str:
    if isinstance(column.type, LargeBinary):
        return "blob"
    return "text" if isinstance(column.type, String) else "integer"


def _check_revision(revision: str | None) -> None:
    if revision != SCHEMA.newest:
        is_newer = revision is not None and revision not in SCHEMA.revisions
        code = "newer_schema" if is_newer else "older_schema"
        raise Rejected(code, f"the store is at revision {revision or 'none'}, this program checks {SCHEMA.newest}")


def _expected(connection: Connection, locked: Locked, origin: str, findings: Findings) -> Expected:
    """Trees that somebody was told of: the lock's, its last checkpoint's, the tail's and the published one's."""
    expected = Expected(locked.size)
    expected.add(locked.size, locked.root, "forked", "lock")
    _expect_note(expected, locked.note, origin, findings, "checkpoint of the lock")
    for row in connection.execute(text("SELECT id, size, root FROM tail")):
        expected.tail = (row.size, row.root)
    for row in connection.execute(text("SELECT id, size, note, head FROM published")):
        size = _expect_note(expected, row.note, origin, findings, "published checkpoint")
        findings.expect(
            size == row.size, "bad_note", "published checkpoint", "is of another size than its row says"
        )
        if row.size:
            expected.heads.append((row.size, row.head))
    return expected


def _expect_note(expected: Expected, note: object, origin: str, findings: Findings, place: str) -> int:
    """The size of the checkpoint in `note`, whose tree must come out; 0 for none."""
    if note == "":
        return 0
    try:
        checkpoint = parse_checkpoint_body(str(note).partition("\n\n")[0] + "\n")
    except Rejected:
        findings.add("bad_note", place, "is no checkpoint")
        return 0
    if checkpoint.origin != origin:
        findings.add("bad_note", place, "is of another log")
    expected.add(checkpoint.size, checkpoint.root, "other_tree", place)
    return checkpoint.size
