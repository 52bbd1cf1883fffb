"""The noise: what it costs by the library's own map, and that one resident more or less does not show."""

from collections import Counter
from math import exp

import pytest

from protocol.errors import Unavailable
from verifier import noise
from verifier.noise import cost, laplace

DRAWS = 8_000
SEEN = 500
"""Outcomes seen less often are not compared: a ratio of two such counts is off by a twentieth or so."""
ROOM = 1.5
"""Six standard deviations of such a ratio."""
EPSILON = 0.5


@pytest.mark.parametrize("bound", [1, 5])
@pytest.mark.parametrize("epsilon", [0.001, 0.1, 0.4, 0.5, 1.0, 10.0])
def test_library_says_that_noise_costs_what_is_stated_and_hardly_less(epsilon: float, bound: int) -> None:
    assert 0.999 * epsilon < cost(bound=bound, epsilon=epsilon) <= epsilon


def test_nothing_is_drawn_when_it_would_cost_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "scale_of", lambda bound, epsilon: bound / epsilon / 2)
    with pytest.raises(Unavailable) as info:
        laplace([7], bound=1, epsilon=EPSILON)
    assert info.value.code == "noise"


def worst_ratio(left: Counter[int], right: Counter[int]) -> float:
    """How much more often the left world gives some "at least n" or "at most n" than the right one, at worst.

    Only over outcomes that are seen `SEEN` times in both.
    """
    worst = 0.0
    for sign in (1, -1):
        for limit in sorted({*left, *right}):
            one, other = (
                sum(n for value, n in world.items() if sign * value >= sign * limit) for world in (left, right)
            )
            if min(one, other) >= SEEN:
                worst = max(worst, one / other)
    return worst


def worlds(epsilon: float) -> tuple[Counter[int], Counter[int]]:
    """Counts of two cohorts of which one has one resident more, each told many times."""
    return (
        Counter(laplace([40] * DRAWS, bound=1, epsilon=epsilon)),
        Counter(laplace([41] * DRAWS, bound=1, epsilon=epsilon)),
    )


def test_counts_that_differ_by_one_resident_cannot_be_told_apart_beyond_epsilon() -> None:
    left, right = worlds(EPSILON)
    assert worst_ratio(left, right) < exp(EPSILON) * ROOM
    assert worst_ratio(right, left) < exp(EPSILON) * ROOM


def test_the_same_test_finds_noise_that_is_too_small() -> None:
    left, right = worlds(4 * EPSILON)
    assert worst_ratio(right, left) > exp(EPSILON) * ROOM


def test_noise_is_of_the_size_that_epsilon_means() -> None:
    drawn = laplace([0] * DRAWS, bound=1, epsilon=EPSILON)
    spread = sum(value * value for value in drawn) / DRAWS
    q = exp(-EPSILON)
    assert spread == pytest.approx(2 * q / (1 - q) ** 2, rel=0.2)
    assert abs(sum(drawn) / DRAWS) < 0.3
