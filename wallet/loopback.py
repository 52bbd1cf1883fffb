"""The resident's browser comes back to this machine (RFC 8252 7.3): a listener for one answer, then gone.

It listens on 127.0.0.1 only, on a port of the system's choice and under a path that nobody can guess, and takes
one GET there. Any program on this machine could call it, so what comes is judged by `state` and `iss`, not here.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from protocol.canonical import b64u_encode
from protocol.errors import Unavailable
from protocol.passphrase import Random

LOGIN_SECONDS = 600
"""For the resident to log in."""
_REQUEST_SECONDS = 5
_POLL_SECONDS = 0.1
_PATH_BYTES = 16
_MAX_TARGET = 8192
_PAGE = (
    b"<!doctype html><html lang=nl><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    b"<title>Regie</title><h1>Terug naar je wallet</h1><p>Je kunt dit venster sluiten en verdergaan in je wallet."
    b"<p lang=en>You can close this window and go on in your wallet."
)


class _Server(ThreadingHTTPServer):
    """A thread for each caller: one who never finishes his request, as a browser's spare connection does not,
    keeps the answer of nobody else out, and no wait is longer than it was to be.
    """

    allow_reuse_address = allow_reuse_port = False  # some systems let a second program listen here otherwise
    path: str = ""
    query: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came = threading.Event()
        self._lock = threading.Lock()

    def take(self, target: str) -> bool:
        """Whether this is the one answer, which is kept."""
        path, _, query = target.partition("?")
        with self._lock:
            is_it = path == self.path and len(target) <= _MAX_TARGET and self.query is None
            if is_it:
                self.query = query
        return is_it

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: whoever called has gone, and the next one may be the browser."""


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[int] = _REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """The one answer; anything else on this port is nobody's."""
        known = self.server.take(self.path)
        try:
            self._answer(200 if known else 404, _PAGE if known else b"")
        finally:
            if known:
                self.server.came.set()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds a code."""


class LoopbackListener:
    """Waits for one answer from the browser, without standing still. Nothing listens before `listen`."""

    def __init__(self, random: Random) -> None:
        self._path = f"/{b64u_encode(random(_PATH_BYTES))}"
        self._listening: threading.Thread | None = None

    @cached_property
    def _server(self) -> "_Server":
        """Listens from the first use on: most offers need no browser."""
        server = _Server()
        server.path = self._path
        return server

    @property
    def redirect_uri(self) -> str:
        """Where the browser comes back to."""
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    @property
    def answer(self) -> str | None:
        """The query with which the browser came back, once it has."""
        return self._server.query

    def listen(self) -> None:
        """Answer the browser from now on."""
        self._listening = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._listening.start()

    def wait(self, seconds: float) -> None:
        """Until the answer is there, at most this long."""
        self._server.came.wait(seconds)

    def stop(self) -> None:
        """Take nothing more; an answer that came is kept."""
        if self._listening is not None:
            self._server.shutdown()
            self._listening.join()
            self._listening = None

    def close(self) -> None:
        """Free the port, if there was need of one."""
        self.stop()
        if "_server" in self.__dict__:
            self._server.server_close()


class LoopbackBrowser(LoopbackListener):
    """A browser on this machine, waited for. `show` puts the address before the resident, who opens it."""

    def __init__(self, show: Callable[[str], None], random: Random, *, seconds: float = LOGIN_SECONDS) -> None:
        super().__init__(random)
        self._show = show
        self._seconds = seconds

    def visit(self, url: str) -> str:
        """The query with which the browser came back. Raises `Unavailable`: `no_login` when it did not in time."""
        self.listen()
        try:
            self._show(url)
            self.wait(self._seconds)
        finally:
            self.stop()
        if self.answer is None:
            raise Unavailable("no_login", "nobody logged in in time; nothing was received")
        return self.answer
