"""`make_ui`: the Flask app of a face. What every page has in common is put on it here, and nothing else.

def create(home: Path) -> Flask:
    app = make_ui("wallet", __name__, name=_l("My wallet"), nav=[NavItem("cards.index", _l("Cards"), "card", "c")])
    app.register_blueprint(cards)
    return app
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined

from service.app import make_app
from service.metrics import Metrics
from service.ui import (
    assets,
    charts,
    context_words,
    errors,
    fields,
    format,
    guard,
    headers,
    icons,
    qr,
    view,
    words,
)
from service.ui.problems import GROUND as GROUND_PROBLEMS
from service.ui.problems import Problems

MAX_BODY_BYTES = 1024 * 1024
"""As much as the edge lets through: a picture with a QR code, a backup."""
MAX_PARTS = 256
GROUND = Path(__file__).parent


@dataclass(frozen=True)
class NavItem:
    """One place in the navigation: `key` is the letter of the shortcut `g` + letter, `icon` one of `icons`.

    `label` is a lazy string. `roles`: of the staff who see it; empty for everybody.
    """

    endpoint: str
    label: Any
    icon: str
    key: str | None = None
    roles: frozenset[str] = frozenset()

    def is_here(self) -> bool:
        """Whether the page shown is this one."""
        return request.endpoint == self.endpoint

    def is_for(self, person: Mapping[str, Any] | None) -> bool:
        """Whether it is shown to `person`: who of the staff is signed in (`role_ids`), or nobody."""
        return not self.roles or bool(person and self.roles & person["role_ids"])

    def holds(self) -> bool:
        """Whether the page shown lies under this one: a page of the same blueprint."""
        room = self.endpoint.rpartition(".")[0]
        return self.is_here() or bool(room and request.blueprint == room)


class _Sessions(SecureCookieSessionInterface):
    """The session cookie of a face that may lie below a prefix (`/desk`): the cookie goes nowhere else.

    Behind a proxy that ends TLS only the configuration knows (`SESSION_COOKIE_SECURE`).
    """

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        return view.is_secure()


def make_ui(
    room: str,
    import_name: str,
    *,
    name: Any,
    nav: Sequence[NavItem],
    problems: Problems | None = None,
    locale_default: str = "nl",
    secret: bytes | None = None,
    layout: str = "desk",
    health: Callable[[], Mapping[str, Any]] | None = None,
    metrics: Metrics | None = None,
    traces: bool = True,
) -> Flask:
    """The app of the face of `room`; `templates/` and `translations/` beside the module `import_name` are used.

    `name` is shown in the header (a lazy string). `secret` signs the session: give one kept in the home, or every
    start ends the forms that are open. `layout`: `phone`, `desk` or `paper`, for pages that choose none.
    `traces`: as in `make_app`.
    """
    app = make_app(room, import_name=import_name, health=health, metrics=metrics, traces=traces)
    folder = Path(app.root_path)
    app.jinja_loader = ChoiceLoader(
        [FileSystemLoader(folder / "templates"), FileSystemLoader(GROUND / "templates")]
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.secret_key = secret or secrets.token_bytes(32)
    app.session_interface = _Sessions()
    app.config.update(
        ROOM=room,
        SESSION_COOKIE_NAME=f"regie-{room}-session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_PARTS,
    )
    view.install(app, language=locale_default)
    words.install(app, folder)
    headers.install(app)
    guard.install(app)
    errors.install(app, {**GROUND_PROBLEMS, **(problems or {})})
    assets.install(app)
    for part in (context_words, format, fields, icons, qr, charts):
        part.install(app)
    _tell_templates(app, name=name, nav=tuple(nav), layout=layout)
    return app


def _tell_templates(app: Flask, *, name: Any, nav: tuple[NavItem, ...], layout: str) -> None:
    """What `ui/base.html` is made from."""

    @app.context_processor
    def common() -> dict[str, Any]:
        return {
            "face": name,
            "nav": nav,
            "default_layout": layout,
            "view": view.current_view(),
            "views": {"languages": view.LANGUAGES, "sizes": view.SIZES, "themes": view.THEMES},
            "back": request.script_root + (request.full_path.rstrip("?") if request.method == "GET" else "/"),
            "person": None,
            "has_keys": any(item.key for item in nav),
            "has_components": assets.has_components(),
        }
