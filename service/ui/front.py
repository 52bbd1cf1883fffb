"""A face beside an API in one process: requests below a prefix go to the face, all others to the API.

def create(home: Path) -> WsgiApp:
    api = web.create(home)
    return Front(api, {"/desk": ui.app.create(home)}) if config.staff else api
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Front:
    """`prefixes`: `/desk` and the app that answers `/desk/...`, which sees itself at `SCRIPT_NAME`.

    `/desk` itself leads to `/desk/`. Metrics and hot paths are those of the API (`extensions`).
    """

    def __init__(self, api: Flask, prefixes: Mapping[str, Flask]) -> None:
        self.extensions = api.extensions
        self._api = api
        self._prefixes = dict(prefixes)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        path = environ.get("PATH_INFO", "")
        for prefix, face in self._prefixes.items():
            if path == prefix:
                return _to_slash(environ, start_response, prefix)
            if path.startswith(f"{prefix}/"):
                inner = {**environ, "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix}
                inner["PATH_INFO"] = path[len(prefix) :]
                return face(inner, start_response)
        return self._api(environ, start_response)


def _to_slash(environ: dict[str, Any], start_response: Callable[..., Any], prefix: str) -> Iterable[bytes]:
    if Request(environ).method not in ("GET", "HEAD"):
        return NotFound()(environ, start_response)
    return redirect(f"{environ.get('SCRIPT_NAME', '')}{prefix}/", 308)(environ, start_response)
