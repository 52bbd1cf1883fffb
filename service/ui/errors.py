"""An error as a page: "Sorry, ..." with the cause, the next step and a number to call about; JSON for who asks so.

The number stands in the log line beside code and route, so that the two find each other; it says nothing else.
"""

import secrets

from flask import Flask, Response, current_app, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from protocol.errors import RegieError, Rejected, Unavailable
from service.app import PROBLEM, answer_error, http_code
from service.journal import log_event
from service.ui.problems import Problem, Problems, find_problem

_EXTENSION = "regie.problems"
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; no signs that look alike on paper."""


def new_reference() -> str:
    """A number for one error, to read aloud: `KDRT-4827`."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(4))
    return f"{letters}-{secrets.randbelow(10_000):04}"


def wants_page() -> bool:
    """Whether the request asks for a page rather than for JSON."""
    accepts = request.accept_mimetypes
    return accepts.quality("text/html") >= max(accepts.quality("application/json"), accepts.quality(PROBLEM))


def find(code: str, *, is_ours: bool = False) -> Problem:
    """The words of this face for an error code: for a message within a page."""
    problems: Problems = current_app.extensions[_EXTENSION]
    return find_problem(problems, code, is_ours=is_ours)


def error_page(error: RegieError) -> Response:
    """The page of one error, with its status."""
    reference = new_reference()
    route = request.url_rule.rule if request.url_rule else "-"
    log_event(current_app.config["ROOM"], "problem", code=error.code, route=route, reference=reference)
    is_ours = isinstance(error, Unavailable) or error.status >= 500
    words = find(error.code, is_ours=is_ours)
    is_known = error.code in current_app.extensions[_EXTENSION]
    text = render_template(
        "ui/error.html", words=words, code=error.code, is_known=is_known, is_ours=is_ours, reference=reference
    )
    response = Response(text, status=error.status)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _answer(error: RegieError) -> Response:
    return error_page(error) if wants_page() else answer_error(error)


def _answer_http_error(error: HTTPException) -> Response:
    code = "old_form" if isinstance(error, CSRFError) else http_code(error)
    status = 403 if isinstance(error, CSRFError) else error.code or 500
    answer = _answer(Rejected(code, status=status))
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer


def install(app: Flask, problems: Problems) -> None:
    """Show errors of `app` as pages, in the words of `problems`."""
    app.extensions[_EXTENSION] = problems
    app.register_error_handler(RegieError, _answer)
    app.register_error_handler(HTTPException, _answer_http_error)
