"""The figures of a month (pure): contributions of agreements to noised cells, none of them small.

1. each agreement is held to the bound of its family; 2. every service has every cell, so that which cells there
are says nothing; 3. one draw of noise for a family, over all its cells; 4. the floor; 5. what one missing cell of
a service would give away beside the others goes too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, exp, log
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from protocol.errors import Rejected
from protocol.figures import (
    FAMILIES,
    FIGURES_FORMAT,
    FLOOR,
    FigureCell,
    Figures,
    FiguresService,
    Spent,
    check_month,
)
from protocol.trust_list import Service

EPSILON_THOUSANDTHS = 400
"""Of each family: a month costs an agreement 2.0 at most."""
BOUNDS: Mapping[str, int] = {"decided": 1, "running": 1, "stopped": 1, "read": 3, "rights": 1}
DELTA = 1e-6
"""Of each family: how likely the floor may show itself (docs/figures.md)."""
DELTA_BILLIONTHS = round(DELTA * 1e9) * len(FAMILIES)
Noise = Callable[[Sequence[int], int, float], list[int]]
"""(true counts, bound, epsilon) to noised ones."""
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Contribution(NamedTuple):
    """What one agreement adds to one cell: `n` before it is held to the bound of its family."""

    unit: str
    service: str
    name: str
    n: int


@dataclass(frozen=True)
class Period:
    """A month as POSIX seconds: from `start` to before `end`, in Europe/Amsterdam."""

    start: int
    end: int


@dataclass(frozen=True)
class Publisher:
    """Who publishes: the agency as listed, with its services of all versions."""

    oin: str
    name: str
    services: Sequence[Service]


def period_of(month: str) -> Period:
    """Midnight to midnight in Amsterdam. Raises `Rejected`: `bad_month`."""
    check_month(month)
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    try:
        ends = [datetime(*first, 1, tzinfo=_AMSTERDAM) for first in ((year, number), following)]
        return Period(*(int(end.timestamp()) for end in ends))
    except (ValueError, OverflowError) as error:
        raise Rejected("bad_month", "there is no such month") from error


def month_of(time: int) -> str:
    """The month of a moment, in Amsterdam."""
    return datetime.fromtimestamp(time, _AMSTERDAM).strftime("%Y-%m")


def make_figures(
    publisher: Publisher,
    month: str,
    counted: Mapping[str, Iterable[Contribution]],
    noise: Noise,
    *,
    now: int,
) -> Figures:
    """The figures to sign. `counted`: contributions by family; those of services that are not listed do not count.

    Raises `Rejected`: `bad_month`, `month_not_over` 409.
    """
    if now < period_of(month).end:
        raise Rejected("month_not_over", "the month is not over yet", status=409)
    services = listed_once(publisher.services)
    cells = [
        cell
        for family in FAMILIES
        for cell in _family(family, [each.id for each in services], counted.get(family, ()), noise)
    ]
    return Figures(
        format=FIGURES_FORMAT,
        iss=publisher.oin,
        agency=publisher.name,
        month=month,
        iat=now,
        floor=FLOOR,
        delta_billionths=DELTA_BILLIONTHS,
        spent=[spent_on(family) for family in FAMILIES],
        services=services,
        cells=cells,
    )


def listed_once(services: Sequence[Service]) -> list[FiguresService]:
    """The newest version of each service, in the order of their ids."""
    newest: dict[str, Service] = {}
    for service in services:
        if service.id not in newest or newest[service.id].version < service.version:
            newest[service.id] = service
    return [
        FiguresService(each.id, each.basis, each.name.nl[:256], each.name.en[:256])
        for each in sorted(newest.values(), key=lambda each: each.id)
    ]


def spent_on(family: str) -> Spent:
    """What a family states of itself."""
    named: Literal["decided", "running", "stopped", "read", "rights"] = family  # type: ignore[assignment]
    return Spent(named, BOUNDS[family], EPSILON_THOUSANDTHS, least_of(family))


def least_of(family: str) -> int:
    """The least noised count that leaves: a cell of `FLOOR` - 1 agreements gets there with a chance of at most
    `DELTA`, over both worlds that epsilon compares.

    A cell of so few has at most (FLOOR - 1) * bound; the noise has to be `margin` or more to lift it there, and
    the tail of discrete Laplace noise of scale s from m on is exp(-m / s) / (1 + exp(-1 / s)).
    """
    epsilon, bound = EPSILON_THOUSANDTHS / 1000, BOUNDS[family]
    scale = bound / epsilon
    allowed = DELTA / (1 + exp(epsilon))
    margin = ceil(scale * -log(allowed * (1 + exp(-1 / scale))))
    return (FLOOR - 1) * bound + margin


def _family(
    family: str, services: Sequence[str], counted: Iterable[Contribution], noise: Noise
) -> list[FigureCell]:
    """All cells of one family: for every listed service every name."""
    bound = BOUNDS[family]
    keys = [(service, name) for service in services for name in FAMILIES[family]]
    units: dict[tuple[str, str], set[str]] = defaultdict(set)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    seen: dict[str, int] = defaultdict(int)
    for one in counted:
        n = min(one.n, bound - seen[one.unit])  # 1. over all its cells together
        if n > 0 and (one.service, one.name) in set(keys):
            seen[one.unit] += n
            units[one.service, one.name].add(one.unit)
            sums[one.service, one.name] += n
    noised = noise([sums[key] for key in keys], bound, EPSILON_THOUSANDTHS / 1000) if keys else []  # 2., 3.
    least = least_of(family)
    shown = {
        key: value if value >= least and len(units[key]) >= FLOOR else None  # 4.
        for key, value in zip(keys, noised, strict=True)
    }
    if family == "decided":
        _hide_second(shown, services)  # 5.
    return [FigureCell(service, name, value) for (service, name), value in shown.items()]


def _hide_second(shown: dict[tuple[str, str], int | None], services: Sequence[str]) -> None:
    """Where one cell of a service is missing, its total (an annual report has it) would give that one away."""
    for service in services:
        mine = {key: value for key, value in shown.items() if key[0] == service}
        there = {key: value for key, value in mine.items() if value is not None}
        if there and len(mine) - len(there) == 1:
            shown[min(there, key=lambda key: there[key])] = None
