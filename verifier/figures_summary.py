"""Figures of a month as people look at them (pure): sums, shares, and what was left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from protocol.figures import FAMILIES, Figures

GIVEN = ("given_hour", "given_day", "given_week", "given_later")
_CSV_HEAD = ("month", "oin", "agency", "service", "basis", "figure", "count")


@dataclass(frozen=True)
class Summary:
    """Sums over the cells that left; `left_out` cells are in none of them, so each sum is a least.

    `by_consent` and `by_task`: given agreements by ground; `speeds`: given within an hour, a day, a week, later.
    """

    figures: Figures
    running: int
    given: int
    refused: int
    unanswered: int
    stopped: int
    read: int
    on_time: int
    late: int
    by_consent: int
    by_task: int
    speeds: tuple[int, int, int, int]
    left_out: int

    @property
    def agency(self) -> str:
        """Name as listed when it was signed."""
        return self.figures.agency

    @property
    def refused_share(self) -> float | None:
        """Refused, of what residents decided; None when nothing of that left."""
        return _share(self.refused, self.given + self.refused)

    @property
    def consent_share(self) -> float | None:
        """Given by consent, of all that was given."""
        return _share(self.by_consent, self.by_consent + self.by_task)

    @property
    def on_time_share(self) -> float | None:
        """Requests about rights that were answered within their month."""
        return _share(self.on_time, self.on_time + self.late)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def summarise(figures: Figures) -> Summary:
    """Sums of one file."""
    basis = {service.id: service.basis for service in figures.services}
    sums = {name: 0 for names in FAMILIES.values() for name in names}
    grounds = {True: 0, False: 0}
    for cell in figures.cells:
        sums[cell.name] += cell.count or 0
        if cell.name in GIVEN:
            grounds[basis[cell.service] == "consent"] += cell.count or 0
    hour, day, week, later = (sums[name] for name in GIVEN)
    return Summary(
        figures=figures,
        running=sums["running"],
        given=hour + day + week + later,
        refused=sums["refused"],
        unanswered=sums["unanswered"],
        stopped=sums["stopped"],
        read=sums["read"],
        on_time=sums["on_time"],
        late=sums["late"],
        by_consent=grounds[True],
        by_task=grounds[False],
        speeds=(hour, day, week, later),
        left_out=sum(cell.count is None for cell in figures.cells),
    )


def csv_rows(found: Iterable[Figures]) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Head and lines for a spreadsheet: one for each cell, empty where it was left out."""
    rows: list[Sequence[str]] = []
    for figures in found:
        for service, names in product(figures.services, FAMILIES.values()):
            for name in names:
                count = figures.count(service.id, name)
                told = "" if count is None else str(count)
                rows.append((figures.month, figures.iss, figures.agency, service.id, service.basis, name, told))
    return _CSV_HEAD, rows
