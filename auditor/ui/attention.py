"""What stands out in the hours of READs: outside office hours, and many in one hour. A list, no verdict. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from zoneinfo import ZoneInfo

from auditor.tally import HOUR, Cell

OFFICE_HOURS = range(7, 19)
OFFICE_DAYS = range(1, 6)
"""ISO weekdays; public holidays are not known here."""
BURST_FACTOR = 5
"""A burst is this many times the agency's usual hour ..."""
BURST_LEAST = 20
"""... and at least this many READs."""
MAX_BURSTS = 20
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@dataclass(frozen=True)
class Outside:
    """READs of an agency outside office hours, of all its READs."""

    agency: str
    outside: int
    reads: int


@dataclass(frozen=True)
class Burst:
    """An hour (POSIX seconds at its start) with far more READs than the agency's usual one."""

    agency: str
    start: int
    reads: int
    usual: float


def is_office_hour(time: int) -> bool:
    """Monday to Friday, 7:00 to 19:00 in Amsterdam."""
    local = datetime.fromtimestamp(time, _AMSTERDAM)
    return local.isoweekday() in OFFICE_DAYS and local.hour in OFFICE_HOURS


def outside_office_hours(cells: Mapping[Cell, int], since: int) -> list[Outside]:
    """Agencies with a READ outside office hours since `since`, the largest share first."""
    reads: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for agency, start, n in _hours(cells, since):
        reads[agency] += n
        outside[agency] += 0 if is_office_hour(start) else n
    found = [Outside(agency, n, reads[agency]) for agency, n in outside.items() if n]
    return sorted(found, key=lambda row: (-row.outside / row.reads, row.agency))


def bursts(cells: Mapping[Cell, int], since: int) -> list[Burst]:
    """Hours since `since` that stand out for their agency, the largest first; at most `MAX_BURSTS`."""
    hours: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for agency, start, n in _hours(cells, since):
        hours[agency].append((start, n))
    found = []
    for agency, counted in hours.items():
        usual = median(n for _, n in counted)
        least = max(BURST_LEAST, BURST_FACTOR * usual)
        found += [Burst(agency, start, n, usual) for start, n in counted if n >= least]
    return sorted(found, key=lambda burst: (-burst.reads, burst.start))[:MAX_BURSTS]


def _hours(cells: Mapping[Cell, int], since: int) -> list[tuple[str, int, int]]:
    """(agency, start of the hour, READs)."""
    return [
        (cell.agency, int(cell.period) * HOUR, n)
        for cell, n in cells.items()
        if cell.family == "hour" and int(cell.period) * HOUR >= since
    ]
