"""The agency's HTTP endpoints.

    GET, POST /requests/{id}        signed request object              OpenID4VP 1.0 section 5.10, RFC 9101
    POST      /responses/{id}       encrypted answer or wallet error   8.2, 8.3.1
    GET       /answers/{id}         where `redirect_uri` leads         13.3
    POST      /v1/inbox/{id}        a refresh, or a message            protocol section 9 (ours)

The first three are defined by standards, so their errors are JSON with `error`, as OAuth has it. No endpoint hands
out a value: values go to the home of the agency only.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from flask import Flask, Response, request

from protocol.canonical import convert, is_equal, parse_object
from protocol.direct_post import MAX_FORM_BYTES, ResponseObject
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.jws import MAX_JWS_BYTES
from protocol.presentation import MAX_SEALED_BYTES
from protocol.request_object import REQUEST_MEDIA_TYPE, parse_wallet_nonce
from service.app import json_response, make_app, read_body
from service.home import Home
from service.openapi import publish
from verifier.accept import accept_answer, accept_refresh
from verifier.desk import Desk, Parts
from verifier.inbox import InboxMessage, accept_message
from verifier.openapi import AGENCY
from verifier.page import answered_page

P = ParamSpec("P")
View = Callable[P, Response]
FORM = "application/x-www-form-urlencoded"


def create(home: Path, parts: Parts | None = None) -> Flask:
    """The app of the agency in `home`. Raises `Rejected`: `no_home` and those of a bad home."""
    return make_web(Desk(Home(home), parts))


def make_web(desk: Desk) -> Flask:
    """All endpoints around one desk."""
    app = make_app("verifier")
    _add_openid4vp(app, desk)
    _add_inbox(app, desk)
    publish(app, AGENCY, url=desk.config.url, contact=desk.config.contact)
    return app


def _oauth_errors(view: View[P]) -> View[P]:
    """Errors as OpenID4VP wants them: 400 `invalid_request`; our code and sentence in `error_description`."""

    @wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
        try:
            return view(*args, **kwargs)
        except Unavailable:
            raise
        except RegieError as error:
            is_kept = error.status in (404, 413, 415, 429) or error.code == "request_ended"
            description = f"{error.code}: {error.detail}"
            return json_response(
                {"error": "invalid_request", "error_description": description}, error.status if is_kept else 400
            )

    return answered


def _add_openid4vp(app: Flask, desk: Desk) -> None:
    @app.route("/requests/<request_id>", methods=["GET", "POST"])
    @_oauth_errors
    def request_object(request_id: str) -> Response:
        # A wallet posts any form or none; what it says of itself is not needed.
        nonce = None
        if request.method == "POST" and request.mimetype == FORM:
            nonce = parse_wallet_nonce(read_body(max_bytes=MAX_JWS_BYTES))
        return Response(desk.request_object(request_id, nonce), content_type=REQUEST_MEDIA_TYPE)

    @app.post("/responses/<request_id>")
    @_oauth_errors
    def response(request_id: str) -> Response:
        if request.mimetype != FORM:
            raise Rejected("bad_media_type", f"send {FORM}", status=415)
        redirect = accept_answer(desk, request_id, read_body(max_bytes=MAX_FORM_BYTES))
        return json_response({} if redirect is None else {"redirect_uri": redirect})

    @app.get("/answers/<request_id>")
    @_oauth_errors
    def answers(request_id: str) -> Response:
        stored = desk.store.requests.get(request_id)
        code = request.args.get("response_code", "")
        if stored.response_code is None or not is_equal(code.encode(), stored.response_code.encode()):
            raise Rejected("unknown_request", "there is no such answer", status=404)
        return answered_page(desk.config.name)


def _add_inbox(app: Flask, desk: Desk) -> None:
    @app.post("/v1/inbox/<grant_id>")
    def inbox(grant_id: str) -> Response:
        if request.mimetype != "application/json":
            raise Rejected("bad_media_type", "send application/json", status=415)
        body = parse_object(read_body(max_bytes=MAX_SEALED_BYTES), max_bytes=MAX_SEALED_BYTES)
        if "message" in body:
            state = accept_message(desk, grant_id, convert(body, InboxMessage).message)
            return json_response({"state": state}, 202)
        accept_refresh(desk, grant_id, convert(body, ResponseObject))
        return json_response({"state": "refreshed"})
