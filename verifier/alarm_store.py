"""What the alarm bell keeps: a file of its own in the home, marks and numbers, nothing in clear."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from protocol.errors import Rejected
from service.schema import schema_of
from verifier.alarm.facts import Alert, CaseFact, Facts, Mark, OfficerFact, ReadFact
from verifier.lists import Page, page_at
from verifier.tables import StoreFile

SCHEMA = schema_of(__file__, "alarm", ("alerts", "cases", "facts", "loaded", "officers"))
FILE = "alarm.db"
Outcome: TypeAlias = Literal["explained", "talked", "reported"]
"""What came of looking: there was a good reason, the officer was spoken to, it was reported further."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MAX_NOTE_CHARACTERS = 500
Loaded: TypeAlias = Literal["cases", "officers"]


@dataclass(frozen=True)
class KeptAlert:
    """An alert with what came of it; `rang`: when it was first found (POSIX seconds)."""

    id: int
    alert: Alert
    rang: int
    looked: int | None = None
    looked_by: str | None = None
    outcome: str | None = None
    note: str | None = None
    looked_reads: int | None = None

    @property
    def is_open(self) -> bool:
        """Nobody looked, or it grew since somebody did."""
        return self.looked is None or len(self.alert.reads) > (self.looked_reads or 0)


class AlarmStore:
    """Each method is one transaction. Raises `Unavailable`: `database`."""

    def __init__(self, path: Path) -> None:
        self._file = StoreFile(path, SCHEMA)

    def add(self, read: ReadFact, entry: int) -> None:
        """What was read, before anybody sees it; the same READ again changes nothing."""
        row = (
            read.id, read.at, read.officer, read.resident, read.case, read.service, read.by_hand, read.zone,
            _text(read.homes), _text(read.persons), entry,
        )  # fmt: skip
        with self._file.writing() as db:
            db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def load_cases(self, cases: Mapping[Mark, CaseFact], now: int) -> None:
        """The whole register, in the place of the one before."""
        rows = [(mark, case.opened, case.closed, json.dumps(case.acts)) for mark, case in cases.items()]
        self._load("cases", "INSERT INTO cases VALUES (?, ?, ?, ?)", rows, now)

    def load_officers(self, officers: Mapping[Mark, OfficerFact], now: int) -> None:
        """What officers told, in the place of what was there."""
        rows = [(mark, _text(one.homes), _text(one.relatives)) for mark, one in officers.items()]
        self._load("officers", "INSERT INTO officers VALUES (?, ?, ?)", rows, now)

    def _load(self, kind: Loaded, insert: str, rows: Iterable[tuple[object, ...]], now: int) -> None:
        with self._file.writing() as db:
            db.execute(f"DELETE FROM {kind}")  # noqa: S608 - our own words
            db.executemany(insert, rows)
            db.execute(_LOADED, (kind, now))

    def loaded(self) -> dict[str, int]:
        """When each file was loaded last, and when the rules were run (`rung`)."""
        return {row["kind"]: row["at"] for row in self._file.rows("SELECT * FROM loaded")}

    def facts(self, now: int) -> Facts:
        """All that there is."""
        reads = [_read(row) for row in self._file.rows("SELECT * FROM facts ORDER BY at, id")]
        officers = {
            row["mark"]: OfficerFact(_marks(row["homes"]), _marks(row["relatives"]))
            for row in self._file.rows("SELECT * FROM officers")
        }
        cases = None
        if "cases" in self.loaded():
            rows = self._file.rows("SELECT * FROM cases")
            cases = {
                row["mark"]: CaseFact(row["opened"], row["closed"], tuple(json.loads(row["acts"]))) for row in rows
            }
        return Facts(now, reads, cases, officers)

    def keep(self, alerts: Iterable[Alert], now: int) -> int:
        """Add what is new and let grow what was there; how many are new."""
        count = 0
        with self._file.writing() as db:
            db.execute(_LOADED, ("rung", now))
            for alert in alerts:
                values = (json.dumps(alert.reads), alert.until, json.dumps(alert.numbers), alert.key)
                # An alert never shrinks: reads that were forgotten since stay in what was found.
                changed = db.execute(
                    "UPDATE alerts SET reads = ?, until = ?, numbers = ? WHERE key = ? AND until <= ?",
                    (*values, alert.until),
                )
                if changed.rowcount == 0:
                    added = db.execute(
                        "INSERT OR IGNORE INTO alerts (reads, until, numbers, key, rule, officer, since, rang)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (*values, alert.rule, alert.officer, alert.since, now),
                    )
                    count += added.rowcount
        return count

    def forget(self, before: int) -> None:
        """Reads before a moment; alerts stay until they are as old and looked into."""
        with self._file.writing() as db:
            db.execute("DELETE FROM facts WHERE at < ?", (before,))
            db.execute("DELETE FROM alerts WHERE until < ? AND looked IS NOT NULL", (before,))

    def page(self, number: int, *, all_: bool) -> tuple[Page, list[KeptAlert]]:
        """Alerts, the newest first; only open ones unless `all_`."""
        where = "1" if all_ else _IS_OPEN
        total = int(self._file.rows(f"SELECT count(*) FROM alerts WHERE {where}")[0][0])  # noqa: S608
        page = page_at(number, total)
        rows = self._file.rows(
            f"SELECT * FROM alerts WHERE {where} ORDER BY until DESC, id DESC LIMIT 25 OFFSET ?",  # noqa: S608
            page.offset,
        )
        return page, [_alert(row) for row in rows]

    def get(self, alert: int) -> KeptAlert:
        """Raises `Rejected`: `unknown_alert` 404."""
        rows = self._file.rows("SELECT * FROM alerts WHERE id = ?", alert)
        if not rows:
            raise Rejected("unknown_alert", "there is no alert with this number", status=404)
        return _alert(rows[0])

    def look(self, alert: int, by: str, outcome: Outcome, note: str, now: int) -> None:
        """Somebody looked into it, with what is known of it now. Raises `Rejected`: `unknown_alert` 404."""
        with self._file.writing() as db:
            changed = db.execute(
                "UPDATE alerts SET looked = ?, looked_by = ?, outcome = ?, note = ?,"
                " looked_reads = json_array_length(reads) WHERE id = ?",
                (now, by, outcome, note, alert),
            )
        if changed.rowcount != 1:
            raise Rejected("unknown_alert", "there is no alert with this number", status=404)

    def entries(self, reads: Iterable[str]) -> dict[int, int]:
        """Entries in the log of these READs, ascending, and when each was made; without those forgotten."""
        found = self._file.rows(
            "SELECT entry, at FROM facts WHERE id IN (SELECT value FROM json_each(?)) ORDER BY entry",
            json.dumps(list(reads)),
        )
        return {row["entry"]: row["at"] for row in found}

    def per_day(self, starts: Sequence[int]) -> list[int]:
        """Reads by hand from each start until the next; the last start is an end only."""
        sql = "SELECT count(*) FROM facts WHERE by_hand AND at >= ? AND at < ?"
        return [int(self._file.rows(sql, *span)[0][0]) for span in pairwise(starts)]


_LOADED = "INSERT OR REPLACE INTO loaded VALUES (?, ?)"
_IS_OPEN = "(looked IS NULL OR json_array_length(reads) > looked_reads)"


def _text(marks: Iterable[Mark]) -> str:
    return " ".join(sorted(marks))


def _marks(text: str) -> frozenset[Mark]:
    return frozenset(text.split())


def _read(row: sqlite3.Row) -> ReadFact:
    return ReadFact(
        row["id"], row["at"], row["officer"], row["resident"], row["case_mark"], row["service"],
        bool(row["by_hand"]), row["zone"], _marks(row["homes"]), _marks(row["persons"]),
    )  # fmt: skip


def _alert(row: sqlite3.Row) -> KeptAlert:
    alert = Alert(
        row["rule"], row["officer"], tuple(json.loads(row["reads"])), row["since"], row["until"],
        json.loads(row["numbers"]),
    )  # fmt: skip
    return KeptAlert(
        row["id"], alert, row["rang"], row["looked"], row["looked_by"], row["outcome"], row["note"],
        row["looked_reads"],
    )  # fmt: skip
