"""What stands in lists, page by page: no keys and no sealed data, so that long lists cost no more than short ones.

`Requests` and `Grants` give one thing whole, with its secrets; a list needs none of that.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.reading import TICKET_LIFETIME
from verifier.tables import StoreFile

PAGE_LINES = 25
"""Lines of one page of a list."""
MAX_PAGE = 100_000
LineState: TypeAlias = Literal["open", "expired", "answered", "declined"]
GrantLineState: TypeAlias = Literal["active", "expired", "revoked"]
GRANT_STATES: Sequence[GrantLineState] = ("active", "expired", "revoked")


@dataclass(frozen=True)
class RequestLine:
    """A request, with `copy_waits`: something shared once has not been handed over yet."""

    id: str
    kind: Literal["standing", "copy"]
    service: str
    service_version: int
    state: LineState
    created: int
    exp: int
    copy_waits: bool


@dataclass(frozen=True)
class GrantLine:
    """A grant; `state` is what the log last told, or that its term is over."""

    id: str
    version: int
    slot: int
    log: str
    service: str
    service_version: int
    state: GrantLineState
    received: int
    not_after: int


@dataclass(frozen=True)
class Page:
    """Where a page of a list stands; `total` lines in all, pages count from 1."""

    number: int
    total: int

    @property
    def count(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // PAGE_LINES))

    @property
    def offset(self) -> int:
        """Lines before this page."""
        return (self.number - 1) * PAGE_LINES


@dataclass(frozen=True)
class Counts:
    """What waits at the desk. `unread`: grants that stand and were never read; `unconfirmed`: see `assisted`."""

    open: int
    copies: int
    active: int
    unread: int
    unconfirmed: int


@dataclass(frozen=True)
class Readings:
    """`spans`: READs done and refused in each; `codes`: why, the most frequent first; `elsewhere`: READs that no
    officer made at the desk, but a program or a command."""

    spans: list[tuple[int, int]]
    codes: list[tuple[str, int]]
    elsewhere: int


def page_at(number: int, total: int) -> Page:
    """The page with this number, or the last one there is."""
    page = Page(1, total)
    return Page(min(max(1, number), page.count, MAX_PAGE), total)


class Lists:
    """Each method is one or two reads; nothing is written."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def counts(self, now: int) -> Counts:
        """What waits."""
        row = self._file.rows(
            f"SELECT (SELECT count(*) FROM requests WHERE {_IS_OPEN}) AS open,"  # noqa: S608 - our own words
            " (SELECT count(*) FROM copies) AS copies,"
            " (SELECT count(*) FROM grants WHERE state = 'active' AND not_after > :now) AS active,"
            f" (SELECT count(*) FROM grants WHERE {_UNREAD}) AS unread,"
            " (SELECT count(*) FROM helped JOIN requests ON requests.id = helped.request"
            "   WHERE second IS NULL AND (requests.state = 'answered' OR created > :now - :lifetime))"
            " AS unconfirmed",
            **_named(now),
        )[0]
        return Counts(row["open"], row["copies"], row["active"], row["unread"], row["unconfirmed"])

    def requests(self, number: int, now: int) -> tuple[Page, list[RequestLine]]:
        """All requests, the newest first."""
        page = page_at(number, self._count("requests", "1", now))
        rows = self._file.rows(
            f"SELECT {_REQUEST} ORDER BY created DESC, requests.id LIMIT :lines OFFSET :offset",
            **_named(now),
            lines=PAGE_LINES,
            offset=page.offset,
        )
        return page, [_request_line(row) for row in rows]

    def open_requests(self, now: int, limit: int) -> list[RequestLine]:
        """Those that a resident can still answer, the newest first."""
        rows = self._file.rows(
            f"SELECT {_REQUEST} WHERE {_IS_OPEN} ORDER BY created DESC, requests.id LIMIT :lines",
            **_named(now),
            lines=limit,
        )
        return [_request_line(row) for row in rows]

    def copies(self, limit: int) -> list[RequestLine]:
        """Requests of which something shared once waits to be handed over, the oldest first."""
        rows = self._file.rows(
            f"SELECT {_REQUEST} JOIN copies ON copies.request = requests.id ORDER BY received LIMIT :lines",
            now=0,
            lines=limit,
        )
        return [_request_line(row) for row in rows]

    def grants(self, state: GrantLineState | None, number: int, now: int) -> tuple[Page, list[GrantLine]]:
        """Current versions in one state, or in any; the newest first."""
        where = _GRANT_WHERE[state]
        page = page_at(number, self._count("grants", where, now))
        rows = self._file.rows(
            f"SELECT {_GRANT} WHERE {where} ORDER BY received DESC, request LIMIT :lines OFFSET :offset",
            **_named(now),
            lines=PAGE_LINES,
            offset=page.offset,
        )
        return page, [_grant_line(row) for row in rows]

    def standing(self, service: str | None, now: int) -> list[GrantLine]:
        """Grants that stand, of one service or of all; the newest first."""
        rows = self._file.rows(
            f"SELECT {_GRANT} WHERE {_GRANT_WHERE['active']} AND (:service IS NULL OR service = :service)"
            " ORDER BY received DESC, request",
            **_named(now),
            service=service,
        )
        return [_grant_line(row) for row in rows]

    def unread(self, now: int, limit: int) -> list[GrantLine]:
        """Grants that stand and may be read but never were, the oldest first."""
        rows = self._file.rows(
            f"SELECT {_GRANT} WHERE {_UNREAD} ORDER BY received, request LIMIT :lines",
            **_named(now),
            lines=limit,
        )
        return [_grant_line(row) for row in rows]

    def has_copy(self, request_id: str) -> bool:
        """Whether what was shared once waits to be handed over."""
        return bool(self._file.rows("SELECT 1 FROM copies WHERE request = ?", request_id))

    def has_ended(self, request_id: str, now: int) -> bool:
        """Whether the grant that came of a request was stopped or is over."""
        where = "request = ? AND (state = 'revoked' OR state = 'active' AND not_after <= ?)"
        return bool(self._file.rows(f"SELECT 1 FROM grants WHERE {where}", request_id, now))  # noqa: S608

    def find(self, text: str) -> str | None:
        """The id of a request that starts with `text` (8 characters or more), if exactly one does."""
        if len(text) < MIN_REFERENCE or not text.isalnum():
            return None
        rows = self._file.rows(
            "SELECT id FROM requests WHERE id >= ? AND id < ? LIMIT 2", text.lower(), text.lower() + "g"
        )
        return str(rows[0]["id"]) if len(rows) == 1 else None

    def by_lock(self, lock: str) -> str | None:
        """The id of the grant with this lock, of whatever version."""
        rows = self._file.rows("SELECT request FROM grants WHERE lock = ?", lock)
        return str(rows[0]["request"]) if rows else None

    def is_grant(self, request_id: str) -> bool:
        """Whether a grant came of this request."""
        return bool(self._file.rows("SELECT 1 FROM grants WHERE request = ?", request_id))

    def count_reads(self, request_id: str) -> int:
        """How often was read under a grant, over all its versions."""
        rows = self._file.rows(
            "SELECT count(*) FROM reads WHERE n IS NOT NULL AND tag_key IN"
            " (SELECT tag_key FROM grants WHERE request = ?)",
            request_id,
        )
        return int(rows[0][0])

    def readings(self, start: int, length: int, count: int) -> Readings:
        """READs of `count` spans of `length` seconds from `start`, and why the refused ones were."""
        refused = self._file.rows(
            "SELECT (created - :start) / :length AS span, code, count(*) AS times FROM reads"
            " WHERE state IN ('refused', 'void') AND created >= :start GROUP BY span, code",
            start=start,
            length=length,
        )
        spans, codes = Counter[int](), Counter[str]()
        for row in refused:
            spans[row["span"]] += row["times"]
            codes[str(row["code"])] += row["times"]
        done = [self._done(start + span * length, length) for span in range(count)]
        looked = self._file.rows("SELECT count(*) FROM looks WHERE at >= ? AND entry IS NOT NULL", start)[0][0]
        both = [(times, spans[span]) for span, times in enumerate(done)]
        return Readings(both, codes.most_common(), max(0, sum(done) - int(looked)))

    def _done(self, start: int, length: int) -> int:
        """One count for each span: to group fifty thousand rows would take ten times as long."""
        rows = self._file.rows(
            "SELECT count(*) FROM reads WHERE state = 'done' AND created >= ? AND created < ?",
            start,
            start + length,
        )
        return int(rows[0][0])

    def _count(self, table: str, where: str, now: int) -> int:
        rows = self._file.rows(f"SELECT count(*) FROM {table} WHERE {where}", **_named(now))  # noqa: S608
        return int(rows[0][0])


MIN_REFERENCE = 8
"""Characters of an id that stand on paper and in lists."""
_IS_OPEN = "requests.state = 'open' AND created > :now - :lifetime AND json_extract(payload, '$.exp') > :now"
"""A request lives no longer than its ticket may, so that of old ones no payload is looked into."""
_REQUEST = (
    "requests.id AS id, kind, service, service_version, requests.state AS state, created,"
    " json_extract(payload, '$.exp') AS exp, :now AS now,"
    " EXISTS (SELECT 1 FROM copies WHERE copies.request = requests.id) AS waits FROM requests"
)
_GRANT = (
    "request, version, slot, log, grants.state AS state, received, not_after, service, service_version,"
    " :now AS now FROM grants JOIN requests ON requests.id = grants.request"
)
_UNREAD = (
    "grants.state = 'active' AND not_after > :now AND NOT EXISTS"
    " (SELECT 1 FROM reads WHERE reads.tag_key = grants.tag_key AND n IS NOT NULL) AND NOT EXISTS"
    " (SELECT 1 FROM helped WHERE helped.request = grants.request AND second IS NULL)"
)
_GRANT_WHERE: dict[GrantLineState | None, str] = {
    None: "grants.state <> 'replaced'",
    "active": "grants.state = 'active' AND not_after > :now",
    "expired": "grants.state = 'active' AND not_after <= :now",
    "revoked": "grants.state = 'revoked'",
}


def _named(now: int) -> dict[str, int]:
    return {"now": now, "lifetime": TICKET_LIFETIME}


def _request_line(row: sqlite3.Row) -> RequestLine:
    is_over = row["state"] == "open" and row["now"] >= row["exp"]
    return RequestLine(
        row["id"], row["kind"], row["service"], row["service_version"], "expired" if is_over else row["state"],
        row["created"], row["exp"], bool(row["waits"]),
    )  # fmt: skip


def _grant_line(row: sqlite3.Row) -> GrantLine:
    is_over = row["state"] == "active" and row["now"] >= row["not_after"]
    return GrantLine(
        row["request"], row["version"], row["slot"], row["log"], row["service"], row["service_version"],
        "expired" if is_over else row["state"], row["received"], row["not_after"],
    )  # fmt: skip
