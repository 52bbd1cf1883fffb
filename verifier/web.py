"""The agency's HTTP endpoints.

    GET, POST /requests/{id}        signed request object              OpenID4VP 1.0 section 5.10, RFC 9101
    POST      /responses/{id}       encrypted answer or wallet error   8.2, 8.3.1
    GET, POST /start/{start}        a session on the wallet's device   13.3, HAIP 5.1
    GET       /answers/{id}         where `redirect_uri` leads         13.3, HAIP 5.1
    POST      /v1/inbox/{id}        a refresh, or a message            protocol section 9 (ours)
    POST      /v1/cohort-questions  a question, or its sealed answer   protocol section 14 (ours)

The first two are defined by standards, so their errors are JSON with `error`, as OAuth has it; the next two are
pages for a resident. No endpoint hands out a value: values go to the home of the agency only.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from flask import Flask, Response, request

from protocol.canonical import b64u_encode, convert, parse_object, parse_struct, to_builtins
from protocol.direct_post import MAX_FORM_BYTES, ResponseObject
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.jws import MAX_JWS_BYTES
from protocol.presentation import MAX_SEALED_BYTES
from protocol.request_object import REQUEST_MEDIA_TYPE, parse_wallet_nonce
from service.app import json_response, make_app, opened_once, read_body
from service.home import Home
from service.openapi import publish
from verifier.accept import accept_answer, accept_refresh
from verifier.browser import begin, come_back, cookie_name, find_start
from verifier.cohort import take_question
from verifier.cohort_asking import PATH, QuestionReply, QuestionRequest
from verifier.cohort_store import CohortStore
from verifier.desk import Desk, Parts
from verifier.inbox import InboxMessage, accept_message
from verifier.openapi import AGENCY
from verifier.page import answered_page, refused_page, start_page, wallet_page

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
    _add_browser(app, desk)
    _add_inbox(app, desk)
    _add_cohort(app, desk)
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


def _pages(desk: Desk) -> Callable[[View[P]], View[P]]:
    """Refusals as a page: whoever comes here is a person, sent by a wallet or by the agency."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return view(*args, **kwargs)
            except Rejected as error:
                return refused_page(desk.config.name, error)

        return answered

    return decorate


def _add_browser(app: Flask, desk: Desk) -> None:
    @app.get("/start/<start>")
    @_pages(desk)
    def show_start(start: str) -> Response:
        find_start(desk, start)  # only looked up: a preview that follows the address must not become the session
        return start_page(desk.config.name)

    @app.post("/start/<start>")
    @_pages(desk)
    def begin_session(start: str) -> Response:
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Rejected("cross_site", "this page is opened from the agency's own address", status=403)
        session = find_start(desk, start)
        begun = begin(desk, start, request.cookies.get(cookie_name(desk, session.request), ""))
        response = wallet_page(desk.config.name, begun.link)
        response.set_cookie(
            cookie_name(desk, begun.request),
            begun.secret,
            max_age=begun.seconds,
            secure=desk.config.url.startswith("https://"),
            httponly=True,
            samesite="Lax",  # a wallet opens the address from outside: Strict would not be sent
        )
        return response

    @app.get("/answers/<request_id>")
    @opened_once
    @_pages(desk)
    def answers(request_id: str) -> Response:
        cookie = request.cookies.get(cookie_name(desk, request_id), "")
        come_back(desk, request_id, request.args.get("response_code", ""), cookie)
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


def _add_cohort(app: Flask, desk: Desk) -> None:
    store = CohortStore(desk.home)

    @app.post(PATH)
    def question() -> Response:
        if request.mimetype != "application/json":
            raise Rejected("bad_media_type", "send application/json", status=415)
        asked = parse_struct(read_body(max_bytes=MAX_JWS_BYTES), QuestionRequest, max_bytes=MAX_JWS_BYTES)
        taken = take_question(desk, store, asked.question)
        if taken.answered is None:
            return json_response(to_builtins(QuestionReply("waiting")), 202)
        if taken.sealed is None:
            return json_response(to_builtins(QuestionReply("forgotten")))
        return json_response(to_builtins(QuestionReply("answered", b64u_encode(taken.sealed))))
