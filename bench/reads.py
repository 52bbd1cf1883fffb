"""Events through `POST /v1/reads` over HTTP, with 1 and 64 clients, against the same work bare in one process.

The bare work of an event: one ES256 check, one HPKE seal of the shares, one durable commit (SQLite, WAL, FULL).
The clients send READs that were signed before the clock starts, over kept connections; witness, auditing cosigner
and log share the machine with them. Both are measured in turn in one run, by wall clock.
"""

import os
import socket
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.load import Load, LoadGrant
from examples.founding import Teller, found_town
from protocol.canonical import b64u_encode, canonical_bytes
from protocol.consent_api import ReadRequest
from protocol.seal import KemPrivate, hpke_seal
from service.sqlite_file import SQLITE_PRAGMAS
from tests.protocol import builders

ROUNDS = 3
CLIENTS = 64
EVENTS_OF_MANY = 12
"""READs of each of the 64 clients in a round."""
EVENTS_OF_ONE = 40
BARE_EVENTS = 400
ROW = bytes(400)


def bare_rate(folder: Path) -> float:
    """Events a second of check, seal and commit, one after the other."""
    return _bare(folder, time.perf_counter)


def bare_cpu(folder: Path) -> float:
    """CPU seconds of the same, an event."""
    return 1 / _bare(folder, time.process_time)


def _bare(folder: Path, clock: Callable[[], float]) -> float:
    key, message = builders.es256("bench"), b"x" * 600
    signature, public = key.sign(message), KemPrivate(bytes(range(96))).public_bytes()
    connection = sqlite3.connect(folder / f"bare-{os.urandom(4).hex()}.db", isolation_level=None)
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, row BLOB)")
    start = clock()
    for _ in range(BARE_EVENTS):
        key.public.verify(signature, message)
        hpke_seal(public, ROW[:128], b"info")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events (row) VALUES (?)", (ROW,))
        connection.execute("COMMIT")
    rate = BARE_EVENTS / (clock() - start)
    connection.close()
    return rate


def prepared(load: Load, grant: LoadGrant, count: int) -> list[bytes]:
    """HTTP requests, ready to send."""
    requests = []
    for _ in range(count):
        read = load.make_read(grant)
        body = canonical_bytes(ReadRequest(read.token, b64u_encode(read.reply.public_bytes())))
        head = "POST /v1/reads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        requests.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return requests


def send_all(url: str, requests: list[bytes], latencies: list[float], failures: list[int]) -> None:
    """One client: requests one after the other over one connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        answers = connection.makefile("rb")
        for request in requests:
            start = time.perf_counter()
            connection.sendall(request)
            status = int(answers.readline().split()[1])
            length = 0
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answers.read(length)
            latencies.append(time.perf_counter() - start)
            if status != 200:
                failures.append(status)


def http_rate(load: Load, grants: list[LoadGrant], url: str, each: int) -> tuple[float, list[float]]:
    """Events a second with one client a grant, and all latencies in seconds. Raises if a READ was not answered."""
    work = [prepared(load, grant, each) for grant in grants]
    latencies: list[float] = []
    failures: list[int] = []
    clients = [threading.Thread(target=send_all, args=(url, requests, latencies, failures)) for requests in work]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds = time.perf_counter() - start
    if failures:
        raise RuntimeError(f"{len(failures)} READs were not answered, the first with {failures[0]}")
    return len(latencies) / seconds, latencies


def measure() -> dict[str, Any]:
    """Ratios to the bare rate (aim: 0.5), with the rates and latencies behind them."""
    with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
        town = found_town(Path(folder) / "town", Teller(quiet=True))
        try:
            load = Load(town)
            grants = [load.grant() for _ in range(CLIENTS)]
            rounds = [_round(load, grants, town.urls["log"], Path(folder)) for _ in range(ROUNDS)]
        finally:
            town.close()
    return {
        "clients_64": _summary([(many, bare) for many, _, bare in rounds]),
        "clients_1": _summary([(one, bare) for _, one, bare in rounds]),
    }


Measured = tuple[float, list[float]]


def _round(load: Load, grants: list[LoadGrant], url: str, folder: Path) -> tuple[Measured, Measured, float]:
    many = http_rate(load, grants, url, EVENTS_OF_MANY)
    one = http_rate(load, grants[:1], url, EVENTS_OF_ONE)
    return many, one, bare_rate(folder)


def _summary(rounds: list[tuple[Measured, float]]) -> dict[str, float]:
    latencies = sorted(latency for (_, found), _ in rounds for latency in found)
    return {
        "ratio": round(statistics.median(rate / bare for (rate, _), bare in rounds), 3),
        "events_per_second": round(statistics.median(rate for (rate, _), _ in rounds), 1),
        "bare_events_per_second": round(statistics.median(bare for _, bare in rounds), 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 1),
    }
