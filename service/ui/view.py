"""How somebody wants to see the pages: language, text size and theme, in one cookie; `POST /view` changes it.

The cookie holds choices only and no identifier. It is not signed: every value is held against the lists here.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request

COOKIE_SECONDS = 365 * 24 * 3600
LANGUAGES = ("nl", "en")
SIZES = ("100", "125", "150", "200")
"""Of the text, per cent; everything is measured in it."""
THEMES = ("auto", "light", "dark")
MAX_PATH = 2048
_EXTENSION = "regie.view"


@dataclass(frozen=True)
class View:
    """One choice out of each list."""

    language: str = "nl"
    size: str = "100"
    theme: str = "auto"

    def text(self) -> str:
        """As kept in the cookie."""
        return f"{self.language}.{self.size}.{self.theme}"


def parse_view(text: str, default: View) -> View:
    """The choices in a cookie's `text`; what is not on a list is as in `default`."""
    language, size, theme = ([*text.split("."), "", "", ""])[:3]
    return View(
        language=language if language in LANGUAGES else default.language,
        size=size if size in SIZES else default.size,
        theme=theme if theme in THEMES else default.theme,
    )


def own_path(path: str) -> str:
    """`path`, if a browser takes it for one of this site; else `/`.

    Two slashes, or a backslash, which browsers read as a slash, would lead to another site; so would control
    characters, which they leave out.
    """
    parts = urlsplit(path) if len(path) <= MAX_PATH and path.isascii() and path.isprintable() else None
    is_ours = parts and not parts.scheme and not parts.netloc and path.startswith("/") and "\\" not in path
    return path if is_ours and not path.startswith("//") else "/"


def current_view() -> View:
    """What this request asked for; the first language of ours that the browser names when it never chose one."""
    view: View | None = g.get("view")
    if view is None:
        default: View = current_app.extensions[_EXTENSION]
        spoken = request.accept_languages.best_match(LANGUAGES, default.language) or default.language
        view = parse_view(request.cookies.get(_cookie_name(), ""), replace(default, language=spoken))
        g.view = view
    return view


def is_secure() -> bool:
    """Whether browsers reach this face by HTTPS: as seen here, or as configured for a proxy that ends TLS."""
    return request.is_secure or bool(current_app.config["SESSION_COOKIE_SECURE"])


def _cookie_name() -> str:
    return f"regie-{current_app.config['ROOM']}-view"


def install(app: Flask, *, language: str) -> None:
    """Add `POST /view` to `app`; `language` for who has not chosen and whose browser names none of ours."""
    app.extensions[_EXTENSION] = View(language=language)
    app.add_url_rule("/view", endpoint="view", view_func=_change, methods=["POST"])


def _change() -> Response:
    old = current_view()
    wanted = ".".join(request.form.get(part, "") for part in ("language", "size", "theme"))
    answer = redirect(own_path(request.form.get("back") or f"{request.script_root}/"), 303)
    answer.set_cookie(
        _cookie_name(),
        parse_view(wanted, old).text(),
        max_age=COOKIE_SECONDS,
        path=request.script_root or "/",
        secure=is_secure(),
        httponly=True,
        samesite="Strict",
    )
    return answer  # type: ignore[return-value]
