"""The edge between server and app: patience has an end, and what is refused costs no thread."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from service import edge as edge_module
from service.edge import MAX_REQUEST_BYTES, REQUEST_BYTES, Edge


class Protocol:
    """What granian hands over: chunks come after so many seconds each; the answer is kept."""

    def __init__(self, chunks: Iterable[bytes], seconds: float = 0) -> None:
        self.chunks = chunks
        self.seconds = seconds
        self.answer: tuple[int, dict[str, str], bytes] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            await asyncio.sleep(self.seconds)
            yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.answer = status, dict(headers), body


def scope(**headers: str) -> Any:
    return SimpleNamespace(
        method="POST",
        path="/x",
        query_string="",
        http_version="1.1",
        scheme="http",
        server="127.0.0.1:80",
        client="127.0.0.1:9",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class App:
    """Answers the length of what it got, and counts."""

    calls = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.calls += 1
        body = environ["wsgi.input"].read()
        assert environ["CONTENT_LENGTH"] == str(len(body))
        start_response("200 OK", [("X-Seen", "yes")])
        return [str(len(body)).encode()]


def run(edge: Edge, protocol: Protocol, asked: Any) -> tuple[int, str]:
    asyncio.run(edge.handle(asked, protocol))  # type: ignore[arg-type]
    assert protocol.answer is not None
    status, headers, body = protocol.answer
    if status == 200:
        assert headers == {"x-seen": "yes"}
        return status, body.decode()
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert headers["api-version"] == "1.0.0"
    assert ("retry-after" in headers) == (status == 503)
    return status, json.loads(body)["code"]


def test_whole_body_reaches_the_app() -> None:
    assert run(Edge(App(), threads=1), Protocol([b"ab", b"c"]), scope(content_length="3")) == (200, "3")
    assert run(Edge(App(), threads=1), Protocol([b"ab", b"c"]), scope(transfer_encoding="chunked")) == (200, "3")
    assert run(Edge(App(), threads=1), Protocol([]), scope()) == (200, "0")
    assert run(Edge(App(), threads=1), Protocol([]), scope(content_length="0")) == (200, "0")


@pytest.mark.parametrize("header", ["content_length", "transfer_encoding"])
def test_largest_body_is_taken_and_one_byte_more_refused(header: str) -> None:
    for size, expected in (
        (MAX_REQUEST_BYTES, (200, str(MAX_REQUEST_BYTES))),
        (MAX_REQUEST_BYTES + 1, (413, "too_large")),
    ):
        app = App()
        value = str(size) if header == "content_length" else "chunked"
        assert run(Edge(app, threads=1), Protocol([bytes(size - 1), b"x"]), scope(**{header: value})) == expected
        assert app.calls == (expected[0] == 200)


@pytest.mark.parametrize("size", [8, 9])
def test_app_may_say_how_much_it_takes(size: int) -> None:
    app = App()
    app.extensions = {REQUEST_BYTES: 8}  # type: ignore[attr-defined]
    asked = scope(content_length=str(size)), scope(transfer_encoding="chunked")
    expected = (200, "8") if size == 8 else (413, "too_large")
    for each in asked:
        assert run(Edge(app, threads=1), Protocol([bytes(size)]), each) == expected


def test_body_that_trickles_is_cut_off() -> None:
    app = App()
    edge = Edge(app, threads=1, body_seconds=0.1)
    assert run(edge, Protocol([b"x"] * 1000, 0.02), scope(content_length="1000")) == (408, "too_slow")
    assert app.calls == 0


def test_client_that_hangs_up_half_way_is_not_taken_for_done() -> None:
    app = App()
    assert run(Edge(app, threads=1), Protocol([b"ab"]), scope(content_length="3")) == (400, "incomplete")
    assert app.calls == 0


def test_memory_of_waiting_bodies_is_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "MAX_WAITING_BYTES", 100)
    app = App()
    edge = Edge(app, threads=1, body_seconds=5)

    async def both() -> list[int]:
        slow, other = Protocol([bytes(80), bytes(10)], 0.1), Protocol([bytes(30)], 0.15)
        asked = scope(transfer_encoding="chunked")
        await asyncio.gather(edge.handle(asked, slow), edge.handle(asked, other))  # type: ignore[arg-type]
        return [protocol.answer[0] for protocol in (slow, other) if protocol.answer]

    assert asyncio.run(both()) == [200, 503]
    assert run(edge, Protocol([bytes(100)]), scope(content_length="100")) == (200, "100")


def test_memory_is_given_back_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "MAX_WAITING_BYTES", 100)
    edge = Edge(App(), threads=1, body_seconds=0.3)
    for _ in range(3):
        assert run(edge, Protocol([bytes(60), b""], 0.2), scope(transfer_encoding="chunked")) == (408, "too_slow")
        assert run(edge, Protocol([bytes(60)]), scope(content_length="61")) == (400, "incomplete")
    assert run(edge, Protocol([bytes(100)]), scope(content_length="100")) == (200, "100")
