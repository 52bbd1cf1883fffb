"""Timing in pairs: a slice of the candidate, a slice of the base, in turn; the median of the ratios."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

Work = Callable[[], object]
PAIRS = 31
SLICE_SECONDS = 0.02


@dataclass(frozen=True)
class Ratio:
    """`ratio` = candidate / base (median of pairs); times are medians in microseconds of CPU time."""

    ratio: float
    low: float
    high: float
    candidate_us: float
    base_us: float

    def to_json(self) -> dict[str, float]:
        """Rounded to what the measurement carries."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def repetitions(work: Work) -> int:
    """How often `work` fits into one slice, at least once."""
    start = time.process_time()
    count = 0
    while time.process_time() - start < SLICE_SECONDS:
        work()
        count += 1
    return max(1, count)


def cpu_seconds(work: Work, times: int) -> float:
    """CPU seconds for one call of `work`, averaged over `times`."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def compare(candidate: Work, base: Work, *, pairs: int = PAIRS) -> Ratio:
    """Run both in turn. The quartiles `low` and `high` tell how much the machine moved meanwhile."""
    often = repetitions(candidate)
    return compare_measured(lambda: cpu_seconds(candidate, often), base, pairs=pairs)


def compare_measured(candidate: Callable[[], float], base: Work, *, pairs: int = PAIRS) -> Ratio:
    """`compare` with a candidate that measures its own slice: CPU seconds for one call, in another process too."""
    often_base = repetitions(base)
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(pairs):
        mine.append(candidate())
        theirs.append(cpu_seconds(base, often_base))
    ratios = sorted(one / other for one, other in zip(mine, theirs, strict=True))
    return Ratio(
        statistics.median(ratios),
        ratios[len(ratios) // 4],
        ratios[-1 - len(ratios) // 4],
        statistics.median(mine) * 1e6,
        statistics.median(theirs) * 1e6,
    )
