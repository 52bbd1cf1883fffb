"""The peers of a log in one process: wires in place of the network, a clock to move, an auditing cosigner."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.test import TestResponse

from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import CosignerRevocationRequest, PendingRevocations
from protocol.errors import Rejected, Unavailable
from protocol.leaf import lock_of
from protocol.replay import Replay
from protocol.tiles import TILE_WIDTH, entries_path, parse_entries, tile_width
from protocol.witness import WitnessState
from service.app import json_response, make_app, read_json
from service.epochs import turn_of
from service.fetch import Answer, Fetcher
from service.witness import Witness, witness_blueprint
from tests.protocol.builders import LOG_ORIGIN, LOG_URL, NOW


class HandClock:
    """Shows what it is set to."""

    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return self.time  # moving it is time that passes


class Wires(Fetcher):
    """In place of the network: hosts are Flask apps; `cut` ones do not answer."""

    def __init__(self) -> None:
        super().__init__(loopback=False)
        self.hosts: dict[str, Flask] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.outside: Fetcher | None = None  # asked for 127.0.0.1: a peer in a process of its own

    def request(self, method: str, url: str, **options: Any) -> Answer:
        parts = urlsplit(url)
        self.asked.append(f"{method} {parts.hostname}{parts.path}")
        if parts.hostname == "127.0.0.1" and self.outside is not None:
            return self.outside.request(method, url, **options)
        if parts.hostname in self.cut or parts.hostname not in self.hosts:
            raise Unavailable("unreachable", "the wire is cut")
        headers = dict(options.get("headers") or {})
        if options.get("content_type"):
            headers["Content-Type"] = options["content_type"]
        client = self.hosts[parts.hostname].test_client()
        got = client.open(f"{parts.path}?{parts.query}", method=method, data=options.get("body"), headers=headers)
        if got.status_code >= 400 and got.status_code not in options.get("expect", ()):
            body = got.get_json(silent=True) or {}
            kind = Unavailable if got.status_code >= 500 else Rejected
            raise kind(body.get("code", "http_error"), "as the peer says")
        return Answer(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.data)


class Cosigner:
    """An auditing cosigner: replays every leaf, keeps revocations, signs nothing that lacks one."""

    def __init__(self, wires: Wires) -> None:
        self.replay = Replay()
        self.kept: dict[bytes, bytes] = {}
        self._wires = wires

    def before_cosign(self, old: WitnessState, checkpoint: VerifiedCheckpoint) -> None:
        while self.replay.size < checkpoint.size:
            n = self.replay.size // TILE_WIDTH
            width = tile_width(0, n, checkpoint.size)
            body = self._wires.get(f"{LOG_URL}/{entries_path(n, width)}").body
            for leaf in parse_entries(body, width)[self.replay.size - n * TILE_WIDTH :]:
                self.replay.apply(leaf)
        self.replay.check_checkpoint(checkpoint)
        self.kept = {lock: r for lock, r in self.kept.items() if not self.replay.locks[lock].revoked}
        if self.kept:
            raise Unavailable("pending_revocations", "take these in first")

    def web(self, witness: Witness) -> Flask:
        app = make_app("auditor")
        app.register_blueprint(witness_blueprint(witness))

        @app.post("/v1/revocations")
        def keep() -> Response:
            r = b64u_decode(read_json(CosignerRevocationRequest).r)
            state = self.replay.locks.get(lock_of(r))
            if state is None or state.revoked:
                raise Rejected("unknown_lock", "no live grant has this lock", status=404)
            self.kept[lock_of(r)] = r
            return json_response({})

        @app.get("/v1/revocations")
        def pending() -> Response:
            assert request.args["origin"] == LOG_ORIGIN
            return json_response(PendingRevocations([b64u_encode(r) for r in self.kept.values()]))

        return app


def code_of(response: TestResponse) -> tuple[int, str]:
    """(status, code) of a refusal."""
    assert response.content_type == "application/problem+json", response.get_data(as_text=True)
    return response.status_code, response.get_json()["code"]


def epoch_turns(folder: Path) -> list[int]:
    """Which epoch keys lie in a log's directory `epochs`, by their turn, those being destroyed too."""
    return sorted(turn_of(int(path.stem.partition("-")[2])) for path in folder.glob("*.key"))
