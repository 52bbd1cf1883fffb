"""The real server before a door: what a browser cannot send, but a program can."""

import socket
from collections.abc import Iterator

import pytest

from service.ui.door import LocalDoor
from tests.service.test_serve import Server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, str]]:
    home = tmp_path_factory.mktemp("gallery")
    home.chmod(0o700)
    launch = LocalDoor(home, "gallery").launch()
    server = Server(home, "tests.service.ui.gallery.served:create", launch.port)
    server.url()
    yield launch.origin.removeprefix("http://"), launch.port, launch.url
    server.process.terminate()
    server.process.communicate(timeout=60)


def ask(port: int, *lines: str) -> bytes:
    """The first line of the answer to a request written by hand."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1"))
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_dns_rebinding_by_hand_written_requests(served: tuple[str, int, str]) -> None:
    host, port, _ = served
    for lines in (
        ("GET / HTTP/1.1", "Host: evil.example"),
        ("GET / HTTP/1.1", f"Host: {host}", "Host: evil.example"),
        ("GET / HTTP/1.1", "Host: evil.example", f"Host: {host}"),
        ("GET / HTTP/1.1", f"Host: {host}", f"Host: {host}"),
        ("GET / HTTP/1.0",),
        ("GET / HTTP/1.0", "Host: evil.example", f"X-Forwarded-Host: {host}"),
        (f"GET http://{host}/ HTTP/1.1", "Host: evil.example"),
        ("GET / HTTP/1.1", f"Host: {host}", "Host : evil.example"),
        ("GET / HTTP/1.1", f" Host: {host}"),
        ("OPTIONS * HTTP/1.1", "Host: evil.example"),
        ("POST / HTTP/1.1", "Host: evil.example", "Content-Length: 0"),
    ):
        answer = ask(port, *lines)
        assert not answer or status(answer) in (400, 421), lines
        assert b"access-control" not in answer.lower()
        assert b"Regie" not in answer


def test_face_answers_to_its_own_name_only_by_its_door(served: tuple[str, int, str]) -> None:
    host, port, url = served
    closed = ask(port, "GET / HTTP/1.1", f"Host: {host}")
    assert status(closed) == 403
    assert b"Deze pagina is dicht" in closed
    path = url.partition(host)[2]
    opened = ask(port, f"GET {path} HTTP/1.1", f"Host: {host}")
    assert status(opened) == 303
    assert status(ask(port, f"GET {path} HTTP/1.1", f"Host: {host}")) == 403
