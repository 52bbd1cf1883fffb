"""READs of 64 clients over HTTP on a log in PostgreSQL with one worker and with two, against the bare work there.

The bare work is that of `bench.reads`, with the commit through psycopg. Server (fsync on), workers, witness,
auditing cosigner and clients share this machine: on two cores a second worker mostly takes from the others.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.load import Load
from bench.processes import cpu_of
from bench.reads import CLIENTS, EVENTS_OF_MANY, ROW, http_rate
from examples.founding import Town
from examples.processes import Server
from protocol.seal import KemPrivate, hpke_seal
from tests.protocol import builders
from tests.service import postgresql

WORKERS = (1, 2)
ROUNDS = 3
BARE_EVENTS = 200


class PostgresTown(Town):
    """A town whose log has `workers` on the database at `url`."""

    def __init__(self, home: Path, url: str, workers: int) -> None:
        super().__init__(home)
        self._url, self._workers = url, workers

    def _serve(self, name: str, *arguments: str) -> None:
        if name != "log":
            super()._serve(name, *arguments)
            return
        given = (*arguments, "--workers", str(self._workers))
        server = Server(name, self.at(name), given, self.urls[name], self.home / f"{name}.log")
        server.extra = {"DATABASE_URL": self._url}
        self.servers[name] = server
        server.start()


def bare_rate(url: str) -> float:
    """Events a second of check, seal and commit, one after the other."""
    key, message = builders.es256("bench"), b"x" * 600
    signature, public = key.sign(message), KemPrivate(bytes(range(96))).public_bytes()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (id BIGSERIAL PRIMARY KEY, row BYTEA)")
        connection.commit()
        start = time.perf_counter()
        for _ in range(BARE_EVENTS):
            key.public.verify(signature, message)
            hpke_seal(public, ROW[:128], b"info")
            connection.execute("INSERT INTO bare (row) VALUES (%s)", (ROW,))
            connection.commit()
        return BARE_EVENTS / (time.perf_counter() - start)


def measure() -> dict[str, Any]:
    """By number of workers; empty where PostgreSQL is not installed."""
    if not postgresql.is_installed():
        return {}
    server = postgresql.PostgreSQL(fsync=True)
    try:
        with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
            return {f"workers_{count}": _with_workers(server, Path(folder), count) for count in WORKERS}
    finally:
        server.stop()


def _with_workers(server: postgresql.PostgreSQL, folder: Path, count: int) -> dict[str, float]:
    url = server.url.replace("/postgres?", f"/workers_{count}?")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE workers_{count}")
    town = PostgresTown(folder / f"town-{count}", url, count)
    try:
        town.found()
        load, log = Load(town), town.servers["log"]
        grants = [load.grant() for _ in range(CLIENTS)]
        http_rate(load, grants, town.urls["log"], 1)
        rounds, before = [], cpu_of(log)
        for _ in range(ROUNDS):
            rounds.append((http_rate(load, grants, town.urls["log"], EVENTS_OF_MANY), bare_rate(server.url)))
        spent = cpu_of(log) - before
    finally:
        town.close()
    latencies = sorted(latency for (_, found), _ in rounds for latency in found)
    return {
        "ratio": round(statistics.median(rate / bare for (rate, _), bare in rounds), 3),
        "events_per_second": round(statistics.median(rate for (rate, _), _ in rounds), 1),
        "bare_events_per_second": round(statistics.median(bare for _, bare in rounds), 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1),
        "log_cpu_ms": round(spent / len(latencies) * 1000, 2),
    }
