"""A small role for the tests of the web edge and of the server process around it."""

import os
import threading
import time
from pathlib import Path

import msgspec
from flask import Flask, Response, request

from protocol.errors import Rejected, Unavailable
from service.app import bearer_token, json_response, make_app, read_body, read_form, read_json, require_bearer
from service.serve import on_stop

TOKEN = bytes(range(32))


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the endpoint takes."""

    a: int
    note: str = ""


def make(room: str = "service", folder: Path | None = None) -> Flask:
    """The app; `folder`: where `/slow` says that it has begun."""
    app = make_app(room)

    @app.post("/v1/things/<int:number>")
    def add_thing(number: int) -> Response:
        return json_response({"a": read_json(Thing).a, "number": number}, status=201)

    @app.post("/large")
    def large() -> Response:
        return json_response({"bytes": len(read_body(max_bytes=100_000))})

    @app.post("/form")
    def form() -> Response:
        return json_response(read_form())

    @app.get("/token")
    def token() -> Response:
        return json_response({"bytes": len(bearer_token())})

    @app.get("/secret")
    def secret() -> Response:
        require_bearer(TOKEN)
        return json_response({"ok": True}, max_age=60)

    @app.get("/refused")
    def refused() -> Response:
        raise Rejected("revoked", "grant was revoked", status=410)

    @app.get("/busy")
    def busy() -> Response:
        raise Unavailable("no_quorum", "witnesses are missing", retry_after=7)

    @app.get("/bug")
    def bug() -> Response:
        raise KeyError("999990019")

    @app.get("/echo/<path:rest>")
    def echo(rest: str) -> Response:
        found = {
            "path": rest,
            "query": request.args.getlist("q"),
            "host": request.host,
            "one": request.headers.get("X-One"),
            "cookies": dict(request.cookies),
            "address": request.remote_addr,
        }
        response = json_response(found)
        response.set_cookie("c", "1")
        response.set_cookie("d", "2")
        return response

    @app.get("/pid")
    def pid() -> Response:
        return json_response(os.getpid())

    @app.get("/slow")
    def slow() -> Response:
        if folder is not None:
            (folder / "slow").touch()
        time.sleep(1)
        return json_response({"slow": True})

    return app


def create(home: Path) -> Flask:
    """As a role offers it; writes its process id, and a file when it stops gracefully."""
    if (home / "refuse").exists():
        raise Rejected("no_key", "this home has no key")
    if (home / "refuse-one").exists() and (home / "worker.pid").exists():
        raise Rejected("no_key", "this home has no key")
    if (home / "unavailable").exists():
        raise Unavailable("database", "the database cannot do this now")
    if (home / "crash").exists():
        threading.Thread(target=_crash_when_told, args=(home,), daemon=True).start()
    (home / "worker.pid").write_text(str(os.getpid()))
    (home / f"started.{os.getpid()}").touch()
    on_stop(lambda: (home / "stopped").write_text("gracefully"))
    return make(folder=home)


def _crash_when_told(home: Path) -> None:
    while (home / "crash").exists():
        time.sleep(0.01)
    os._exit(3)


def create_broken(home: Path) -> Flask:
    """Fails in a way that nobody foresaw."""
    raise ZeroDivisionError
