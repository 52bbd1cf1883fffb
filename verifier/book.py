"""The desk's own book: which officer looked, for which case and why; and who helped a resident to decide.

The log learns salted hashes of case and officer only. The agency has to be able to say who looked (GDPR article 5
paragraph 2, BIO logging), so it keeps the words here, in its own home; no value of a resident is among them. Once
`officers` keeps a sealed account, `officer` is a pseudonym here.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from protocol.errors import Rejected
from verifier.lists import Page, page_at
from verifier.tables import StoreFile

Reason: TypeAlias = Literal["application", "still_entitled", "objection", "correction", "asked_by_resident"]
REASONS: tuple[Reason, ...] = get_args(Reason)
"""Why an officer looks; a closed list, so that nobody writes about a resident here."""
BEGUN, DONE = "begun", "done"


@dataclass(frozen=True)
class Look:
    """`outcome`: `begun` (nobody heard how it ended), `done`, or the code of a refusal; `entry`: in the log."""

    n: int
    request: str
    at: int
    officer: str
    case_number: str
    reason: Reason
    outcome: str
    entry: int | None


@dataclass(frozen=True)
class Helped:
    """Who helped with a request, and the other officer who confirmed it, if one did."""

    request: str
    officer: str
    at: int
    second: str | None
    confirmed: int | None


class Book:
    """Each method is one transaction."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def begin_look(self, request_id: str, officer: str, case_number: str, reason: Reason, now: int) -> int:
        """Written down before anything is asked of the log; its number."""
        with self._file.writing() as db:
            row = db.execute(
                "INSERT INTO looks (request, at, officer, case_number, reason) VALUES (?, ?, ?, ?, ?) RETURNING n",
                (request_id, now, officer, case_number, reason),
            ).fetchone()
            return int(row["n"])

    def end_look(self, n: int, outcome: str, entry: int | None) -> None:
        """How it ended."""
        with self._file.writing() as db:
            db.execute("UPDATE looks SET outcome = ?, entry = ? WHERE n = ?", (outcome, entry, n))

    def looks(self, number: int) -> tuple[Page, list[Look]]:
        """A page of all looks, the newest first; they are numbered from 1, and none ever goes."""
        page = page_at(number, int(self._file.rows("SELECT coalesce(max(n), 0) FROM looks")[0][0]))
        rows = self._file.rows(
            f"SELECT {_LOOK} FROM looks ORDER BY n DESC LIMIT 25 OFFSET ?",  # noqa: S608 - our own words
            page.offset,
        )
        return page, [Look(*row) for row in rows]

    def looks_at(self, entries: Iterable[int]) -> list[Look]:
        """The looks that made these entries of the log, the oldest first; one made by a command has none."""
        rows = self._file.rows(
            f"SELECT {_LOOK} FROM looks WHERE entry IN (SELECT value FROM json_each(?)) ORDER BY n",  # noqa: S608
            json.dumps(list(entries)),
        )
        return [Look(*row) for row in rows]

    def looks_of(self, request_id: str, limit: int = 10) -> list[Look]:
        """The last looks under one grant, the newest first."""
        rows = self._file.rows(
            f"SELECT {_LOOK} FROM looks WHERE request = ? ORDER BY n DESC LIMIT ?",  # noqa: S608 - our own words
            request_id,
            limit,
        )
        return [Look(*row) for row in rows]

    def help(self, request_id: str, officer: str, now: int) -> None:
        """An officer helped; the first one stays. Raises `Rejected`: `helped_already`."""
        try:
            with self._file.writing() as db:
                db.execute(
                    "INSERT INTO helped (request, officer, at) VALUES (?, ?, ?)", (request_id, officer, now)
                )
        except sqlite3.IntegrityError as error:
            raise Rejected("helped_already", "an officer has written down that he helped", status=409) from error

    def confirm(self, request_id: str, officer: str, now: int) -> bool:
        """Another officer confirms; False when nothing waits for this one."""
        with self._file.writing() as db:
            # The four eyes: without `officer <> ?` one person would be both.
            changed = db.execute(
                "UPDATE helped SET second = ?, confirmed = ?"
                " WHERE request = ? AND second IS NULL AND officer <> ?",
                (officer, now, request_id, officer),
            )
            return changed.rowcount == 1

    def helped(self, request_id: str) -> Helped | None:
        """Who helped, if somebody did."""
        rows = self._file.rows(f"SELECT {_HELPED} FROM helped WHERE request = ?", request_id)  # noqa: S608
        return Helped(*rows[0]) if rows else None

    def officers(self) -> list[str]:
        """Everybody who stands in the book."""
        rows = self._file.rows(
            "SELECT officer FROM looks UNION SELECT officer FROM helped"
            " UNION SELECT second FROM helped WHERE second IS NOT NULL ORDER BY 1"
        )
        return [str(row[0]) for row in rows]

    def rename_officers(self, names: Mapping[str, str]) -> None:
        """Put another word for each of them, everywhere; nothing of the old one stays in the file."""
        pairs = [(new, old) for old, new in names.items()]
        with self._file.writing() as db:
            db.executemany("UPDATE looks SET officer = ? WHERE officer = ?", pairs)
            db.executemany("UPDATE helped SET officer = ? WHERE officer = ?", pairs)
            db.executemany("UPDATE helped SET second = ? WHERE second = ?", pairs)
        self._file.clean_journal()

    def unconfirmed(self, limit: int) -> list[Helped]:
        """What waits for a second officer, the oldest first."""
        rows = self._file.rows(
            f"SELECT {_HELPED} FROM helped WHERE second IS NULL ORDER BY at LIMIT ?",  # noqa: S608 - our own words
            limit,
        )
        return [Helped(*row) for row in rows]


_LOOK = "n, request, at, officer, case_number, reason, outcome, entry"
_HELPED = "request, officer, at, second, confirmed"
