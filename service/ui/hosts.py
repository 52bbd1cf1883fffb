"""Which `Host` is ours: anything else is answered 421 before the app sees the request (DNS rebinding)."""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Response

from service.journal import log_event

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_ANSWER = b"This is not the address of this page.\n"


class HostGuard:
    """A WSGI app around `app` that answers only requests to one of `hosts`, compared byte by byte.

    A trailing dot, another case, another port, `X-Forwarded-Host`: none of them is the name that a browser sends.
    """

    def __init__(self, app: WsgiApp, hosts: frozenset[str], room: str) -> None:
        self._app = app
        self._hosts = hosts
        self._room = room

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        if environ.get("HTTP_HOST", "") in self._hosts:
            return self._app(environ, start_response)
        log_event(self._room, "other_host", status=421)
        answer = Response(_ANSWER, 421, content_type="text/plain; charset=utf-8")
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer(environ, start_response)
