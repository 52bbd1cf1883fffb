"""Between granian and a Flask app: a client that is slow costs no thread.

granian's WSGI mode gives each request a thread before its body has come: 64 clients that send half a body and
wait stop the whole server, a resident's revocation included, for as long as they like. Here an event loop takes
whole requests in (RSGI), within a time and a size; a thread runs the app once there is nothing left to wait for.
"""

import asyncio
import io
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from granian._granian import RSGIHTTPProtocol, RSGIProtocolClosed
from granian.rsgi import Scope

from service.journal import log_event
from service.metrics import METRICS, Metrics
from service.trace import HEADER, span

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
RsgiApp = Callable[[Scope, RSGIHTTPProtocol], Coroutine[Any, Any, None]]
Answer = tuple[int, list[tuple[str, str]], bytes]
HotPath = Callable[[str, bytes], Awaitable[Answer]]
"""`await path(media_type, body)`: an endpoint that runs on the event loop, and so MUST NOT block it."""
HOT_PATHS = "regie.hot_paths"
"""Key in a Flask app's `extensions` of its hot paths, by method and path: see `service.hot`."""

API_VERSION = "1.0.0"
"""In every answer (NLgov API Design Rules, /core/version-header), those that are made here included."""
BODY_SECONDS = 10.0
"""From the head of a request to the end of its body."""
MAX_REQUEST_BYTES = 1024 * 1024
"""No endpoint takes more, unless the app says so in `REQUEST_BYTES`; each has its own, lower limit."""
REQUEST_BYTES = "regie.request_bytes"
"""Key in a Flask app's `extensions` of another such limit: for a page to which somebody uploads a file."""
MAX_WAITING_BYTES = 256 * 1024 * 1024
"""Of bodies received and not yet answered, over all clients."""
_CODES = {400: "incomplete", 408: "too_slow", 413: "too_large", 503: "busy"}


class Edge:
    """`handle` is an RSGI application around the WSGI `app`, which runs in `threads` threads; see `HOT_PATHS`."""

    def __init__(self, app: WsgiApp, *, threads: int, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._hot: Mapping[tuple[str, str], HotPath] = getattr(app, "extensions", {}).get(HOT_PATHS, {})
        self._metrics: Metrics | None = getattr(app, "extensions", {}).get(METRICS)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._body_seconds = body_seconds
        self._max_bytes: int = getattr(app, "extensions", {}).get(REQUEST_BYTES, MAX_REQUEST_BYTES)
        self._waiting_bytes = 0

    async def handle(self, scope: Scope, protocol: RSGIHTTPProtocol) -> None:
        """One request: 1. refuse what is too large to wait for; 2. take the body in; 3. answer from a thread."""
        if _announced_bytes(scope) > self._max_bytes:  # 1
            return self._refuse(protocol, 413)
        data = bytearray()
        try:
            status = await self._take(scope, protocol, data)  # 2
            if status:
                return self._refuse(protocol, status)
            hot = self._hot.get((scope.method, scope.path))
            if hot is not None:
                started = time.perf_counter()
                with span(scope.headers.get(HEADER)):
                    answer = await hot(_media_type(scope), bytes(data))
                self._observe(scope.method, scope.path, answer[0], started)  # a hot path is its own route
            else:
                environ = _environ(scope, bytes(data))
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._threads, self._run, environ)  # 3
        finally:
            self._waiting_bytes -= len(data)
        protocol.response_bytes(*answer)
        return None

    def _refuse(self, protocol: RSGIHTTPProtocol, status: int) -> None:
        _refuse(protocol, status)
        self._observe("-", "-", status, time.perf_counter())

    def _observe(self, method: str, route: str, status: int, started: float) -> None:
        if self._metrics is not None:
            self._metrics.observe(method, route, status, time.perf_counter() - started)

    async def _take(self, scope: Scope, protocol: RSGIHTTPProtocol, data: bytearray) -> int:
        """Fill `data` with the body; 0, or the status with which it is refused."""
        if not _announced_bytes(scope):
            return 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for chunk in protocol:
                    data += chunk
                    self._waiting_bytes += len(chunk)
                    if len(data) > self._max_bytes:
                        return 413
                    if self._waiting_bytes > MAX_WAITING_BYTES:
                        return 503
        except TimeoutError:
            return 408
        except RSGIProtocolClosed:
            return 400
        length = scope.headers.get("content-length")
        # A client that hangs up half-way ends the stream like one that is done.
        return 400 if length is not None and int(length) != len(data) else 0

    def _run(self, environ: dict[str, Any]) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
            started.append((status, headers))

        chunks = self._app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        return int(status[:3]), [(name.lower(), value) for name, value in headers], body


def _announced_bytes(scope: Scope) -> int:
    """How much body to expect at least; 1 when the client does not say how much."""
    length = scope.headers.get("content-length")
    if length is not None:  # granian has refused what is no number
        return int(length)
    return 1 if "transfer-encoding" in scope.headers else 0


def _media_type(scope: Scope) -> str:
    """Without parameters, lower case; empty when there is none."""
    return (scope.headers.get("content-type") or "").partition(";")[0].strip().lower()


def _environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """PEP 3333. Header names with an underscore are dropped: they would pass for those with a hyphen."""
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    environ.update(_headers(scope))
    return environ


def _headers(scope: Scope) -> Iterator[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope.headers.items():
        if "_" not in name and name not in ("content-length", "transfer-encoding"):
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
        yield key, ("; " if name == "cookie" else ",").join(values)


def _refuse(protocol: RSGIHTTPProtocol, status: int) -> None:
    """Answer without the app, and close: there is a body that nobody will read."""
    code = _CODES[status]
    log_event("service", "refused", status=status, code=code)
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": ""}
    headers = [
        ("content-type", "application/problem+json"),
        ("api-version", API_VERSION),
        ("cache-control", "no-store"),
        ("connection", "close"),
        *([("retry-after", "1")] if status == 503 else []),
    ]
    protocol.response_bytes(status, headers, msgspec.json.encode(body))
