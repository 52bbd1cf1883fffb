"""Tiles, bundles, checkpoints and proofs over HTTP: requests a second, and CPU of the log's process a request.

Against the same server (granian, `service.edge`, Flask, `service.app`) that answers a constant of the same size,
and against one that reads a file of that size for each request. One kept connection a client, two clients; in
turn, in one run. CPU is that of the whole server; that of the clients is not in it.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response

from bench.grown import READ_OPENING_BYTES, Filler
from bench.processes import cpu_of, rss_mb
from examples.founding import Teller, Town, found_town
from examples.processes import Server, free_ports, is_answering
from protocol.tiles import TILE_WIDTH, entries_path, tile_path
from service.app import make_app
from service.serve import serve

LEAVES = 100_000
CLIENTS = 2
REQUESTS = 150
"""Of each client in a slice."""
ROUNDS = 5
READY_SECONDS = 3600.0


def create(home: Path) -> Flask:
    """The server to compare with: `/constant/N` and `/file/N`, of N bytes."""
    app = make_app("bench", health=dict)
    constants: dict[int, bytes] = {}

    @app.get("/constant/<int:size>")
    def constant(size: int) -> Response:
        return _answer(constants.setdefault(size, bytes(size)))

    @app.get("/file/<int:size>")
    def file(size: int) -> Response:
        path = home / f"{size}.bin"
        if not path.exists():
            path.write_bytes(os.urandom(size))
        return _answer(path.read_bytes())

    return app


def start_peer(folder: Path) -> Server:
    """That server in a process of its own."""
    home, (port,) = folder / "peer", free_ports(1)
    home.mkdir(mode=0o700)
    peer = Server("peer", home, (), f"http://localhost:{port}", folder / "peer.log")
    command = [sys.executable, "-m", "bench.serving", str(home), str(port)]
    with peer.log.open("ab") as output:
        peer.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    while not is_answering(peer.url):
        if peer.process.poll() is not None:
            raise RuntimeError(f"the peer did not start:\n{peer.log.read_text()[-2000:]}")
        time.sleep(0.05)
    return peer


def _answer(data: bytes) -> Response:
    response = Response(data, content_type="application/octet-stream")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def town_of(folder: Path, leaves: int, *, read_opening_bytes: int = READ_OPENING_BYTES) -> Town:
    """A town whose log holds `leaves` and is published."""
    town = found_town(folder, Teller(quiet=True))
    log = town.servers["log"]
    log.stop()
    Filler(town.at("log") / "log.db", read_opening_bytes=read_opening_bytes).fill(leaves)
    log.start()
    wait_for_reads(log)
    return town


def wait_for_reads(log: Server) -> None:
    """Until the cosigner has replayed what was filled in and the log takes READs."""
    deadline = time.monotonic() + READY_SECONDS
    while b'"reads":true' not in get_all(log.url, "/healthz", 1).replace(b" ", b""):
        if time.monotonic() > deadline:
            raise RuntimeError("the log is not ready for reads")
        time.sleep(0.2)


def get_all(url: str, path: str, count: int) -> bytes:
    """`count` times the same GET over one connection; the body of the last answer."""
    parts, body = urlsplit(url), b""
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        answers = connection.makefile("rb")
        for _ in range(count):
            connection.sendall(request)
            status, length = int(answers.readline().split()[1]), 0
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            body = answers.read(length)
            if status != 200:
                raise RuntimeError(f"{path} was answered with {status}")
    return body


def slice_of(server: Server, path: str) -> tuple[float, float]:
    """Requests a second and CPU seconds a request."""
    clients = [threading.Thread(target=get_all, args=(server.url, path, REQUESTS)) for _ in range(CLIENTS)]
    before, start = cpu_of(server), time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds, count = time.perf_counter() - start, CLIENTS * REQUESTS
    return count / seconds, (cpu_of(server) - before) / count


def paths(leaves: int) -> dict[str, str]:
    """What is asked for, in a log of a little more than `leaves` leaves."""
    middle = leaves // TILE_WIDTH // 2
    return {
        "tile": tile_path(0, middle),
        "partial_tile": tile_path(0, leaves // TILE_WIDTH, max(1, leaves % TILE_WIDTH)),
        "bundle": entries_path(middle),
        "partial_bundle": entries_path(leaves // TILE_WIDTH, max(1, leaves % TILE_WIDTH)),
        "checkpoint": "checkpoint",
        "proof": f"v1/proofs/{leaves // 3}",
        "status_chunk": "v1/status-chunks/0",
    }


def compare(log: Server, peer: Server, path: str) -> dict[str, float]:
    """Medians; `to_constant` and `to_file` are ratios of CPU a request."""
    size = len(get_all(log.url, f"/{path}", 1))
    rounds = []
    for _ in range(ROUNDS):
        rounds.append([
            slice_of(log, f"/{path}"),
            slice_of(peer, f"/constant/{size}"),
            slice_of(peer, f"/file/{size}"),
        ])  # fmt: skip
    return {
        "bytes": size,
        "requests_per_second": round(statistics.median(own[0] for own, _, _ in rounds)),
        "cpu_us": round(statistics.median(own[1] for own, _, _ in rounds) * 1e6),
        "to_constant": round(statistics.median(own[1] / constant[1] for own, constant, _ in rounds), 2),
        "to_file": round(statistics.median(own[1] / file[1] for own, _, file in rounds), 2),
    }


def measure(leaves: int = LEAVES) -> dict[str, Any]:
    """All public paths of a log of `leaves`."""
    with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
        town = town_of(Path(folder) / "town", leaves)
        peer = start_peer(Path(folder))
        try:
            log = town.servers["log"]
            found = {name: compare(log, peer, path) for name, path in paths(leaves).items()}
            return {"leaves": leaves, **found, "log_rss_mb": rss_mb(log)}
        finally:
            peer.stop()
            town.close()


if __name__ == "__main__":
    serve("bench.serving:create", sys.argv[1], port=int(sys.argv[2]))
