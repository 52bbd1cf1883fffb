"""Styles, font and scripts of the ground, at `/assets/`: our own files and an allow-list of npm's.

npm's are installed once (`make assets`) beside `package-lock.json`, which pins them with their hashes, and never
committed. Without them `plain.css` gives the same components their look, and the font is the system's.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import NotFound

GROUND = Path(__file__).parent
MODULES = GROUND / "node_modules"
MAX_AGE = 365 * 24 * 3600
"""Seconds: every address of the pages holds the digest of what it gives."""
SHORT_AGE = 24 * 3600
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_FONT = "@fontsource/source-sans-3/files/source-sans-3-{subset}-{weight}-normal.woff2"
FROM_NPM = {
    f"source-sans-3-{subset}-{weight}.woff2": _FONT.format(subset=subset, weight=weight)
    for subset in ("latin", "latin-ext")
    for weight in (400, 600, 700)
} | {
    "qr-scanner.min.js": "qr-scanner/qr-scanner.min.js",
    "qr-scanner-worker.min.js": "qr-scanner/qr-scanner-worker.min.js",
}
"""Name under `/assets/` of each file of a package."""
STYLE, COMPONENTS = "regie.css", "components.css"
PARTS = ("palette.css", "tokens.css", "ground.css", "parts.css", "pictures.css", "faces.css", "last.css")
"""Of our style, in the order in which one overrules the other; browsers get them as one file."""
THEME = "@nl-design-system-unstable/voorbeeld-design-tokens/dist/theme.css"
UTRECHT = (
    "button", "button-link", "document", "form-label", "heading-1", "link", "paragraph", "root", "select",
    "skip-link", "table", "textarea", "textbox",
)  # fmt: skip
"""The components of the Utrecht library that our macros use."""


def has_components() -> bool:
    """Whether npm's packages are installed."""
    return _find(COMPONENTS) is not None


@lru_cache(maxsize=64)
def _find(name: str) -> tuple[bytes, str] | None:
    """The bytes of an asset and their digest; None for a name that is none, or not installed."""
    if name == COMPONENTS:
        data = _components()
    elif name == STYLE:
        data = "\n".join((GROUND / "static" / part).read_text() for part in PARTS).encode()
    else:
        path = MODULES / FROM_NPM[name] if name in FROM_NPM else GROUND / "static" / name
        is_ours = name in FROM_NPM or name in _own_names()
        data = path.read_bytes() if is_ours and path.is_file() else None
    return (data, hashlib.sha256(data).hexdigest()[:16]) if data is not None else None


@lru_cache(maxsize=1)
def _own_names() -> frozenset[str]:
    return frozenset(path.name for path in (GROUND / "static").iterdir() if path.suffix in _TYPES)


def _components() -> bytes | None:
    """The tokens of the theme that the components of `UTRECHT` may use, and those components, as one file."""
    files = [MODULES / f"@utrecht/{name}-css/dist/index.css" for name in UTRECHT]
    theme = MODULES / THEME
    if not theme.is_file() or not all(path.is_file() for path in files):
        return None
    used = tuple(f"  --{name}-" for name in ("basis", "utrecht", "voorbeeld"))
    tokens = [
        line for line in theme.read_text().splitlines() if not line.startswith("  --") or line.startswith(used)
    ]
    return "\n".join(["\n".join(tokens), *(path.read_text() for path in files)]).encode()


def asset_url(name: str) -> str:
    """The address of an asset; it changes when the asset does, so that browsers may keep it."""
    found = _find(name)
    return url_for("assets", name=name, v=found[1] if found else None)


def _serve(name: str) -> Response:
    found = _find(name)
    if found is None:
        raise NotFound
    data, digest = found
    response = Response(data, content_type=_TYPES[Path(name).suffix])
    is_pinned = request.args.get("v") == digest
    if is_pinned or name in FROM_NPM:  # styles and scripts of ours name those of npm without a digest
        response.cache_control.public = True
        response.cache_control.max_age = MAX_AGE if is_pinned else SHORT_AGE
    else:
        response.cache_control.no_cache = True
    response.set_etag(digest)
    response.make_conditional(request)
    return response


def install(app: Flask) -> None:
    """The route `/assets/NAME`, and `asset_url` for the templates."""
    app.add_url_rule("/assets/<name>", endpoint="assets", view_func=_serve)
    app.jinja_env.globals["asset_url"] = asset_url
