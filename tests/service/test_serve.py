"""The server process: announced when it answers, gone when it is stopped or killed, clear when it cannot start."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
import urllib3

from service.fetch import Fetcher
from service.serve import HEADER_SECONDS
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
SCRIPT = """
import sys
import click
from service.command import command, root
from service.serve import serve
@click.command()
@click.argument("target")
@click.argument("port", type=int)
@click.argument("workers", type=int)
@command
def run(ctx, home, target, port, workers):
    serve(target, home.path, port=port, workers=workers)
run.main(prog_name="run")
"""


class Server:
    """`run` in a process group of its own."""

    def __init__(
        self, home: Path, target: str = "tests.service.sample_app:create", port: int = 0, workers: int = 1
    ) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "--home", str(home), target, str(port), str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), self.process.communicate()[1]
        return line.removeprefix("listening on ").strip()

    def worker(self) -> int:
        return int((self.home / "worker.pid").read_text())

    def workers(self) -> set[int]:
        """Those that run now."""
        found = {int(path.suffix[1:]) for path in self.home.glob("started.*")}
        return {pid for pid in found if is_running(pid)}

    def result(self) -> tuple[int, str]:
        error = self.process.communicate(timeout=60)[1]
        return self.process.returncode, error


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.communicate()


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: not is_running(pid))


def can_connect(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until_closed(url: str) -> None:
    """The kernel closes the sockets of a killed process once the last of its threads has ended."""
    wait_until(lambda: not can_connect(url))


def test_server_answers_when_it_says_so_and_stops_gracefully(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    url = server.url()
    fetcher = Fetcher(loopback=True)
    assert fetcher.get(f"{url}/healthz").status == 200
    assert fetcher.post_json(f"{url}/v1/things/7", {"a": 1}).status == 201
    worker = server.worker()
    server.process.send_signal(signal.SIGTERM)
    code, error = server.result()
    assert code == 0
    assert "Traceback" not in error
    assert (tmp_path / "stopped").read_text() == "gracefully"
    assert not is_running(worker)
    assert not can_connect(url)


def test_request_under_way_is_finished_before_the_stop(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    url = server.url()
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        wait_until((tmp_path / "slow").exists)
        server.process.send_signal(signal.SIGINT)
        connection.settimeout(60)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'{"slow":true}' in answer
    assert server.result()[0] == 0


def test_worker_dies_with_its_killed_parent(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    url, worker = server.url(), server.worker()
    os.kill(server.process.pid, signal.SIGKILL)
    wait_until_gone(worker)
    wait_until_closed(url)


def test_killed_group_is_gone_and_its_port_free(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    url, worker = server.url(), server.worker()
    port = int(url.rpartition(":")[2])
    os.killpg(server.process.pid, signal.SIGKILL)
    wait_until_gone(worker)
    again = Server(tmp_path, port=port)
    servers.append(again)
    assert again.url() == url


def test_server_ends_when_its_worker_dies(tmp_path: Path, servers: list[Server]) -> None:
    (tmp_path / "crash").touch()
    server = Server(tmp_path)
    servers.append(server)
    server.url()
    (tmp_path / "crash").unlink()
    code, error = server.result()
    assert code == 3
    assert error.splitlines()[-1].endswith("(worker_stopped)")


def test_several_workers_are_announced_once_and_end_with_the_server(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path, workers=3)
    servers.append(server)
    url = server.url()
    workers = server.workers()
    assert len(workers) == 3
    assert {int(Fetcher(loopback=True).get(f"{url}/pid").body) for _ in range(30)} <= workers
    server.process.send_signal(signal.SIGTERM)
    assert server.process.stdout is not None
    assert server.process.stdout.read() == ""
    assert server.result()[0] == 0
    assert not server.workers()


def test_several_workers_die_with_their_killed_parent(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path, workers=2)
    servers.append(server)
    server.url()
    workers = server.workers()
    os.kill(server.process.pid, signal.SIGKILL)
    for worker in workers:
        wait_until_gone(worker)


def test_killed_worker_of_several_is_replaced(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path, workers=2)
    servers.append(server)
    url = server.url()
    gone, left = sorted(server.workers())
    os.kill(gone, signal.SIGKILL)
    wait_until(lambda: bool(server.workers() - {gone, left}))
    assert Fetcher(loopback=True).get(f"{url}/healthz").status == 200
    assert left in server.workers()
    assert server.process.poll() is None


def test_one_of_several_workers_that_cannot_start_ends_the_server(tmp_path: Path, servers: list[Server]) -> None:
    (tmp_path / "refuse-one").touch()
    server = Server(tmp_path, workers=3)
    servers.append(server)
    code, error = server.result()
    assert (code, error.splitlines()[-1]) == (1, "refused: this home has no key (no_key)")
    assert not server.workers()


def test_taken_port_is_refused_at_once(tmp_path: Path, servers: list[Server]) -> None:
    first = Server(tmp_path / "first")
    servers.append(first)
    port = int(first.url().rpartition(":")[2])
    second = Server(tmp_path / "second", port=port)
    servers.append(second)
    code, error = second.result()
    assert code == 3
    assert error.splitlines()[-1].endswith("(port_in_use)")
    assert "Traceback" not in error
    assert first.process.poll() is None


def test_one_home_has_one_server(tmp_path: Path, servers: list[Server]) -> None:
    first = Server(tmp_path)
    servers.append(first)
    first.url()
    second = Server(tmp_path)
    servers.append(second)
    code, error = second.result()
    assert (code, error.splitlines()[-1].rpartition(" ")[2]) == (3, "(in_use)")


@pytest.mark.parametrize(
    ("marker", "code", "text"),
    [
        ("refuse", 1, "refused: this home has no key (no_key)"),
        ("unavailable", 3, "not reachable: the database cannot do this now (database)"),
    ],
)
def test_app_that_cannot_be_made_ends_the_server_with_its_reason(
    tmp_path: Path, servers: list[Server], marker: str, code: int, text: str
) -> None:
    (tmp_path / marker).touch()
    server = Server(tmp_path)
    servers.append(server)
    found, error = server.result()
    assert (found, error.splitlines()[-1]) == (code, text)
    assert "Traceback" not in error


def test_app_that_fails_unforeseen_ends_the_server(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path, target="tests.service.sample_app:create_broken")
    servers.append(server)
    code, error = server.result()
    assert code == 3
    assert "ZeroDivisionError" in error


def test_large_body_is_refused_without_being_read(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    url = server.url()

    pieces = 0

    def endless() -> Iterator[bytes]:
        nonlocal pieces
        while pieces < 64 * 1024:  # 4 GiB
            pieces += 1
            yield bytes(65536)

    pool = urllib3.PoolManager(retries=False, timeout=60)
    headers = {"Content-Type": "application/json"}
    try:
        status = pool.request("POST", f"{url}/v1/things/7", body=endless(), headers=headers).status
    except urllib3.exceptions.ProtocolError:
        status = 413  # the server answered and closed before we had sent it all
    assert status == 413
    assert pieces < 4 * 1024
    assert Fetcher(loopback=True).get(f"{url}/healthz").status == 200


def test_head_of_a_request_that_never_ends_is_cut_off(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    url = server.url()
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 600_000)
        connection.settimeout(60)
        answer = connection.recv(100)
    assert not answer.startswith(b"HTTP/1.1 200")


HALF_A_BODY = (
    b"POST /v1/things/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
)
CHUNKED = HALF_A_BODY[:-1].replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")


def test_clients_that_never_end_their_requests_stop_nobody(tmp_path: Path, servers: list[Server]) -> None:
    """Slow loris with heads and bodies, three times as many as the server has threads."""
    server = Server(tmp_path)
    servers.append(server)
    url = server.url()
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    slow = [socket.create_connection(address) for _ in range(200)]
    for connection, start in zip(slow, cycle((HALF_A_BODY, CHUNKED, b"GET / HTTP/1.1\r\nX: ", b"")), strict=False):
        connection.sendall(start)
    fetcher = Fetcher(loopback=True, total_seconds=HEADER_SECONDS / 2)  # by then nobody has been cut off yet
    for _ in range(10):
        assert fetcher.get(f"{url}/healthz").status == 200
        assert fetcher.post_json(f"{url}/v1/things/7", {"a": 1}).status == 201
    for connection in slow:
        connection.close()


def test_body_that_comes_in_pieces_is_read_whole(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    port = int(server.url().rpartition(":")[2])
    for start, pieces in (
        (HALF_A_BODY.replace(b"100", b"7"), [b'"a"', b":1", b"}"]),
        (CHUNKED, [b'3\r\n{"a\r\n', b'4\r\n":1}\r\n', b"0\r\n\r\n"]),
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            for piece in (start, *pieces):
                connection.sendall(piece)
                time.sleep(0.02)
            assert connection.recv(4096).startswith(b"HTTP/1.1 201 Created")


def test_path_query_and_headers_reach_the_app_as_they_were_sent(tmp_path: Path, servers: list[Server]) -> None:
    server = Server(tmp_path)
    servers.append(server)
    port = int(server.url().rpartition(":")[2])
    request = (
        b"GET /echo/caf%C3%A9%20x?q=%C3%A9&q=2 HTTP/1.1\r\nHost: a.example:81\r\nX-One: 1\r\nX-One: 2\r\n"
        b"X_One: forged\r\nCookie: a=1\r\nCookie: b=2\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body) == {
        "path": "caf\u00e9 x",
        "query": ["\u00e9", "2"],
        "host": "a.example:81",
        "one": "1,2",
        "cookies": {"a": "1", "b": "2"},
        "address": "127.0.0.1",
    }
    assert head.lower().count(b"\r\nset-cookie:") == 2
