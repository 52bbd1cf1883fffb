"""A batch of 10,000 reads by one client, killed half-way and resumed, with the single read beside it in one run.

All parts are real: wallets grant, `regie verifier batch` reads in a process of its own, eight rows at a time, each
an entry in the log that is checked in full (section 8.4). SIGKILL ends it when half of the rows were handed
over; `--resume` does the rest. That no row was read twice shows in the numbers that the log counts per grant. Log,
witness, auditing cosigner and the client share the machine.
"""

import json
import os
import secrets
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import peak_of
from examples import within
from examples.founding import PERSONS, Teller, Town, found_town
from examples.processes import REGIE, environment
from service.clock import SystemClock
from service.fetch import Fetcher
from verifier.desk import Parts
from verifier.machine import Agency

ROWS = 10_000
RESIDENTS = 10
GRANTS = 40
SINGLES = 200
"""Reads one after the other, half of them before the batch and half after it."""
OFFICER = "bench"


@dataclass
class Run:
    """What came out of one process: lines with the moment (monotonic seconds) at which each was read."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0
    peak_mb: float = 0.0

    @property
    def rate(self) -> float:
        """Rows a second from the first line to the last."""
        return (len(self.lines) - 1) / (self.last - self.first)


def grants_of(town: Town) -> list[str]:
    """Ids of `GRANTS` grants of `RESIDENTS` residents."""
    found = []
    numbers = [json.loads(line)["burgerservicenummer"] for line in PERSONS.read_text().splitlines()[:RESIDENTS]]
    for name, bsn in enumerate(numbers):
        town.open_wallet(f"resident{name}", bsn, ("persoon", "adres"))
        for _ in range(GRANTS // RESIDENTS):
            asked = town.regie("agency", "verifier", "ask", "parkeervergunning").answer
            town.regie(f"resident{name}", "wallet", "grant", asked["request"], "--yes")
            found.append(asked["id"])
    return found


def batch_lines(town: Town, file: Path, run: Run, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`regie verifier batch`, line by line; the process comes with each line."""
    command = [str(REGIE), "verifier", "batch", str(file), "--officer", OFFICER, *arguments]
    with subprocess.Popen(
        command, env=environment(town.at("agency")), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.endswith("\n"):
                break  # cut off in the middle by the kill: the row comes again
            run.last = time.monotonic()
            run.first = run.first or run.last
            run.lines.append(json.loads(line))
            if len(run.lines) % 500 == 0:
                run.peak_mb = max(run.peak_mb, peak_of(process.pid))
            yield process


def singles(agency: Agency, grants: list[str], count: int) -> list[float]:
    """Seconds of each of `count` reads, one after the other."""
    seconds = []
    for number in range(count):
        start = time.perf_counter()
        agency.read(grants[number % len(grants)], "Z-single", ["postcode"])
        seconds.append(time.perf_counter() - start)
    return seconds


def measure(rows: int = ROWS) -> dict[str, Any]:
    """Rates of batch and single read, and what the kill left. Raises `AssertionError` if a row was read twice."""
    with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
        town = found_town(Path(folder) / "town", Teller(quiet=True), command=within.run)
        try:
            return _measure(town, Path(folder) / "rows.jsonl", rows)
        finally:
            town.close()


def _measure(town: Town, file: Path, rows: int) -> dict[str, Any]:
    grants = grants_of(town)
    wanted = [{"grant": grants[n % len(grants)], "case": f"Z-{n}", "only": ["postcode"]} for n in range(rows)]
    file.write_text("".join(json.dumps(row) + "\n" for row in wanted))
    parts = Parts(SystemClock(), Fetcher(loopback=True), secrets.token_bytes)
    agency = Agency(town.at("agency"), officer=OFFICER, parts=parts)
    alone = singles(agency, grants, SINGLES // 2)
    killed, resumed = Run(), Run()
    for process in batch_lines(town, file, killed):
        if len(killed.lines) == rows // 2:
            os.kill(process.pid, signal.SIGKILL)
            break
    for _ in batch_lines(town, file, resumed, "--resume"):
        pass
    alone += singles(agency, grants, SINGLES // 2)
    lines = [*killed.lines, *resumed.lines]
    _check(agency, lines, rows)
    single = 1 / statistics.mean(alone)
    rate = statistics.harmonic_mean([killed.rate, resumed.rate])
    return {
        "rows": rows,
        "parallel": 8,
        "batch_reads_per_second": round(rate, 1),
        "single_reads_per_second": round(single, 1),
        "batch_to_single": round(rate / single, 2),
        "single_p50_ms": round(statistics.median(alone) * 1000, 1),
        "killed_after": len(killed.lines),
        "lines_twice": len(lines) - rows,
        "rows_read_twice": 0,
        "client_peak_mb": max(killed.peak_mb, resumed.peak_mb),
    }


def _check(agency: Agency, lines: list[dict[str, Any]], rows: int) -> None:
    """Every row has one entry, every entry one row, and the log counted no READ that nobody asked for."""
    entries: dict[int, set[int]] = {}
    for line in lines:
        entries.setdefault(line["row"], set()).add(line["index"])
    assert len(entries) == rows
    assert all(len(found) == 1 for found in entries.values())
    assert len(set.union(*entries.values())) == rows
    last = [agency.read(grant.id, "Z-last", ["postcode"]) for grant in agency.standing()]
    assert all(opened.gaps == () for opened in last)
    # The log's own numbers: READs before the last of each grant. One more would be a row that was read twice.
    assert sum(opened.n for opened in last) == rows + SINGLES
