"""The web edge of every role: a Flask app with problem+json, limits, headers and logs. Errors become HTTP here.

A role's `web.py` offers `create(home: Path) -> Flask`:

    def create(home: Path) -> Flask:
        app = make_app("issuer")

        @app.post("/v1/things")
        def add_thing() -> Response:
            thing = read_json(Thing)
            return json_response({"id": 1}, status=201)

        return app

A handler raises `Rejected` or `Unavailable`; the edge answers application/problem+json (RFC 9457) with `code`,
401 with `WWW-Authenticate`, 503 with `Retry-After`. An endpoint that a standard defines (OAuth errors, C2SP's
plain text) catches its own errors; who asks for problem details before that form gets them there too.
`service.serve.serve("issuer.web:create", home, ...)` runs it; `service.openapi.publish` says what it answers.
"""

import functools
import time
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from protocol.canonical import b64u_decode, is_equal, parse_struct
from protocol.errors import RegieError, Rejected, Unavailable
from service.edge import API_VERSION
from service.journal import log_event
from service.metrics import METRICS, Metrics
from service.serve import serve as serve
from service.trace import traced

P = ParamSpec("P")
T = TypeVar("T")

PROBLEM = "application/problem+json"
MAX_BODY_BYTES = 64 * 1024
"""Default limit of a request's body; an endpoint that takes more says so when it reads."""
MAX_FORM_FIELDS = 32
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "bad_media_type",
    500: "internal",
}


class _App(Flask):
    """Flask that never logs what a request held."""

    def __init__(self, room: str, import_name: str, static_folder: str | None) -> None:
        super().__init__(import_name, static_folder=static_folder)
        self._room = room

    def log_exception(self, exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
        """The type of an unforeseen error and where it arose; its message may repeat what somebody sent."""
        kind, _, trace = exc_info
        frames = traceback.extract_tb(trace)
        place = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
        log_event(self._room, "error", type=kind.__name__ if kind else "", place=place)


def make_app(
    room: str,
    version: str = API_VERSION,
    *,
    health: Callable[[], Mapping[str, Any]] | None = None,
    metrics: Metrics | None = None,
    static: bool = False,
    import_name: str | None = None,
    traces: bool = True,
) -> Flask:
    """An app with `/healthz`, error handlers, headers, the access log and the metrics of its requests.

    `room` is the role's package: its `templates/` (and `static/` when `static`) are used. `health` may add members
    to the answer of `/healthz`, or raise `Unavailable`. `metrics`: the role's own, to which requests are added.
    `import_name`: of a module of the role beside which those folders are, when it is not the package itself.
    `traces`: each request is a span of a trace; not for a program of a resident (`service.trace`).
    """
    app = _App(room, import_name or room, static_folder="static" if static else None)
    counted = app.extensions[METRICS] = metrics or Metrics(room)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = MAX_FORM_FIELDS

    def healthz() -> Response:
        return json_response({"status": "ok", "room": room, **(health() if health else {})})

    app.add_url_rule("/healthz", view_func=healthz)
    app.register_error_handler(RegieError, answer_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.before_request(_start)
    if traces:
        app.wsgi_app = traced(app.wsgi_app)  # type: ignore[method-assign, assignment]

    @app.after_request
    def finish(response: Response) -> Response:
        _prefer_problem(response)
        response.headers.setdefault("API-Version", version)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        _log(room, response, counted)
        return response

    return app


def _start() -> None:
    g.started = time.perf_counter()


def _log(room: str, response: Response, metrics: Metrics) -> None:
    # The route and not the path: a path can hold a slot or an identifier, a query string or a new method anything.
    route = request.url_rule.rule if request.url_rule else "-"
    spent = time.perf_counter() - g.get("started", time.perf_counter())
    method = request.method if request.method in _METHODS else "-"
    metrics.observe(method, route, response.status_code, spent)
    log_event(room, "request", method=method, route=route, status=response.status_code, ms=_ms(spent))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def opened_once(view: Callable[P, Response]) -> Callable[P, Response]:
    """For a GET that uses something up: a HEAD, by which previews look ahead, is refused and uses up nothing."""

    @functools.wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Response:
        if request.method == "HEAD":
            raise MethodNotAllowed(valid_methods=["GET"])
        return view(*args, **kwargs)

    return wrapped


def problem(code: str, detail: str = "", *, status: int, **members: Any) -> Response:
    """application/problem+json (RFC 9457) with our stable `code`; `members` are added as they are."""
    title = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail, **members}
    return Response(msgspec.json.encode(body), status=status, content_type=PROBLEM)


def _prefer_problem(response: Response) -> None:
    """An error in a standard's own form, as a problem for who asks for that rather (NLgov API Design Rules,
    /core/error-handling/problem-details): an OAuth error's members are the code and the detail."""
    accepts, own = request.accept_mimetypes, response.mimetype or ""
    if response.status_code < 400 or own == PROBLEM or accepts.quality(PROBLEM) <= accepts.quality(own):
        return
    error = response.get_json(silent=True) if own == "application/json" else None
    code, detail = _CODES.get(response.status_code, "http_error"), ""
    if isinstance(error, dict):
        code, detail = error.get("error", code), error.get("error_description", "")
    told = problem(code, detail, status=response.status_code)
    response.content_type = PROBLEM
    response.set_data(told.get_data())


def answer_error(error: RegieError) -> Response:
    """The one way in which an error of ours becomes HTTP."""
    response = problem(error.code, error.detail, status=error.status)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def http_code(error: HTTPException) -> str:
    """Our code for an error of HTTP itself."""
    return _CODES.get(error.code or 500, "http_error")


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    response = problem(http_code(error), HTTPStatus(status).description, status=status)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):  # Allow, Retry-After and the like
            response.headers[name] = value
    return response


def json_response(
    value: Any,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
    max_age: int | None = None,
) -> Response:
    """A JSON value or Struct; `max_age` seconds make it publicly cacheable, else it is `no-store`."""
    response = Response(msgspec.json.encode(value), status=status, content_type=media_type, headers=headers)
    if max_age is not None:
        response.headers["Cache-Control"] = f"public, max-age={max_age}"
    return response


def read_body(*, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body, read no further than `max_bytes`. Raises `Rejected`: `too_large` (413)."""
    if (request.content_length or 0) > max_bytes:
        raise Rejected("too_large", f"body is larger than {max_bytes} bytes", status=413)
    request.max_content_length = max_bytes + 1
    data = request.stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise Rejected("too_large", f"body is larger than {max_bytes} bytes", status=413)
    return data


def _require_media_type(media_type: str) -> None:
    if request.mimetype != media_type:
        raise Rejected("bad_media_type", f"send {media_type}", status=415)


def read_json(kind: type[T], max_bytes: int = MAX_BODY_BYTES) -> T:
    """The body, application/json, as Struct `kind`.

    Raises `Rejected`: `bad_media_type` (415), `too_large` (413), `bad_form` and those of `parse_struct`.
    """
    _require_media_type("application/json")
    return parse_struct(read_body(max_bytes=max_bytes), kind, max_bytes=max_bytes)


def read_form(max_bytes: int = MAX_BODY_BYTES) -> dict[str, str]:
    """The body, application/x-www-form-urlencoded, each field once (RFC 6749 section 3.2).

    Raises `Rejected`: `bad_media_type` (415), `too_large` (413), `duplicate_key`, `too_many_fields`.
    """
    _require_media_type("application/x-www-form-urlencoded")
    body = read_body(max_bytes=max_bytes)
    if body.count(b"&") >= MAX_FORM_FIELDS:
        raise Rejected("too_many_fields", f"form has more than {MAX_FORM_FIELDS} fields")
    return _fields(body)


def _fields(body: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError as error:
        raise Rejected("bad_form", "not a form in UTF-8") from error
    for name, value in pairs:
        if name in fields:
            raise Rejected("duplicate_key", "a form names a field twice")
        fields[name] = value
    return fields


def bearer_token(max_bytes: int = 1024) -> bytes:
    """The decoded b64u token of `Authorization: Bearer`. Raises `Rejected`: `unauthorized` (401)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Rejected("unauthorized", "send Authorization: Bearer", status=401)
    try:
        return b64u_decode(token, max_bytes=max_bytes)
    except Rejected as error:
        raise Rejected("unauthorized", "token is not base64url", status=401) from error


def require_bearer(expected: bytes) -> None:
    """Compare the bearer token with `expected` in constant time. Raises `Rejected`: `unauthorized` (401)."""
    if not is_equal(bearer_token(), expected):
        raise Rejected("unauthorized", "token is not accepted", status=401)
