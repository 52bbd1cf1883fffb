"""From the plane of the paper to that of its picture: a projective map, fitted to points that are known in both.

A scanner turns and shifts, a camera tilts; straight lines stay straight, and eight numbers say it all. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from protocol.errors import Rejected

Point: TypeAlias = tuple[float, float]
LEAST_POINTS = 8
_UNKNOWNS = 8
_NOTHING = 1e-12


@dataclass(frozen=True)
class Plane:
    """x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1)."""

    numbers: tuple[float, ...]

    def at(self, point: Point) -> Point:
        """Where a point of the paper (millimetres) is in the picture (pixels)."""
        a, b, c, d, e, f, g, h = self.numbers
        x, y = point
        depth = g * x + h * y + 1
        return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth

    def scaled(self, factor: float) -> tuple[float, ...]:
        """The same for a paper that is counted in steps of 1/`factor` millimetre."""
        a, b, c, d, e, f, g, h = self.numbers
        return (a / factor, b / factor, c, d / factor, e / factor, f, g / factor, h / factor)


def fit(paper: Sequence[Point], picture: Sequence[Point]) -> Plane:
    """The map that fits the pairs best, by least squares. Raises `Rejected`: `bad_scan` when none does."""
    if len(paper) != len(picture) or len(paper) < LEAST_POINTS:
        raise Rejected("bad_scan", "too few marks of the form can be seen")
    sums = [[0.0] * (_UNKNOWNS + 1) for _ in range(_UNKNOWNS)]
    for (x, y), (u, v) in zip(paper, picture, strict=True):
        for line in (
            (x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u),
            (0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v),
        ):
            for row in range(_UNKNOWNS):
                for column in range(_UNKNOWNS + 1):
                    sums[row][column] += line[row] * line[column]
    return Plane(_solve(sums))


def error_of(plane: Plane, paper: Sequence[Point], picture: Sequence[Point]) -> float:
    """The largest distance in pixels between a point and where the map says that it is."""
    found = [plane.at(point) for point in paper]
    return max(math.dist(one, other) for one, other in zip(found, picture, strict=True))


def _solve(sums: list[list[float]]) -> tuple[float, ...]:
    """Gauss and Jordan, with the largest pivot."""
    for place in range(_UNKNOWNS):
        best = max(range(place, _UNKNOWNS), key=lambda row: abs(sums[row][place]))
        sums[place], sums[best] = sums[best], sums[place]
        pivot = sums[place][place]
        if abs(pivot) < _NOTHING:
            raise Rejected("bad_scan", "the marks of the form do not span a sheet")
        sums[place] = [number / pivot for number in sums[place]]
        for row in range(_UNKNOWNS):
            if row != place and (factor := sums[row][place]):
                sums[row] = [own - factor * other for own, other in zip(sums[row], sums[place], strict=True)]
    return tuple(row[_UNKNOWNS] for row in sums)
