"""fsck, third part: what holds of a grant with all its versions and events, and of each table as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from consentlog.admit import REPRESENTED_DELAY
from consentlog.findings import Findings
from consentlog.fsck_rows import CLOCK_SECONDS
from consentlog.fsck_tree import PAGE, TreeCheck
from consentlog.rows import counter_key
from protocol.leaf import LeafType

_EVENTS = (LeafType.READ, LeafType.REFUSAL, LeafType.MESSAGE)
_GRANTS = text("SELECT * FROM grants WHERE slot > :after ORDER BY slot LIMIT :limit")
_COUNTERS = text("SELECT key, n FROM counters WHERE key > :after ORDER BY key LIMIT :limit")
_TABLES = (
    ("beats", "id = 1 AND n > 0"),
    ("tail", "id = 1"),
    ("published", "id = 1 AND size >= 0 AND moves >= 0"),
    ("tickets", "length(key) = 32 AND exp > 0"),
)
"""Tables of which no leaf tells, and the form of their rows."""


def _in(sql: str) -> Any:
    return text(sql).bindparams(bindparam("keys", expanding=True))


_VERSIONS = _in("SELECT tag_hash, version, revoked_idx, erased FROM grants WHERE tag_hash IN :keys")
_EVENTS_OF = _in(
    "SELECT grants.tag_hash, openings.type, count(*) AS entries, count(DISTINCT openings.n) AS numbers,"
    " max(openings.n) AS last FROM grants JOIN openings ON openings.slot = grants.slot"
    " WHERE grants.tag_hash IN :keys AND openings.n IS NOT NULL GROUP BY grants.tag_hash, openings.type"
)
_OPENED = _in("SELECT idx, type FROM openings WHERE idx IN :keys")
_COUNTS = _in("SELECT key, n FROM counters WHERE key IN :keys")
_TAGS = _in("SELECT tag_hash FROM grants WHERE tag_hash IN :keys")


class SumCheck:
    """`run` within the snapshot, after the tree."""

    def __init__(self, findings: Findings, tree: TreeCheck, *, now: int) -> None:
        self._findings = findings
        self._tree = tree
        self._now = now

    def run(self, connection: Connection) -> None:
        """Grants and their counters a page at a time, then whole tables."""
        after, slots = -1, 0
        while page := connection.execute(_GRANTS, {"after": after, "limit": PAGE}).all():
            self._check_grants(connection, page)
            after, slots = page[-1].slot, slots + len(page)
        self._findings.expect(slots == self._tree.status.slots, "grant_row", "grants", "are not one for each slot")
        self._check_counters(connection)
        self._check_tables(connection)

    def _check_grants(self, connection: Connection, page: Sequence[Row[Any]]) -> None:
        opened = {row.idx: row.type for row in connection.execute(_OPENED, {"keys": [row.idx for row in page]})}
        for row in page:
            self._check_form(row)
            place = f"slot {row.slot}"
            if not row.erased:
                is_so = opened.get(row.idx) == LeafType.GRANT
                self._findings.expect(is_so, "opening_missing", place, "has lost its opening without being erased")
                continue
            ends = [end for end in (row.not_after, row.revoked_at) if isinstance(end, int)]
            due = min(ends) + (REPRESENTED_DELAY if row.represented else 0)
            is_so = row.post_hash is None and self._now + CLOCK_SECONDS >= due
            self._findings.expect(is_so, "bad_erasure", place, "is erased though it may not be yet")
        self._check_tags(connection, [row.tag_hash for row in page])

    def _check_form(self, row: Row[Any]) -> None:
        """What no leaf tells of a grant."""
        hashes = [row.tag_hash, row.view_hash] + ([] if row.erased else [row.post_hash])
        is_form = all(isinstance(value, bytes) and len(value) == 32 for value in hashes)
        is_form = is_form and row.erased in (0, 1) and row.represented in (0, 1)
        is_form = is_form and (row.revoked_idx is None) == (row.revoked_at is None)
        if row.revoked_idx is not None and isinstance(row.revoked_at, int):
            is_form = is_form and row.granted_at <= row.revoked_at <= self._now + CLOCK_SECONDS
        is_revoked = row.slot < self._tree.status.slots and self._tree.status.is_revoked(row.slot)
        is_form = is_form and is_revoked == (row.revoked_idx is not None)
        self._findings.expect(is_form, "grant_row", f"slot {row.slot}", "has a form that no grant has")

    def _check_tags(self, connection: Connection, tags: Sequence[Any]) -> None:
        """Versions 1 to k of a grant, the last of them live at most; its events numbered from 0 without a gap.

        Only where a version was erased may there be more numbers than entries.
        """
        wanted = [tag for tag in set(tags) if isinstance(tag, bytes)]
        versions: dict[bytes, list[Row[Any]]] = {tag: [] for tag in wanted}
        for row in connection.execute(_VERSIONS, {"keys": wanted}):
            versions[row.tag_hash].append(row)
        events = {(row.tag_hash, row.type): row for row in connection.execute(_EVENTS_OF, {"keys": wanted})}
        keys = [counter_key(tag, kind) for tag in wanted for kind in _EVENTS]
        counts = {row.key: row.n for row in connection.execute(_COUNTS, {"keys": keys})}
        for tag, rows in versions.items():
            self._check_versions(rows)
            for kind in _EVENTS:
                self._check_numbers(
                    rows, events.get((tag, int(kind))), counts.get(counter_key(tag, kind), 0), kind
                )

    def _check_versions(self, rows: Sequence[Row[Any]]) -> None:
        numbers = sorted(row.version for row in rows)
        live = [row.version for row in rows if row.revoked_idx is None]
        is_so = numbers == list(range(1, len(rows) + 1)) and live in ([], [len(rows)])
        self._findings.expect(is_so, "bad_versions", "a grant", "does not have each version once, one live")

    def _check_numbers(
        self, rows: Sequence[Row[Any]], events: Row[Any] | None, count: int, kind: LeafType
    ) -> None:
        entries, numbers, last = (0, 0, -1) if events is None else (events.entries, events.numbers, events.last)
        is_erased = any(row.erased for row in rows)
        is_so = entries == numbers and last < count and entries <= count and (is_erased or entries == count)
        self._findings.expect(is_so, "bad_counter", "a grant", f"counts its {kind.name.lower()} entries wrong")

    def _check_counters(self, connection: Connection) -> None:
        """Every counter is of a grant, and all of a kind add up to the leaves of that kind."""
        sums: dict[int, int] = {int(kind): 0 for kind in _EVENTS}
        after: Any = b""
        while page := connection.execute(_COUNTERS, {"after": after, "limit": PAGE}).all():
            keys = [row.key for row in page if isinstance(row.key, bytes) and len(row.key) == 33]
            known = {row.tag_hash for row in connection.execute(_TAGS, {"keys": [key[:32] for key in keys]})}
            for row in page:
                is_so = row.key in keys and row.key[:32] in known and row.key[32] in sums
                if self._findings.expect(is_so, "bad_counter", "counters", "has one of no grant"):
                    sums[row.key[32]] += row.n
            after = page[-1].key
            if not isinstance(after, bytes):
                break
        self._check_sums(sums)

    def _check_sums(self, sums: Mapping[int, int]) -> None:
        for kind in _EVENTS:
            is_so = sums[int(kind)] == self._tree.counts[kind]
            self._findings.expect(
                is_so, "bad_counter", "counters", f"do not add up to the {kind.name.lower()} leaves"
            )

    def _check_tables(self, connection: Connection) -> None:
        """Entries point at openings one to one: as many of a kind as there are openings of it."""
        for name, form in _TABLES:
            count = connection.execute(text(f"SELECT count(*) FROM {name} WHERE NOT ({form})")).scalar()  # noqa: S608
            self._findings.expect(count == 0, "bad_row", name, "has a row of another form")
        for entries, kind in (
            ("reads WHERE reason IS NULL", LeafType.READ),
            ("reads WHERE reason IS NOT NULL", LeafType.REFUSAL),
            ("messages", LeafType.MESSAGE),
        ):
            rows = connection.execute(text(f"SELECT count(*) FROM {entries}")).scalar()  # noqa: S608 - our own words
            sql = text("SELECT count(*) FROM openings WHERE type = :kind")
            opened = connection.execute(sql, {"kind": int(kind)}).scalar()
            name = kind.name.lower()
            self._findings.expect(rows == opened, "bad_entry", f"{name} entries", f"are {rows}, not {opened}")
