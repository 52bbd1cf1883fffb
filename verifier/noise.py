"""Noise that a library vouches for: the discrete Laplace mechanism of OpenDP, which also says what it costs.

Only here is OpenDP imported, and only where something is released: it is the optional extra `figures`. Its noise
is drawn over the integers from the machine's secure randomness; floating-point noise leaks in its last bits.
"""

from collections.abc import Sequence
from math import inf, nextafter
from typing import Any

import opendp.prelude as dp

from protocol.errors import Unavailable

dp.enable_features("contrib")


def laplace(counts: Sequence[int], *, bound: int, epsilon: float) -> list[int]:
    """Each of `counts` with noise of its own, together `epsilon`-differentially private.

    `bound`: how far the counts can be apart in all (L1) when one resident comes or goes. The library's own map
    from that distance to epsilon is asked before anything is drawn. Raises `Unavailable`: `noise`.
    """
    measurement = _mechanism(bound, epsilon)
    if measurement.map(bound) > epsilon:
        raise Unavailable("noise", "the noise would cost more than is stated")
    return [int(count) for count in measurement([int(count) for count in counts])]


def cost(*, bound: int, epsilon: float) -> float:
    """What OpenDP says a release by `laplace` costs: never more than `epsilon`."""
    return float(_mechanism(bound, epsilon).map(bound))


def _mechanism(bound: int, epsilon: float) -> Any:
    domain, distance = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    return dp.m.make_laplace(domain, distance, scale=scale_of(bound=bound, epsilon=epsilon))


def scale_of(*, bound: int, epsilon: float) -> float:
    """The scale of the noise, a hair wider than bound / epsilon, so that rounding never makes it cost more."""
    return nextafter(bound / epsilon, inf)
