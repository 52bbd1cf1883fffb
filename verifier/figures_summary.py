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

    `on_time`, `late`: None where not one of their cells left. `by_consent`, `by_task`: given agreements by ground;
    `speeds`: given within an hour, a day, a week, later. A share is of the services of which every figure in it
    left, for what was left out would tilt it; None without any.
    """

    figures: Figures
    running: int
    given: int
    refused: int
    unanswered: int
    stopped: int
    read: int
    on_time: int | None
    late: int | None
    by_consent: int
    by_task: int
    speeds: tuple[int, int, int, int]
    left_out: int
    refused_share: float | None
    consent_share: float | None
    on_time_share: float | None

    @property
    def agency(self) -> str:
        """Name as listed when it was signed."""
        return self.figures.agency


def summarise(figures: Figures) -> Summary:
    """Sums and shares of one file."""
    sums: dict[str, int | None] = {name: _sum(figures, name) for names in FAMILIES.values() for name in names}
    consent, task = (_given(figures, consent=consent) for consent in (True, False))
    hour, day, week, later = (sums[name] or 0 for name in GIVEN)
    return Summary(
        figures=figures,
        running=sums["running"] or 0,
        given=hour + day + week + later,
        refused=sums["refused"] or 0,
        unanswered=sums["unanswered"] or 0,
        stopped=sums["stopped"] or 0,
        read=sums["read"] or 0,
        on_time=sums["on_time"],
        late=sums["late"],
        by_consent=consent,
        by_task=task,
        speeds=(hour, day, week, later),
        left_out=sum(cell.count is None for cell in figures.cells),
        refused_share=_share(figures, ("refused",), GIVEN),
        consent_share=consent / (consent + task) if consent + task else None,
        on_time_share=_share(figures, ("on_time",), ("late",)),
    )


def _sum(figures: Figures, name: str) -> int | None:
    shown = [cell.count for cell in figures.cells if cell.name == name and cell.count is not None]
    return sum(shown) if shown else None


def _given(figures: Figures, *, consent: bool) -> int:
    """Given under services on this ground."""
    on_ground = {service.id for service in figures.services if (service.basis == "consent") is consent}
    return sum(cell.count or 0 for cell in figures.cells if cell.name in GIVEN and cell.service in on_ground)


def _share(figures: Figures, part: Sequence[str], rest: Sequence[str]) -> float | None:
    """What `part` is of both, over services of which all of that left."""
    mine, all_of_it = 0, 0
    for service in figures.services:
        counts = {name: figures.count(service.id, name) for name in (*part, *rest)}
        known = {name: count for name, count in counts.items() if count is not None}
        if len(known) == len(counts):
            mine += sum(known[name] for name in part)
            all_of_it += sum(known.values())
    return mine / all_of_it if all_of_it else None


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
