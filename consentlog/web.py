"""The log over HTTP (protocol section 6). `create(home)` is what granian runs.

Public paths are cacheable; tiles for ever. A wait for witnesses holds a thread, so a part of the threads is kept
free of it: the auditing cosigner fetches the new leaves from here before those who wait can be answered.
"""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore
from time import monotonic, sleep
from typing import Any

from flask import Flask, Response, request

from consentlog.config import log_config
from consentlog.gauges import register_gauges
from consentlog.hot import hot_paths
from consentlog.node import Node
from consentlog.openapi import LOG
from consentlog.parties import Parties
from consentlog.public import Public
from consentlog.status_lists import StatusLists
from protocol.consent_api import (
    MAX_REQUEST_BYTES,
    MessageRequest,
    ReadRequest,
    RevocationRequest,
    parse_grant_request,
)
from protocol.errors import Rejected, Unavailable
from protocol.leaf import MAX_SLOTS, MAX_TREE_SIZE
from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from service.app import bearer_token, json_response, make_app, read_body, read_json, require_bearer
from service.clock import SystemClock
from service.edge import HOT_PATHS
from service.fetch import Fetcher
from service.home import Home
from service.journal import log_event
from service.openapi import publish
from service.serve import on_stop

THREADS = 128
"""Of the server: who waits for witnesses needs a thread meanwhile."""
MAX_PARTIES = 96
"""Requests of parties under way at once; the other threads serve tiles, checkpoints and revocations."""
START_SECONDS = 45.0
"""How long a start waits for a database in PostgreSQL: a failover takes 20 to 30 s."""
START_PAUSE = 0.5
FOR_EVER = 365 * 24 * 3600
_TEXT = "text/plain; charset=utf-8"
_PUBLISHED = ("/checkpoint", "/v1/proofs/", "/v1/status-chunks/", "/v1/grants/", "/v1/openings")
"""What is answered from what is published."""


def create(home: Path) -> Flask:
    """The app of a log that was initialised in `home`, with its threads running."""
    node = _node(Home(home))
    node.start()
    on_stop(node.stop)
    return make_web(node)


def _node(home: Home) -> Node:
    """A database that is just changing its leader is waited for. Raises as `Node`; `Unavailable`: `database`."""
    is_patient = not log_config(home).database_url(home).startswith("sqlite:")
    until = monotonic() + START_SECONDS
    while True:
        try:
            return Node(home, clock=SystemClock(), random=os.urandom, fetcher=Fetcher())
        except Unavailable as error:
            if error.code != "database" or not is_patient:
                raise
            if monotonic() > until:
                text = f"the database has not taken us in for {START_SECONDS:.0f} seconds"
                raise Unavailable("database", text) from error
            log_event("consentlog", "waiting_for_database")
            sleep(START_PAUSE)


def make_web(node: Node) -> Flask:
    """The app of a running node."""
    app = make_app("consentlog", health=lambda: _health(node), metrics=node.metrics)
    register_gauges(node)
    parties = Parties(node)
    _see_others(app, node)
    _add_public(app, Public(node), StatusLists(node))
    _add_parties(app, parties, BoundedSemaphore(MAX_PARTIES))
    _add_openings(app, parties, node.auditor_token)
    publish(app, LOG, url=node.config.url, contact=node.config.contact)
    app.extensions[HOT_PATHS] = hot_paths(node, parties)
    return app


def _health(node: Node) -> dict[str, Any]:
    if not node.writer.is_alive() or not node.publisher.is_alive():
        raise Unavailable("stopped", "the log no longer writes or publishes", retry_after=60)
    return {
        "clock": node.writer.log_time.state,
        "origin": node.config.origin,
        "published": node.published.size,
        "publishes": node.turn.is_mine,
        "reads": node.publisher.is_ready,
        "room": "consentlog",
    }


def _see_others(app: Flask, node: Node) -> None:
    """Who has an answer of one worker finds what it says at every other."""

    @app.before_request
    def see() -> None:
        if request.method == "GET" and request.path.startswith(_PUBLISHED):
            node.see_published()


def _add_public(app: Flask, public: Public, lists: StatusLists) -> None:
    @app.get("/checkpoint")
    def checkpoint() -> Response:
        return _text(public.checkpoint(), max_age=1)

    @app.get("/tile/<path:path>")
    def tile(path: str) -> Response:
        response = Response(public.tile(f"tile/{path}"), content_type="application/octet-stream")
        response.headers["Cache-Control"] = f"public, max-age={FOR_EVER}, immutable"
        if path.startswith("entries/"):  # tlog-tiles: compressed at the HTTP layer; hashes are not worth it
            _compress(response)
        return response

    @app.get("/v1/policy")
    def policy() -> Response:
        return _text(public.policy(), max_age=60)

    @app.get("/v1/proofs/<int:index>")
    def proof(index: int) -> Response:
        return _text(public.proof(_below(index, MAX_TREE_SIZE)), max_age=1)

    @app.get("/v1/status-chunks/<int:number>")
    def status_chunk(number: int) -> Response:
        return json_response(public.status_chunk(_below(number, MAX_SLOTS)), max_age=1)

    @app.get("/v1/status-lists/<int:number>")
    def status_list(number: int) -> Response:
        response = _text(lists.token(_below(number, MAX_SLOTS)), max_age=1)
        response.content_type = STATUS_LIST_MEDIA_TYPE
        return response


def _compress(response: Response) -> None:
    """gzip for who asks for it, the bytes as they are for everybody else."""
    response.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(response.get_data(), mtime=0))
        response.content_encoding = "gzip"


def _add_parties(app: Flask, parties: Parties, places: BoundedSemaphore) -> None:
    @contextmanager
    def place() -> Iterator[None]:
        if not places.acquire(blocking=False):
            raise Unavailable("busy", "too many requests are waiting")
        try:
            yield
        finally:
            places.release()

    @app.post("/v1/grants")
    def grant() -> Response:
        body = _json_body()
        asked = parse_grant_request(body)
        with place():
            return json_response(parties.grant(asked, body), status=201)

    @app.post("/v1/reads")
    def read() -> Response:
        asked = read_json(ReadRequest, MAX_REQUEST_BYTES)
        with place():
            return json_response(parties.read(asked))

    @app.post("/v1/revocations")
    def revoke() -> Response:
        # No place is needed: a stop never waits behind a yes.
        return json_response(parties.revoke(read_json(RevocationRequest, MAX_REQUEST_BYTES)))

    @app.post("/v1/messages")
    def message() -> Response:
        asked = read_json(MessageRequest, MAX_REQUEST_BYTES)
        view = bearer_token() if "Authorization" in request.headers else None
        with place():
            return json_response(parties.message(asked, view), status=201)

    @app.get("/v1/grants/<int:slot>/events")
    def events(slot: int) -> Response:
        view = bearer_token()
        return json_response(parties.events(_below(slot, MAX_SLOTS), view, _number("from", 0)))

    @app.delete("/v1/grants/<int:slot>/openings")
    def erase(slot: int) -> Response:
        view = bearer_token()
        with place():
            parties.erase(_below(slot, MAX_SLOTS), view)
        return Response(status=204)


def _add_openings(app: Flask, parties: Parties, token: bytes) -> None:
    @app.get("/v1/openings")
    def openings() -> Response:
        require_bearer(token)
        return json_response(parties.openings(_number("from", 0), _number("to", MAX_TREE_SIZE - 1)))


def _json_body() -> bytes:
    if request.mimetype != "application/json":
        raise Rejected("bad_media_type", "send application/json", status=415)
    return read_body(max_bytes=MAX_REQUEST_BYTES)


def _number(name: str, default: int) -> int:
    """A query parameter: a plain decimal index, at most once. Raises `Rejected`: `bad_parameter`."""
    values = request.args.getlist(name)
    if not values:
        return default
    text = values[0]
    if len(values) > 1 or not text.isascii() or not text.isdigit() or len(text) > 19:
        raise Rejected("bad_parameter", f"{name} is one decimal number")
    return _below(int(text), MAX_TREE_SIZE)


def _below(number: int, limit: int) -> int:
    if number >= limit:
        raise Rejected("not_found", "number is out of range", status=404)
    return number


def _text(text: str, *, max_age: int) -> Response:
    response = Response(text, content_type=_TEXT)
    response.headers["Cache-Control"] = f"public, max-age={max_age}"
    return response
