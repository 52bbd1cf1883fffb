"""Several workers of one log, each a process of its own, with a plain witness and an auditing cosigner.

`python -m tests.consentlog.crew HOME PORTS` is one worker: the log's node behind HTTP; it prints its port, or the
code with which it refuses to start. `Crew` starts them and is what parties see of them: `crew[0]` is a `SmallTown`
that speaks to the first worker only. The witnesses are the small town's own, behind HTTP; their log is any worker.
"""

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import urllib3
from werkzeug.serving import WSGIRequestHandler, make_server

from consentlog.node import Node
from consentlog.web import make_web
from protocol.errors import RegieError
from protocol.tiles import TILE_WIDTH, entries_path, parse_entries, tile_width
from service.home import Home
from tests.consentlog.peers import HandClock, Wires
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import AUDITOR_NAME, LOG_URL, WITNESS_NAME
from tests.waiting import wait_until


class Quiet(WSGIRequestHandler):
    """The apps keep their own journal."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Answered:
    """What the tests use of werkzeug's `TestResponse`."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self.status_code, self.data, self.headers = response.status, response.data, response.headers
        self.content_type = response.headers.get("Content-Type", "")

    def get_json(self, *, silent: bool = False) -> Any:
        try:
            return json.loads(self.data)
        except ValueError:
            if not silent:
                raise
            return None

    @property
    def text(self) -> str:
        return self.data.decode()

    def get_data(self, *, as_text: bool) -> str:
        return self.text


class Door:
    """An app behind HTTP, as its own `test_client`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._pool = urllib3.PoolManager(maxsize=32, retries=False, timeout=60)

    def test_client(self) -> "Door":
        return self

    def open(
        self, path: str, *, method: str, data: Any = None, content_type: str | None = None, headers: Any = None
    ) -> Answered:
        sent = dict(headers or {}) | ({"Content-Type": content_type} if content_type else {})
        return Answered(self._pool.request(method, self.url + path, body=data, headers=sent))


class AnyDoor:
    """One worker after the other, of those that answer."""

    def __init__(self, crew: "Crew") -> None:
        self._crew = crew
        self._turns = count()

    def test_client(self) -> "AnyDoor":
        return self

    def open(self, path: str, **options: Any) -> Answered:
        doors = [worker.door for worker in self._crew.workers if worker.is_heard]
        return doors[next(self._turns) % len(doors)].open(path, **options)


class Worker:
    """One process. `is_heard`: the others' requests go to it too."""

    def __init__(self, home: Path, ports: dict[str, int]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.consentlog.crew", str(home), json.dumps(ports)],
            stdout=subprocess.PIPE,
            stderr=(home.parent / "workers.log").open("ab"),
            text=True,
        )
        self.is_heard = False

    def listen(self) -> str:
        """Wait until it has started; `listening`, or the code of its refusal."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        if said.isdigit():
            self.door, self.is_heard = Door(int(said)), True
            return "listening"
        return said

    def health(self) -> dict[str, Any]:
        return self.door.open("/healthz", method="GET").get_json()

    def signal(self, number: signal.Signals) -> None:
        self.is_heard = number == signal.SIGCONT
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(60)


class Crew:
    """`count` workers of the log in `folder`, on the database `url`; the global lock in SQLite, or at `lock`."""

    def __init__(self, folder: Path, url: str, count: int, lock: str) -> None:
        self.town = SmallTown(folder, database=url, lock=lock)
        self.ports = {}
        self._servers = []
        for name in (WITNESS_NAME, AUDITOR_NAME):
            server = make_server("127.0.0.1", 0, self.town.wires.hosts[name], threaded=True, request_handler=Quiet)
            Thread(target=server.serve_forever, daemon=True).start()
            self.ports[name] = server.server_port
            self._servers.append(server)
        self.workers: list[Worker] = []
        self.town.wires.hosts[urlsplit(LOG_URL).hostname or ""] = AnyDoor(self)  # type: ignore[assignment]
        self.hire(count)

    def hire(self, count: int) -> None:
        """More of them, ready for reads."""
        new = [Worker(self.town.home.path, self.ports) for _ in range(count)]
        for worker in new:
            assert worker.listen() == "listening"
        self.workers += new
        for worker in new:
            wait_until(lambda worker=worker: worker.health()["reads"], 60)

    def hire_from(self, home: Path) -> Worker | str:
        """A worker that has another home, and is not asked by the others; or the code of its refusal."""
        worker = Worker(home, self.ports)
        said = worker.listen()
        worker.is_heard = False
        self.workers.append(worker)
        return worker if said == "listening" else said

    def __getitem__(self, place: int) -> SmallTown:
        return self.view(self.workers[place])

    def view(self, worker: Worker) -> SmallTown:
        """A small town whose only log is this worker."""
        view = copy.copy(self.town)
        view.app = worker.door  # type: ignore[assignment]
        view.leaves = lambda: leaves(view)  # type: ignore[method-assign]
        view.settle = lambda: None  # type: ignore[method-assign]
        return view

    def holder(self, among: list[int] | None = None) -> int:
        """The place of the one that publishes."""
        health = {place: self.workers[place].health() for place in among or range(len(self.workers))}
        (found,) = [place for place, state in health.items() if state["publishes"]]
        return found

    def stop(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
                worker.process.wait()
        for server in self._servers:
            server.shutdown()
            server.server_close()


def leaves(town: SmallTown) -> list[bytes]:
    """All published leaves, as this worker's public bundles show them."""
    size, found = int(town.send("GET", "/checkpoint").text.split("\n")[1]), []
    for n in range(-(-size // TILE_WIDTH)):
        width = tile_width(0, n, size)
        found += parse_entries(town.send("GET", f"/{entries_path(n, width)}").data, width)
    return found


@contextmanager
def crew(folder: Path, url: str, count: int, *, lock: str = "") -> Iterator[Crew]:
    hired = Crew(folder, url, count, lock)
    try:
        yield hired
    finally:
        hired.stop()


def main(home: str, ports: str) -> None:
    wires = Wires()
    wires.hosts = {name: Door(port) for name, port in json.loads(ports).items()}  # type: ignore[misc]
    try:
        node = Node(Home(home), clock=HandClock(), random=os.urandom, fetcher=wires)
    except RegieError as error:
        print(error.code, flush=True)
        return
    node.start()
    server = make_server("127.0.0.1", 0, make_web(node), threaded=True, request_handler=Quiet)
    signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.shutdown).start())
    print(server.server_port, flush=True)
    server.serve_forever()
    node.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
