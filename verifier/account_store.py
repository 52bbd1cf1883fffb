"""Where the account of officers lies: a file of its own in the home, whose entries the database itself keeps."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import Rejected
from service.schema import schema_of
from verifier.account import Kind, first_head, next_head
from verifier.tables import StoreFile

SCHEMA = schema_of(__file__, "accountability", ("entries",))
FILE = "officers.db"


@dataclass(frozen=True)
class Entry:
    """`at`: POSIX seconds; `act`: id of the READ or the request; `body`: sealed, or JSON of what all may read."""

    n: int
    kind: Kind
    at: int
    act: str
    body: bytes
    head: bytes


class AccountStore:
    """Each method is one transaction; several processes append to one chain. Raises `Unavailable`: `database`."""

    def __init__(self, path: Path, public: bytes) -> None:
        self._file = StoreFile(path, SCHEMA)
        self._first = first_head(public)

    def append(self, kind: Kind, at: int, act: str, body_of: Callable[[int], bytes]) -> int:
        """The next entry, durably; `body_of` makes its body for its number. Its number."""
        with self._file.writing() as db:
            last = db.execute("SELECT n, head FROM entries ORDER BY n DESC LIMIT 1").fetchone()
            n, head = (1, self._first) if last is None else (last["n"] + 1, last["head"])
            body = body_of(n)
            new_head = next_head(head, n, at, kind, act, body)
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", (n, kind, at, act, body, new_head))
            return int(n)

    def between(self, since: int, until: int) -> list[Entry]:
        """Entries of `since` <= at < `until`, the oldest first."""
        rows = self._file.rows("SELECT * FROM entries WHERE at >= ? AND at < ? ORDER BY n", since, until)
        return [Entry(*row) for row in rows]

    def of_kind(self, *kinds: Kind) -> list[Entry]:
        """All of these kinds, the oldest first."""
        sql = "SELECT * FROM entries WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY n"
        return [Entry(*row) for row in self._file.rows(sql, json.dumps(kinds))]

    def acts(self) -> set[str]:
        """Ids of all READs and requests that have an entry."""
        return {str(row[0]) for row in self._file.rows("SELECT act FROM entries WHERE kind IN ('read', 'copy')")}

    def last(self) -> tuple[int, bytes]:
        """Number and head of the newest entry; 0 and the first head before there is one."""
        rows = self._file.rows("SELECT n, head FROM entries ORDER BY n DESC LIMIT 1")
        return (int(rows[0]["n"]), bytes(rows[0]["head"])) if rows else (0, self._first)

    def check(self, anchor: tuple[int, bytes] | None = None) -> tuple[int, bytes]:
        """Follow the whole chain; as `last`. `anchor`: what `last` was once, kept where nobody here could change
        it: who has this file can make another chain, and not one that goes through an anchor.

        Raises `Rejected`: `broken_account`, with the number of the entry.
        """
        n, head = 0, self._first
        for row in self._file.rows("SELECT * FROM entries ORDER BY n"):
            entry = Entry(*row)
            n += 1
            head = next_head(head, n, entry.at, entry.kind, entry.act, entry.body)
            if (entry.n, entry.head) != (n, head):
                raise Rejected("broken_account", f"entry {n} of the account is missing or was changed", status=409)
            if anchor is not None and n == anchor[0] and head != anchor[1]:
                raise Rejected("broken_account", f"up to entry {n} the account was written anew", status=409)
        if anchor is not None and n < anchor[0]:
            raise Rejected("broken_account", f"the account was cut off after entry {n}", status=409)
        return n, head
