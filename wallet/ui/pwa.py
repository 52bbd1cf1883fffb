"""What makes a browser offer to install the wallet: a manifest and icons; and the one script of its own.

No service worker: every page comes from the program on this machine, and nothing of the wallet may lie in a cache.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from service.ui.words import _, language

pages = Blueprint("pwa", __name__)
PUBLIC = ("/manifest.webmanifest", "/icons/icon.svg", "/icons/icon-192.png", "/icons/icon-512.png")
"""Browsers fetch these without cookies, and they say nothing."""
_STATIC = Path(__file__).parent / "static"
_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".js": "text/javascript; charset=utf-8"}
_ICONS = ("icon.svg", "icon-192.png", "icon-512.png")
_BLUE, _PAPER = "#1d4b5c", "#ffffff"


@pages.get("/manifest.webmanifest")
def manifest() -> Response:
    """W3C Web Application Manifest."""
    icons = [
        {"src": "/icons/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
        {"src": "/icons/icon-192.png", "sizes": "192x192", "type": "image/png", "purpose": "any"},
        {"src": "/icons/icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "any maskable"},
    ]
    value: dict[str, Any] = {
        "id": "/",
        "name": "Regie",
        "short_name": "Regie",
        "description": _("Your data, and who may look at it."),
        "lang": language(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": _PAPER,
        "theme_color": _BLUE,
        "icons": icons,
    }
    return Response(msgspec.json.encode(value), content_type="application/manifest+json")


@pages.get("/icons/<name>")
def icon(name: str) -> Response:
    """The mark of Regie, by size."""
    if name not in _ICONS:
        raise NotFound
    return _serve(name)


@pages.get("/passkey.js")
def script() -> Response:
    """What speaks to the authenticator."""
    return _serve("passkey.js")


def _serve(name: str) -> Response:
    data, digest = _file(name)
    response = Response(data, content_type=_TYPES[Path(name).suffix])
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(digest)
    response.make_conditional(request)
    return response


@lru_cache(maxsize=8)
def _file(name: str) -> tuple[bytes, str]:
    data = (_STATIC / name).read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:16]
