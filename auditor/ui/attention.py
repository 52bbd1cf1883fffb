"""What stands out in the hours of READs that people made: outside office hours, from home on a day off, many in an
hour or in a day. What needs more than the log (whose street, which case) only the agency can hear ring. A list, no
verdict. Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from auditor.tally import HOUR, Cell
from protocol.working_days import AMSTERDAM, is_day_off, is_usual, local

BURST_FACTOR = 5
"""A burst is this many times the agency's usual hour ..."""
BURST_LEAST = 20
"""... and at least this many READs."""
MASS_FACTOR = 4
"""A busy day is this many times the agency's usual day ..."""
MASS_LEAST = 60
"""... and at least this many READs."""
MOST = 20
"""Lines of a list."""


@dataclass(frozen=True)
class Outside:
    """READs of an agency outside office hours, of all its READs."""

    agency: str
    outside: int
    reads: int


@dataclass(frozen=True)
class Burst:
    """An hour or a day (POSIX seconds at its start) with far more READs than the agency's usual one."""

    agency: str
    start: int
    reads: int
    usual: float


@dataclass(frozen=True)
class StandingOut:
    """All of it. `day_off`: (agency, start of a day off, READs from home on it), the newest first."""

    outside: list[Outside]
    day_off: list[tuple[str, int, int]]
    bursts: list[Burst]
    days: list[Burst]


def standing_out(cells: Mapping[Cell, int], since: int) -> StandingOut:
    """What stands out since `since`; only cells of family `desk_hour` count."""
    return StandingOut(
        outside_office_hours(cells, since), days_off(cells, since), bursts(cells, since), busy_days(cells, since)
    )


def outside_office_hours(cells: Mapping[Cell, int], since: int) -> list[Outside]:
    """Agencies with a READ outside office hours since `since`, the largest share first."""
    reads: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for agency, start, _, n in _hours(cells, since):
        reads[agency] += n
        outside[agency] += 0 if is_usual(start) else n
    found = [Outside(agency, n, reads[agency]) for agency, n in outside.items() if n]
    return sorted(found, key=lambda row: (-row.outside / row.reads, row.agency))


def days_off(cells: Mapping[Cell, int], since: int) -> list[tuple[str, int, int]]:
    """READs from home on a Saturday, a Sunday or a general holiday."""
    found: Counter[tuple[str, int]] = Counter()
    for agency, start, zone, n in _hours(cells, since):
        if zone == "remote" and is_day_off(local(start).date()):
            found[agency, _midnight(start)] += n
    rows = [(agency, day, n) for (agency, day), n in found.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:MOST]


def bursts(cells: Mapping[Cell, int], since: int) -> list[Burst]:
    """Hours since `since` that stand out for their agency, the largest first."""
    spans: Counter[tuple[str, int]] = Counter()
    for agency, start, _, n in _hours(cells, since):
        spans[agency, start] += n
    return _outstanding(spans, BURST_FACTOR, BURST_LEAST)


def busy_days(cells: Mapping[Cell, int], since: int) -> list[Burst]:
    """Days since `since` that stand out for their agency, the largest first."""
    spans: Counter[tuple[str, int]] = Counter()
    for agency, start, _, n in _hours(cells, since):
        spans[agency, _midnight(start)] += n
    return _outstanding(spans, MASS_FACTOR, MASS_LEAST)


def _outstanding(spans: Mapping[tuple[str, int], int], factor: int, least: int) -> list[Burst]:
    by_agency: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (agency, start), n in spans.items():
        by_agency[agency].append((start, n))
    found = []
    for agency, counted in by_agency.items():
        usual = median(n for _, n in counted)
        found += [Burst(agency, start, n, usual) for start, n in counted if n >= max(least, factor * usual)]
    return sorted(found, key=lambda burst: (-burst.reads, burst.start))[:MOST]


def _midnight(time: int) -> int:
    day = local(time).date()
    return int(datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM).timestamp())


def _hours(cells: Mapping[Cell, int], since: int) -> Iterator[tuple[str, int, str, int]]:
    """(agency, start of the hour, zone, READs)."""
    for cell, n in cells.items():
        if cell.family == "desk_hour" and int(cell.period) * HOUR >= since:
            yield cell.agency, int(cell.period) * HOUR, cell.name, n
