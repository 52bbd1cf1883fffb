"""What was counted, as the console draws it: from the cells of a tally to rows of charts and tables. Pure.

Weeks are ISO weeks in Amsterdam (`2026-W48`); agencies are named by OIN, and by name only on the page.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from auditor.tally import UNKNOWN, Asked, Cell, week_of
from protocol.attributes import FLAG_NAMES
from protocol.reading import one_month_after
from protocol.rights import Right
from protocol.trust_list import Service

WEEKS = (13, 26, 52)
"""Choices of a period."""
LARGEST = 4
"""Agencies that have a picture of their own; the table has all."""
SPANS = ("day", "week", "month", "longer", "never")
BASES = ("consent", "legal_obligation", "public_task")
Cells = Mapping[Cell, int]
ServiceKey = tuple[str, str, int]
"""(agency, service, version)."""


def last_weeks(now: int, count: int) -> tuple[str, ...]:
    """The week of `now` and those before it, the oldest first: `count` of them."""
    first = monday_of(week_of(now)) - timedelta(weeks=count - 1)
    return tuple(_week(first + timedelta(weeks=n)) for n in range(count))


def monday_of(week: str) -> date:
    """The first day of an ISO week."""
    year, _, number = week.partition("-W")
    return date.fromisocalendar(int(year), int(number), 1)


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def per_week(cells: Cells, name: str, weeks: Sequence[str], agency: str | None = None) -> list[int]:
    """How often `name` was counted in each week, of one agency or of all."""
    counts: Counter[str] = Counter()
    for cell, n in cells.items():
        if (cell.family, cell.name) == ("week", name) and agency in (None, cell.agency):
            counts[cell.period] += n
    return [counts[week] for week in weeks]


def by_name(cells: Cells, family: str, weeks: Iterable[str] | None, agency: str | None = None) -> Counter[str]:
    """Sums by name within a period, or ever (None)."""
    wanted = None if weeks is None else set(weeks)
    counts: Counter[str] = Counter()
    for cell, n in cells.items():
        if cell.family == family and agency in (None, cell.agency) and (wanted is None or cell.period in wanted):
            counts[cell.name] += n
    return counts


@dataclass(frozen=True)
class AgencyRow:
    """One agency in a period: `weekly` reads; how many grants run now."""

    agency: str
    weekly: tuple[int, ...]
    grants: int
    reads: int
    refusals: int
    stops: int
    late_reads: int
    running: int


def agencies(cells: Cells, weeks: Sequence[str], running: Mapping[str, int]) -> list[AgencyRow]:
    """Every agency with something in the period or something that runs; most reads first."""
    known = {cell.agency for cell in cells if cell.family == "week" and cell.period in set(weeks)}
    rows = []
    for agency in sorted((known | running.keys()) - {UNKNOWN}):
        sums = by_name(cells, "week", weeks, agency)
        weekly = tuple(per_week(cells, "reads", weeks, agency))
        given, read, refused = sums["grants"], sums["reads"], sums["refusals"]
        runs = running.get(agency, 0)
        rows.append(AgencyRow(agency, weekly, given, read, refused, sums["stops"], sums["late_reads"], runs))
    return sorted(rows, key=lambda row: (-row.reads, row.agency))


@dataclass(frozen=True)
class Numbers:
    """The first line of the console."""

    running: int
    grants: int
    stops: int
    ended: int
    reads: int
    refusals: int
    late_reads: int


def numbers(cells: Cells, weeks: Sequence[str], running: Mapping[str, int], over: Mapping[str, int]) -> Numbers:
    """Of the period; `over`: grants that have ended since the log was looked at, which count as ended now."""
    sums = by_name(cells, "week", weeks)
    counted = (sums["grants"], sums["stops"], sums["ended"] + sum(over.values()))
    return Numbers(sum(running.values()), *counted, sums["reads"], sums["refusals"], sums["late_reads"])


# -- asked against registered ------------------------------------------------------------


@dataclass(frozen=True)
class AttributeRow:
    """An attribute of a service: how often it was given and read, and whether it is registered."""

    vct: str
    name: str
    given: int
    read: int
    is_registered: bool


@dataclass(frozen=True)
class ServiceRow:
    """A version of a service of an agency. Averages count attributes: of a grant and of a READ, without
    the register flags, which always travel along (`protocol.terms.with_flags`).

    `registered`: attributes that it may ask at most; None when the trust list does not have it (any more).
    """

    agency: str
    service: str
    version: int
    basis: str
    grants: int
    reads: int
    registered: int | None
    given: float
    read: float
    attributes: tuple[AttributeRow, ...] = ()

    @property
    def beyond(self) -> tuple[AttributeRow, ...]:
        """What was given although it is not registered: must be empty."""
        return tuple(row for row in self.attributes if not row.is_registered)

    @property
    def never_given(self) -> tuple[AttributeRow, ...]:
        """Registered, and nobody gave it."""
        return tuple(row for row in self.attributes if row.is_registered and not row.given)

    @property
    def never_read(self) -> tuple[AttributeRow, ...]:
        """Given, and never read: asked for nothing."""
        return tuple(row for row in self.attributes if row.given and not row.read)


def services(cells: Cells, listed: Mapping[ServiceKey, Service]) -> list[ServiceRow]:
    """Every service with a grant or a READ ever, most grants first."""
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    parts: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for cell, n in cells.items():
        if cell.family == "service":
            sums[cell.agency, cell.period][cell.name] += n
        elif cell.family in ("given", "read"):
            parts[cell.agency, cell.period][cell.name][cell.family] += n
    rows = [_service(*key, counts, parts[key], listed) for key, counts in sums.items()]
    return sorted(rows, key=lambda row: (-row.grants, row.agency, row.service, row.version))


def _service(
    agency: str,
    period: str,
    counts: Counter[str],
    parts: Mapping[str, Counter[str]],
    listed: Mapping[ServiceKey, Service],
) -> ServiceRow:
    name, _, version = period.rpartition(" ")
    found = listed.get((agency, name, int(version)))
    registered = {f"{claim.vct} {claim.path[0]}" for claim in found.claims} if found else set(parts)
    registered = {key for key in registered if not _is_flag(key)}
    attributes = []
    for key in sorted(registered | {key for key in parts if not _is_flag(key)}):
        vct, _, attribute = key.rpartition(" ")
        seen = parts.get(key, Counter())
        attributes.append(AttributeRow(vct, attribute, seen["given"], seen["read"], key in registered))
    return ServiceRow(
        agency,
        name,
        int(version),
        next((basis for basis in BASES if counts[basis]), found.basis if found else ""),
        counts["grants"],
        counts["reads"],
        len(registered) if found else None,
        _average(sum(row.given for row in attributes), counts["grants"]),
        _average(sum(row.read for row in attributes), counts["reads"]),
        tuple(attributes),
    )


def _is_flag(key: str) -> bool:
    return key.rpartition(" ")[2] in FLAG_NAMES


def _average(whole: int, count: int) -> float:
    return round(whole / count, 1) if count else 0.0


def grounds(rows: Sequence[ServiceRow]) -> list[tuple[str, int, int]]:
    """(legal basis, services, grants) for each of the three."""
    return [
        (basis, sum(row.basis == basis for row in rows), sum(row.grants for row in rows if row.basis == basis))
        for basis in BASES
    ]


# -- rights -------------------------------------------------------------


@dataclass(frozen=True)
class OpenRequest:
    """A request about a right without an answer; `due`: until when the agency has to give one (POSIX seconds)."""

    slot: int
    right: Right
    agency: str
    asked: int
    due: int
    is_overdue: bool


@dataclass(frozen=True)
class Rights:
    """`on_time` and `late`: answers; `waiting`: requests, the oldest first."""

    on_time: int
    late: int
    waiting: tuple[OpenRequest, ...] = field(default=())

    @property
    def overdue(self) -> int:
        """Requests whose month is over."""
        return sum(request.is_overdue for request in self.waiting)


def rights(cells: Cells, asked: Sequence[tuple[int, Right, Asked]], now: int) -> Rights:
    """All that were ever asked: to see, to correct, to erase."""
    sums = by_name(cells, "right", None)
    waiting = []
    for slot, right, request in asked:
        due = one_month_after(request.time)
        waiting.append(OpenRequest(slot, right, request.agency, request.time, due, due < now))
    return Rights(sums["on_time"], sums["late"], tuple(waiting))
