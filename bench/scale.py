"""What an event costs in logs of 10^3 to 10^7 leaves: measured on running towns whose log was grown to that size.

At each size: what the files take, how long a start takes, how long a new auditing cosigner needs to replay all of
it, memory of both, and the CPU of log, witness and cosigner for READs of 64 clients and of one. Beside each figure
of CPU stands that of the bare work of an event (`bench.reads`) at that moment, since the machine's clock moves.
REGIE_BENCH_LEAVES ends it earlier: a size of 10^7 takes about half an hour and 8 GB of disk.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.grown import READ_OPENING_BYTES, Filler, bytes_on_disk, sizes_up_to
from bench.load import Load, LoadGrant
from bench.processes import cpu_of, peak_mb, rss_mb
from bench.reads import bare_cpu, http_rate
from bench.serving import get_all, wait_for_reads
from examples.founding import Teller, Town, found_town

LARGEST = 10_000_000
CLIENTS = 64
EVENTS_OF_MANY = 8
EVENTS_OF_ONE = 60
FULL_OPENINGS = 1_000_000
"""Up to this size the openings of READs have their real length; beyond it a short one, to spare the disk."""
SHORT_OPENING_BYTES = 100


def measure() -> dict[str, Any]:
    """One point a size, up to REGIE_BENCH_LEAVES if that is set."""
    return {"points": [_at(size) for size in sizes_up_to(int(os.environ.get("REGIE_BENCH_LEAVES", LARGEST)))]}


def _at(leaves: int) -> dict[str, Any]:
    opening = READ_OPENING_BYTES if leaves <= FULL_OPENINGS else SHORT_OPENING_BYTES
    with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
        town = found_town(Path(folder) / "town", Teller(quiet=True))
        try:
            found: dict[str, Any] = {"leaves": leaves, "read_opening_bytes": opening}
            found |= _fill(town, leaves, opening)
            found |= _start(town)
            found |= _reads(town)
            found |= _proofs(town, leaves)
            found["rss_mb"] = {name: rss_mb(town.servers[name]) for name in ("log", "cosigner", "witness")}
        finally:
            town.close()
    print(json.dumps(found), flush=True)
    return found


def _fill(town: Town, leaves: int, opening: int) -> dict[str, Any]:
    """The log is stopped, grown, and counted."""
    town.servers["log"].stop()
    path, start = town.at("log") / "log.db", time.perf_counter()
    Filler(path, read_opening_bytes=opening).fill(leaves)
    return {"fill_seconds": round(time.perf_counter() - start, 1), "database_bytes": bytes_on_disk(path)}


def _start(town: Town) -> dict[str, Any]:
    """Until it answers, and until its cosigner has replayed all."""
    log, cosigner = town.servers["log"], town.servers["cosigner"]
    replayed, start = cpu_of(cosigner), time.perf_counter()
    log.start()
    started = {"start_seconds": round(time.perf_counter() - start, 2), "start_cpu_seconds": round(cpu_of(log), 2)}
    started_rss = rss_mb(log)
    wait_for_reads(log)
    return {
        **started,
        "started_rss_mb": started_rss,
        "catch_up_seconds": round(time.perf_counter() - start - started["start_seconds"], 1),
        "catch_up_cosigner_cpu_seconds": round(cpu_of(cosigner) - replayed, 2),
        "catch_up_cosigner_peak_mb": peak_mb(cosigner),
    }


def _reads(town: Town) -> dict[str, Any]:
    """CPU in ms for an event, by server; with one client an event is a round of its own."""
    load = Load(town)
    grants = [load.grant() for _ in range(CLIENTS)]
    http_rate(load, grants, town.urls["log"], 1)
    return {
        "clients_64": _events(town, load, grants, EVENTS_OF_MANY),
        "clients_1": _events(town, load, grants[:1], EVENTS_OF_ONE),
    }


def _events(town: Town, load: Load, grants: list[LoadGrant], each: int) -> dict[str, float]:
    servers = {name: town.servers[name] for name in ("log", "cosigner", "witness")}
    rounds = _rounds(town)
    before = {name: cpu_of(server) for name, server in servers.items()}
    rate, latencies = http_rate(load, grants, town.urls["log"], each)
    spent = {name: (cpu_of(server) - before[name]) / len(latencies) for name, server in servers.items()}
    return {
        "events_per_second": round(rate, 1),
        "events_a_round": round(len(latencies) / max(1, _rounds(town) - rounds), 1),
        "p50_ms": round(sorted(latencies)[len(latencies) // 2] * 1000, 1),
        **{f"{name}_cpu_ms": round(seconds * 1000, 2) for name, seconds in spent.items()},
        "bare_cpu_ms": round(bare_cpu(town.home) * 1000, 3),
    }


def _rounds(town: Town) -> int:
    """Checkpoints that the witness was asked to cosign so far."""
    return (town.home / "witness.log").read_bytes().count(b"add-checkpoint")


def _proofs(town: Town, leaves: int) -> dict[str, Any]:
    """Bytes of what a party checks."""
    url = town.urls["log"]
    return {
        "proof_bytes": len(get_all(url, f"/v1/proofs/{leaves // 3}", 1)),
        "status_chunk_bytes": len(get_all(url, "/v1/status-chunks/0", 1)),
        "checkpoint_bytes": len(get_all(url, "/checkpoint", 1)),
    }
