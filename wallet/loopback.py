"""The resident's browser comes back to this machine (RFC 8252 7.3): a listener for one answer, then gone.

It listens on 127.0.0.1 only, on a port of the system's choice and under a path that nobody can guess, and takes
one GET there. Any program on this machine could call it, so what comes is judged by `state` and `iss`, not here.
"""

import time
from collections.abc import Callable
from functools import cached_property
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

from protocol.canonical import b64u_encode
from protocol.errors import Unavailable
from wallet.passphrase import Random

LOGIN_SECONDS = 600
"""For the resident to log in."""
_REQUEST_SECONDS = 5
_PATH_BYTES = 16
_MAX_TARGET = 8192
_PAGE = (
    b"<!doctype html><html lang=nl><meta charset=utf-8><title>Regie</title><p>U kunt dit venster sluiten en "
    b"verdergaan in uw wallet.<p lang=en>You can close this window and go on in your wallet."
)


class _Server(HTTPServer):
    path: str = ""
    query: str | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: whoever called has gone, and the next one may be the browser."""


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[int] = _REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """The one answer; anything else on this port is nobody's."""
        path, _, query = self.path.partition("?")
        known = path == self.server.path and len(self.path) <= _MAX_TARGET and self.server.query is None
        body = _PAGE if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
        if known:
            self.server.query = query

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds a code."""


class LoopbackBrowser:
    """A browser on this machine. `show` puts the address before the resident, who opens it."""

    def __init__(self, show: Callable[[str], None], random: Random, *, seconds: float = LOGIN_SECONDS) -> None:
        self._show = show
        self._seconds = seconds
        self._path = f"/{b64u_encode(random(_PATH_BYTES))}"

    @cached_property
    def _server(self) -> "_Server":
        """Listens from the first use on: most offers need no browser."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.path = self._path
        return server

    @property
    def redirect_uri(self) -> str:
        """Where the browser comes back to."""
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    def visit(self, url: str) -> str:
        """The query with which the browser came back. Raises `Unavailable`: `no_login` when it did not in time."""
        self._show(url)
        until = time.monotonic() + self._seconds
        while self._server.query is None:
            left = until - time.monotonic()
            if left <= 0:
                raise Unavailable("no_login", "nobody logged in in time; nothing was received")
            self._server.timeout = left
            self._server.handle_request()
        return self._server.query

    def close(self) -> None:
        """Free the port, if there was need of one."""
        if "_server" in self.__dict__:
            self._server.server_close()
