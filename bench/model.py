"""A year of a municipality, a country and the EU: assumptions here, constants from docs/results/bench.json.

Nothing is measured here and no constant of a machine stands here: what is not assumed in `Load` or a limit below
comes from the results. Events arrive by three levels of a year's hours; a round takes as long as one event alone,
and whatever came meanwhile is the next group.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Point = Mapping[str, Any]
Results = Mapping[str, Any]

HOUR = 3600
YEAR = 365 * 24 * HOUR
COSIGN_SECONDS = 20
"""An unchanged tree is cosigned again after so long."""
LEAF_BYTES = 51
"""Of a read in its bundle, length included; almost all leaves are reads."""
HASH_BYTES = 32 * 256 / 255
"""Of a leaf in the tiles of all levels."""
HEADROOM = 0.5
"""A shard is planned for so much of what one log did at most."""
COSIGNERS = 3
WITNESSES = 3
CORES = 16
"""Of a machine, half of them used at the peak."""
SIZES = tuple(10**power for power in range(3, 9))


@dataclass(frozen=True)
class Load:
    """Assumed: what one resident does in a year, and when."""

    grants: float = 12
    reads: float = 60
    refusals: float = 1
    revocations: float = 2
    messages: float = 1
    levels: tuple[tuple[float, float], ...] = ((250, 0.20), (2000, 0.65), (6510, 0.15))
    """(hours of the year, share of the events): the busiest hour of 250 working days, the others, all else."""

    @property
    def events(self) -> float:
        """Of one resident, a year."""
        return self.grants + self.reads + self.refusals + self.revocations + self.messages


LOAD = Load()
PLACES = (("a municipality of 50,000", 50_000), ("the Netherlands, 17 million", 17_000_000),
          ("the EU, 450 million", 450_000_000))  # fmt: skip
MACHINE_GB = 64
DISK_TB = 8
START_MINUTES = 10
DAY_HOURS = 24


def least_squares(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(a, b) of y = a + b x."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return mean_y - slope * mean_x, slope


def _split(point: Point, name: str) -> tuple[float, float]:
    """Seconds of CPU for an event and for a round: with one client each event has a round of its own."""
    alone, together = point["clients_1"][name] / 1000, point["clients_64"][name] / 1000
    each_round = max(0.0, (alone - together) / (1 - 1 / point["clients_64"]["events_a_round"]))
    return max(0.0, alone - each_round), each_round


@dataclass(frozen=True)
class Constants:
    """What the results say, in the units of the formulas. CPU in seconds at the clock of that run."""

    events_per_second: float
    round_seconds: float
    event_cpu: Mapping[str, float]
    round_cpu: Mapping[str, float]
    bytes_a_leaf: float
    grants_a_leaf: float
    """In the logs that were measured: memory and start go by grants."""
    replay_seconds_a_leaf: float
    catch_up_seconds_a_leaf: float

    @classmethod
    def of(cls, results: Results) -> "Constants":
        """From the parts `reads`, `replay` and `scale`."""
        points: Sequence[Point] = results["scale"]["points"]
        event, each_round = {}, {}
        for name in ("log", "cosigner", "witness"):
            split = [_split(point, f"{name}_cpu_ms") for point in points]
            event[name] = statistics.median(seconds for seconds, _ in split)
            each_round[name] = statistics.median(seconds for _, seconds in split)
        full = [p for p in points if p["read_opening_bytes"] == points[0]["read_opening_bytes"]][-1]
        return cls(
            events_per_second=results["reads"]["clients_64"]["events_per_second"],
            round_seconds=results["reads"]["clients_1"]["p50_ms"] / 1000,
            event_cpu=event,
            round_cpu=each_round,
            bytes_a_leaf=full["database_bytes"] / full["leaves"],
            grants_a_leaf=results["replay"]["mix"]["grant"],
            replay_seconds_a_leaf=results["replay"]["replay_us_a_leaf"] / 1e6,
            catch_up_seconds_a_leaf=points[-1]["catch_up_seconds"] / points[-1]["leaves"],
        )


@dataclass(frozen=True)
class Year:
    """One year of `residents` on `logs` equal logs."""

    residents: int
    logs: int
    known: Constants

    @property
    def events(self) -> float:
        """Of all logs."""
        return self.residents * LOAD.events

    def rates(self) -> list[tuple[float, float]]:
        """(seconds of the year, events a second of one log) for each level."""
        return [(hours * HOUR, self.events * share / (hours * HOUR) / self.logs) for hours, share in LOAD.levels]

    @property
    def peak(self) -> float:
        """Events a second of all logs in the busiest hours."""
        return self.rates()[0][1] * self.logs

    def rounds(self, rate: float) -> float:
        """Checkpoints a second of one log at `rate` events a second."""
        return max(rate / (1 + rate * self.known.round_seconds), 1 / COSIGN_SECONDS)

    @property
    def checkpoints(self) -> float:
        """Of all logs."""
        return self.logs * sum(seconds * self.rounds(rate) for seconds, rate in self.rates())

    @property
    def leaves(self) -> float:
        """Of one log: its events and a head for each checkpoint."""
        return (self.events + self.checkpoints) / self.logs

    def cores(self, name: str) -> float:
        """Of all servers of a kind at the peak, one a log."""
        rate = self.rates()[0][1]
        return self.logs * (rate * self.known.event_cpu[name] + self.rounds(rate) * self.known.round_cpu[name])


def logs_needed(residents: int, known: Constants) -> int:
    """So many that none does more than `HEADROOM` of what one can at the peak."""
    peak = Year(residents, 1, known).peak
    return max(1, math.ceil(peak / (known.events_per_second * HEADROOM)))


def extrapolated(points: Sequence[Point], size: int) -> dict[str, Any]:
    """What a log of `size` leaves would be: linear in its leaves from the two largest that were measured, and for
    the CPU of an event linear in the logarithm, from all.
    """
    largest = points[-2:]

    def linear(value: str) -> float:
        a, b = least_squares([(p["leaves"], p[value]) for p in largest])
        return a + b * size

    def by_size(clients: str) -> dict[str, float]:
        seen = [(math.log10(p["leaves"]), p[clients]["log_cpu_ms"] / p[clients]["bare_cpu_ms"]) for p in points]
        a, b = least_squares(seen)
        return {"log_cpu_ms": a + b * math.log10(size), "bare_cpu_ms": 1.0}

    def memory(server: str) -> float:
        a, b = least_squares([(p["leaves"], p["rss_mb"][server]) for p in largest])
        return a + b * size

    level = math.log2(size / points[-1]["leaves"])
    return {
        "leaves": size,
        "start_seconds": linear("start_seconds"),
        "catch_up_seconds": linear("catch_up_seconds"),
        "database_bytes": linear("database_bytes"),
        "clients_64": by_size("clients_64"),
        "clients_1": by_size("clients_1"),
        "proof_bytes": points[-1]["proof_bytes"] + math.ceil(level) * 45,
        "rss_mb": {"log": memory("log"), "cosigner": memory("cosigner")},
    }


def shares(residents: int, known: Constants, points: Sequence[Point]) -> list[tuple[str, float]]:
    """What one log for all of `residents` would use after a year, as a share of each limit; the largest first."""
    year = Year(residents, 1, known)
    grants = residents * LOAD.grants
    end = extrapolated(points, round(grants / known.grants_a_leaf))  # the size at which those had as many grants
    found = [
        ("events a second of one log", year.peak / known.events_per_second),
        (f"disk of {DISK_TB} TB", year.events * known.bytes_a_leaf / (DISK_TB * 1e12)),
        (f"memory of a cosigner, {MACHINE_GB} GB", end["rss_mb"]["cosigner"] / (MACHINE_GB * 1e3)),
        (f"memory of the log, {MACHINE_GB} GB", end["rss_mb"]["log"] / (MACHINE_GB * 1e3)),
        (f"start within {START_MINUTES} min", end["start_seconds"] / (START_MINUTES * 60)),
        ("a new cosigner within a day", year.leaves * known.catch_up_seconds_a_leaf / (DAY_HOURS * HOUR)),
        ("one core of a witness", year.rounds(year.rates()[0][1]) * known.round_cpu["witness"]),
    ]
    return sorted(found, key=lambda entry: -entry[1])
