"""What a running log measures: its state when it is asked, and counts of what it has done since it was started.

Names of witnesses and codes of refusals are the only labels: both are few, and public.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import nan
from threading import Lock
from time import monotonic

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consentlog.operations import Admitted, Delivered, Erased, Granted, Outcome, Revoked, Sealed
from protocol.errors import RegieError, Unavailable
from protocol.note import parse_signature_lines
from service.metrics import SECONDS, Metrics

GROUP_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SHARES_SECONDS = 60.0
"""How long a count of shares serves: it goes over all of them."""
_KINDS: dict[type[Outcome], str] = {
    Granted: "grant",
    Admitted: "read",
    Sealed: "release",
    Revoked: "revocation",
    Delivered: "message",
    Erased: "erasure",
}


class Meters:
    """Counted by the writer and the publisher."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._done = Counter("regie_log_operations", "Operations by outcome.", ("kind",), registry=registry)
        for kind in _KINDS.values():
            self._done.labels(kind)
        self._refused = Counter("regie_log_refusals", "Refused operations by code.", ("code",), registry=registry)
        self._groups = Histogram(
            "regie_log_group_size", "Operations of a transaction.", buckets=GROUP_SIZES, registry=registry
        )
        self._commit = Histogram(
            "regie_log_commit_seconds",
            "Of a transaction, its commit included.",
            buckets=SECONDS,
            registry=registry,
        )
        self._failed = Counter("regie_log_failed_groups", "Transactions that failed.", registry=registry)
        self._rounds = Counter("regie_log_rounds", "Rounds of publishing.", ("result",), registry=registry)
        for result in ("published", "failed"):
            self._rounds.labels(result)
        self._round = Histogram(
            "regie_log_round_seconds", "Of a round that published.", buckets=SECONDS, registry=registry
        )
        self._silent = Counter(
            "regie_log_witness_failures", "Cosignatures that failed.", ("witness",), registry=registry
        )
        self._skew = Gauge(
            "regie_log_clock_skew_seconds",
            "Our clock less that of a witness, at its last cosignature.",
            ("witness",),
            registry=registry,
        )

    def group(self, outcomes: Sequence[Outcome | RegieError], seconds: float) -> None:
        """A transaction was committed."""
        self._groups.observe(len(outcomes))
        self._commit.observe(seconds)
        for outcome in outcomes:
            if isinstance(outcome, RegieError):
                self._refused.labels(outcome.code).inc()
            else:
                self._done.labels(_KINDS[type(outcome)]).inc()

    def group_failed(self) -> None:
        """A transaction was not committed, as far as is known."""
        self._failed.inc()

    def round(self, seconds: float, *, is_published: bool) -> None:
        """A round of publishing has ended."""
        self._rounds.labels("published" if is_published else "failed").inc()
        if is_published:
            self._round.observe(seconds)

    def witness(self, name: str, *, skew: int | None) -> None:
        """A witness answered `skew` seconds behind our clock, or (None) did not cosign."""
        if skew is None:
            self._silent.labels(name).inc()
        else:
            self._skew.labels(name).set(skew)


def cosignature_time(line: str) -> int:
    """When a witness says that it signed: of a cosignature line that was verified (C2SP tlog-cosignature)."""
    return int.from_bytes(parse_signature_lines(line)[0].signature[:8], "big")


@dataclass(frozen=True)
class Reading:
    """A figure that is read when it is asked for."""

    name: str
    help: str
    read: Callable[[], float]


class State(Collector):
    """`readings` at the moment of the question."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        """One gauge each."""
        for reading in self._readings:
            yield GaugeMetricFamily(reading.name, reading.help, value=float(reading.read()))

    def describe(self) -> Iterable[Metric]:
        """Names without values: nothing is read at registration."""
        return [GaugeMetricFamily(reading.name, reading.help) for reading in self._readings]


class Slow:
    """A figure that is expensive: read at most every `seconds`. Thread-safe."""

    def __init__(self, read: Callable[[], float], seconds: float = SHARES_SECONDS) -> None:
        self._read = read
        self._seconds = seconds
        self._guard = Lock()
        self._last: tuple[float, float] | None = None

    def __call__(self) -> float:
        """The figure, or what it was a moment ago; not a number when it cannot be read."""
        with self._guard:
            now = monotonic()
            if self._last is None or now - self._last[0] > self._seconds:
                try:
                    self._last = (now, self._read())
                except Unavailable:
                    return nan
            return self._last[1]
