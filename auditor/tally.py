"""What an audit of openings counts as it goes along, so that nobody has to replay a log to look at a figure.

Counts by agency, week and kind, and of grants that still run or requests about a right that are still open one
row each, which goes when they end: an erased opening leaves nothing here but a number. The sums are the same in
however many steps a log was followed. Time is what the parties signed (a READ's and a message's `iat`, T's first
day); a revocation bears none, so a stop counts at the latest signed event before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol, get_args
from zoneinfo import ZoneInfo

from protocol.reading import Read, Reason, ResidentMessage, one_month_after
from protocol.rights import RIGHTS, Right, right_of
from protocol.terms import Terms

DAY = 86_400
HOUR = 3_600
LOOK_SECONDS = 900
"""Looks that lie further apart are a gap: what went on between them was seen only afterwards."""
UNKNOWN = ""
"""Agency of a stop whose grant was never opened here."""
_REASONS = frozenset(get_args(Reason))
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_SPANS = (("day", DAY), ("week", 7 * DAY), ("month", 30 * DAY))


class Cell(NamedTuple):
    """Where a number stands. `period`: an ISO week in Amsterdam, an hour since 1970, or a service and its version.

    | family | period | name |
    | --- | --- | --- |
    | `week` | week | `grants`, `refreshed`, `reads`, `refusals`, `stops`, `ended`, `late_reads`, kind of message |
    | `reason` | week | why a READ was refused |
    | `where` | week | `desk office` and the like: channel and zone of READs |
    | `hour` | hour | `reads` |
    | `desk_hour` | hour | zone of READs that an officer made, `office` or `remote` |
    | `unread` | week of a stop | `never`, `day`, `week`, `month`, `longer`: how long ago the last READ was |
    | `right` | week of the answer | `on_time`, `late`, and kinds of answers: `erased`, `access_refused`, ... |
    | `service` | service | the basis (grants under it), `grants`, `reads` |
    | `given`, `read` | service | `vct attribute` |
    """

    family: str
    agency: str
    period: str
    name: str


@dataclass(frozen=True)
class Running:
    """A grant that neither was stopped nor has ended; times in POSIX seconds."""

    agency: str
    given: int
    until: int
    last_read: int | None = None


@dataclass(frozen=True)
class Asked:
    """A request to see, correct or erase without an answer yet; `time` is when the resident signed it."""

    agency: str
    time: int


@dataclass(frozen=True)
class Look:
    """Looks at the log that ended alike, from `since` until `until` (POSIX seconds), the last of them in full.

    `size`: entries that passed; `checked`: of those, the ones whose openings were looked at; `remarks`: what could
    not be looked at besides.
    """

    since: int
    until: int
    state: str
    code: str
    size: int
    checked: int
    remarks: tuple[str, ...] = ()


class Observer(Protocol):
    """Is told by an audit of openings what it has verified, in the order of the log."""

    def given(self, slot: int, terms: Terms, replaces: int | None) -> None:
        """A grant; `replaces`: the slot of its version before, where that was opened too."""

    def stopped(self, slot: int) -> None:
        """The first revocation of a slot, opened or not."""

    def read(self, slot: int, terms: Terms, read: Read, *, is_late: bool) -> None:
        """A READ that the recipient signed; `is_late`: after the revocation, which is a lie of the log."""

    def refused(self, slot: int, terms: Terms, read: Read, reason: str) -> None:
        """A READ that the recipient signed and the log refused."""

    def said(self, slot: int, terms: Terms, message: ResidentMessage) -> None:
        """A message about the grant; one of an agency was signed by it."""

    def finished(self, size: int) -> None:
        """Every leaf before `size` was looked at."""


class Tally:
    """An `Observer` with its sums. `clock`: the latest time that a party signed so far."""

    def __init__(
        self,
        cells: Iterable[tuple[Cell, int]] = (),
        running: Iterable[tuple[int, Running]] = (),
        asked: Iterable[tuple[tuple[int, Right], Asked]] = (),
        *,
        counted_to: int = 0,
        clock: int = 0,
    ) -> None:
        self.cells = dict(cells)
        self.running = dict(running)
        self.asked = dict(asked)
        self.counted_to = counted_to
        self.clock = clock
        self.changed_cells: set[Cell] = set()
        self.changed_slots: set[int] = set()
        self._stopping: dict[int, Running | None] = {}

    # -- what the audit tells ----------------------------------------------------------------------------------

    def given(self, slot: int, terms: Terms, replaces: int | None) -> None:
        """A refresh is a revocation and a grant in one transaction: no stop, and no new grant."""
        is_refresh = replaces is not None and replaces in self._stopping
        before = self._stopping.pop(replaces) if replaces is not None and is_refresh else None
        last_read = None if before is None else before.last_read
        self.running[slot] = Running(terms.recipient, terms.not_before, terms.not_after, last_read)
        self.changed_slots.add(slot)
        if is_refresh:
            self._add("week", terms.recipient, week_of(terms.not_before), "refreshed")
            return
        self._add("week", terms.recipient, week_of(terms.not_before), "grants")
        service = service_period(terms.service, terms.service_version)
        self._add("service", terms.recipient, service, "grants")
        self._add("service", terms.recipient, service, terms.basis)
        for claim in terms.claims:
            self._add("given", terms.recipient, service, f"{claim.vct} {claim.path[0]}")

    def stopped(self, slot: int) -> None:
        """Counted when it is clear that no refresh follows."""
        self._stopping[slot] = self.running.pop(slot, None)
        self.changed_slots.add(slot)

    def read(self, slot: int, terms: Terms, read: Read, *, is_late: bool) -> None:
        """By week, hour, place, service and attribute."""
        agency, week = terms.recipient, self._now(read.iat)
        self._add("week", agency, week, "reads")
        if is_late:
            self._add("week", agency, week, "late_reads")
        self._add("where", agency, week, f"{read.channel} {read.zone}")
        self._add("hour", agency, str(read.iat // HOUR), "reads")
        if read.channel == "desk":
            self._add("desk_hour", agency, str(read.iat // HOUR), read.zone)
        service = service_period(terms.service, terms.service_version)
        self._add("service", agency, service, "reads")
        names = {claim.digest: f"{claim.vct} {claim.path[0]}" for claim in terms.claims}
        for digest in read.claims:
            if digest in names:
                self._add("read", agency, service, names[digest])
        known = self.running.get(slot)
        if known is not None:
            self.running[slot] = replace(known, last_read=max(read.iat, known.last_read or 0))
            self.changed_slots.add(slot)

    def refused(self, slot: int, terms: Terms, read: Read, reason: str) -> None:
        """By week and reason; a log that invents reasons fills no table."""
        week = self._now(read.iat)
        self._add("week", terms.recipient, week, "refusals")
        self._add("reason", terms.recipient, week, reason if reason in _REASONS else "other")

    def said(self, slot: int, terms: Terms, message: ResidentMessage) -> None:
        """The first request of each right under a grant starts its clock; the answer ends it."""
        agency, week = terms.recipient, self._now(message.iat)
        self._add("week", agency, week, message.kind)
        right = right_of(message.kind)
        if right is not None and message.kind == RIGHTS[right].asked:
            self.asked.setdefault((slot, right), Asked(agency, message.iat))
        elif right is not None and message.kind in RIGHTS[right].final:
            self._add("right", agency, week, message.kind)
            asked = self.asked.pop((slot, right), None)
            if asked is not None:
                in_time = message.iat <= one_month_after(asked.time)
                self._add("right", agency, week, "on_time" if in_time else "late")
        self.changed_slots.add(slot)

    def finished(self, size: int) -> None:
        """What was revoked and has no next version was stopped."""
        for slot in sorted(self._stopping):
            self._stop(self._stopping[slot])
        self._stopping.clear()
        self.counted_to = size

    # -- time --------------------------------------------------------------------------------------------------

    def settle(self, now: int) -> None:
        """Grants whose term is over at `now` have ended; their rows go."""
        for slot in [slot for slot, grant in self.running.items() if grant.until <= now]:
            grant = self.running.pop(slot)
            self._add("week", grant.agency, week_of(grant.until), "ended")
            self.changed_slots.add(slot)

    def _stop(self, grant: Running | None) -> None:
        if grant is None:
            self._add("week", UNKNOWN, week_of(self.clock), "stops")
            return
        time = max(self.clock, grant.given)
        week = week_of(time)
        self._add("week", grant.agency, week, "stops")
        self._add("unread", grant.agency, week, span_of(grant.last_read, time))

    def _now(self, iat: int) -> str:
        """The week of a signed event, which also moves the clock."""
        self.clock = max(self.clock, iat)
        return week_of(iat)

    def _add(self, family: str, agency: str, period: str, name: str, count: int = 1) -> None:
        cell = Cell(family, agency, period, name)
        self.cells[cell] = self.cells.get(cell, 0) + count
        self.changed_cells.add(cell)


def week_of(time: int) -> str:
    """`2026-W48`: the ISO week in Europe/Amsterdam."""
    year, week, _ = datetime.fromtimestamp(time, _AMSTERDAM).isocalendar()
    return f"{year}-W{week:02d}"


def service_period(service: str, version: int) -> str:
    """A version of a service, as `period` of a cell: its name has no space."""
    return f"{service} {version}"


def span_of(last_read: int | None, time: int) -> str:
    """How long before `time` a grant was read for the last time."""
    if last_read is None:
        return "never"
    return next((name for name, span in _SPANS if time - last_read < span), "longer")
