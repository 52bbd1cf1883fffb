"""Which activities a page shows: filtered, searched, in pages and by month; and the reads of each week. Pure."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from wallet.folding import fold, polling_key
from wallet.ui.book import Line, LineKind

PAGE = 25
"""Lines of one page."""
MAX_SEARCH = 100
"""Characters that are searched for: more than any name of an attribute."""
WEEKS = 12
DAY = 86400
MAX_PICTURES = 6
"""Organisations with a picture of their own; the others share one."""
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
GROUPS: Mapping[str, frozenset[LineKind]] = {
    "given": frozenset({"given", "renewed", "begun", "unsure", "failed", "copy", "maybe_copy"}),
    "read": frozenset({"read"}),
    "refused": frozenset({"refused"}),
    "stopped": frozenset({"stopped", "ended"}),
    "erasure": frozenset(
        {"erasure_asked", "access_asked", "rectification_asked", "answered", "reported", "deletion_begun"}
    ),
    "declined": frozenset({"declined"}),
    "unsure": frozenset({"unsure", "maybe_copy"}),
}
"""What a resident can choose to see, by the name in the form."""
T = TypeVar("T")


@dataclass(frozen=True)
class Filter:
    """What a resident wants to see. Empty members ask for all; `agency` is an id, `number` an agreement's."""

    group: str = ""
    agency: str = ""
    number: str = ""
    text: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Filter()


@dataclass(frozen=True)
class Page:
    """One page of lines: `number` from 1, of `pages`; `total` lines on all of them."""

    lines: tuple[Line, ...]
    number: int
    pages: int
    total: int


@dataclass(frozen=True)
class Weeks:
    """Reads by one organisation, or by `others` of them, in each week: (Monday, number), oldest first."""

    agency_name: str
    others: int
    counts: tuple[tuple[date, int], ...]

    @property
    def total(self) -> int:
        """In all weeks."""
        return sum(count for _, count in self.counts)


def filter_of(group: str, agency: str, number: str, text: str) -> Filter:
    """What a form asked; what is no choice counts as everything."""
    return Filter(group if group in GROUPS else "", agency[:256], number[:20], " ".join(text.split())[:MAX_SEARCH])


def chosen(lines: Iterable[Line], wanted: Filter, words: Callable[[Line], str]) -> list[Line]:
    """The lines that are `wanted`, in their order. `words`: all that can be read of a line; called once for
    lines that read alike.
    """
    kinds = GROUPS.get(wanted.group)
    terms = wanted.text.casefold().split()
    found: dict[tuple[object, ...], bool] = {}

    def has_words(line: Line) -> bool:
        key = (line.kind, line.number, id(line.attributes), id(line.record), line.event and line.event.reason)
        if key not in found:
            text = words(line).casefold()
            found[key] = all(word in text for word in terms)
        return found[key]

    return [
        line
        for line in lines
        if (kinds is None or line.kind in kinds)
        and (not wanted.agency or line.agency == wanted.agency)
        and (not wanted.number or line.number == wanted.number)
        and (not terms or has_words(line))
    ]


def folded(lines: Iterable[Line]) -> list[Line]:
    """Newest first: what programs read under one agreement in one month is one line, at the last of them."""

    def key_of(line: Line) -> Hashable | None:
        key = polling_key(line.event, line.time) if line.event else None
        return None if key is None else (line.number, key)

    return [
        one.item if one.count == 1 else replace(one.item, count=one.count, since=one.last.time)
        for one in fold(lines, key_of)
    ]


def page_of(lines: Sequence[Line], number: int, size: int = PAGE) -> Page:
    """One page; a number that is too high or too low gives the nearest."""
    pages = max(1, -(-len(lines) // size))
    number = min(max(number, 1), pages)
    return Page(tuple(lines[(number - 1) * size : number * size]), number, pages, len(lines))


def by_month(lines: Iterable[Line]) -> list[tuple[int, list[Line]]]:
    """Lines in their order, under the time of the first of each month (of Amsterdam)."""
    months: list[tuple[int, list[Line]]] = []
    last: tuple[int, int] | None = None
    for line in lines:
        local = datetime.fromtimestamp(line.time, _AMSTERDAM)
        if (local.year, local.month) != last:
            last = (local.year, local.month)
            months.append((line.time, []))
        months[-1][1].append(line)
    return months


def reads_by_week(lines: Iterable[Line], now: int, weeks: int = WEEKS) -> list[Weeks]:
    """Who read how often in the last weeks, this one included; who read most comes first.

    `lines` newest first. Nobody who did not read has a picture.
    """
    monday = _monday(now)
    mondays = [monday - timedelta(weeks=weeks - 1 - place) for place in range(weeks)]
    starts = [int(datetime.combine(day, datetime.min.time(), _AMSTERDAM).timestamp()) for day in mondays]
    names: dict[str, str] = {}
    counts: dict[str, list[int]] = {}
    place = weeks - 1
    for line in lines:
        while place >= 0 and line.time < starts[place]:
            place -= 1
        if place < 0:
            break
        if line.kind == "read":
            names.setdefault(line.agency, line.agency_name)
            counts.setdefault(line.agency, [0] * weeks)[place] += 1
    ranked = sorted(counts, key=lambda agency: -sum(counts[agency]))
    shown = ranked if len(ranked) <= MAX_PICTURES else ranked[: MAX_PICTURES - 1]
    rest = ranked[len(shown) :]
    result = [Weeks(names[agency], 0, tuple(zip(mondays, counts[agency], strict=True))) for agency in shown]
    if rest:
        sums = [sum(counts[agency][place] for agency in rest) for place in range(weeks)]
        result.append(Weeks("", len(rest), tuple(zip(mondays, sums, strict=True))))
    return result


def _monday(time: int) -> date:
    day = datetime.fromtimestamp(time, _AMSTERDAM).date()
    return day - timedelta(days=day.weekday())
