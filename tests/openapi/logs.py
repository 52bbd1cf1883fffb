"""A log, a plain witness, an auditing cosigner and an operator, each as a `House`."""

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask import Request as FlaskRequest

from auditor.config import COSIGNER_KEY, DEPOSIT_KEY, RECEIPT_KEY, Config, epochs_of
from auditor.openapi import COSIGNER, OPERATOR
from auditor.web import make_web as make_auditor
from consentlog.config import make_witness
from consentlog.openapi import LOG, WITNESS
from consentlog.witness import make_web as make_witness_web
from protocol.canonical import b64u_encode, sha256
from protocol.consent_api import (
    CosignerRevocationRequest,
    DepositRequest,
    MessageRequest,
    ReleaseRequest,
    RevocationRequest,
)
from protocol.merkle import consistency_proof
from protocol.operators import seal_pieces
from protocol.reading import ResidentMessage, sign_message
from protocol.revocation_code import revocation_secret
from protocol.tiles import encode_entries, parse_tile_path
from protocol.trust_list import sign_trust_list
from protocol.witness import encode_add_checkpoint
from service.edge import HOT_PATHS
from service.fetch import Answer, Fetcher
from service.home import Home
from tests.consentlog.peers import HandClock
from tests.consentlog.small_town import Given, SmallTown
from tests.openapi.house import House, Make, Request
from tests.protocol import builders, granting
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.protocol.dealing import KEYS, NAMES, dealt

PLAIN = "application/octet-stream"
ORIGIN_HASH = sha256(LOG_ORIGIN.encode()).hex()


def log_house(folder: Path) -> House:
    """A log that takes reads, with grants in every state."""
    town = SmallTown(folder).start()
    live, revoked = town.grant(), town.grant()
    town.read(live)
    town.revoke(revoked)
    town.settle()
    auditor = {"Authorization": f"Bearer {b64u_encode(town.home.read_secret('auditor-token'))}"}

    def events(given: Given, **query: Any) -> Request:
        return Request({"slot": given.answer.slot}, query, given.view)

    def message(given: Given) -> Request:
        jti = b64u_encode(os.urandom(16))
        told = ResidentMessage(given.answer.slot, given.terms.lock, "complaint", NOW, jti)
        return Request(headers=given.view, body=MessageRequest(sign_message(told, builders.HOLDER)))

    truths: dict[str, list[Make]] = {
        "getTile": [partial(Request, {"path": path}) for path in ("0/000.p/2", "entries/000.p/2", "0/000.p/9")],
        "getProof": [partial(Request, {"index": index}) for index in (0, 3)],
        "getStatusChunk": [lambda: Request({"number": 0})],
        "getStatusList": [lambda: Request({"number": 0})],
        "addGrant": [
            lambda: Request(body=town.grant_request()[2]),
            lambda: Request(body=live.request),
            lambda: Request(body=town.refresh_request(town.grant())[1]),
            lambda: Request(body=town.refresh_request(revoked)[1]),
        ],
        "read": [
            lambda: Request(body=town.make_read(live).request),
            lambda: Request(body=town.make_read(revoked).request),
            lambda: Request(body=town.make_read(live, granting.HUISNUMMER).request),
        ],
        "revoke": [
            lambda: Request(body=RevocationRequest(b64u_encode(revoked.r))),
            lambda: Request(body=RevocationRequest(b64u_encode(town.grant().r))),
        ],
        "addMessage": [lambda: message(live), lambda: message(revoked)],
        "listEvents": [lambda: events(live), lambda: events(revoked, **{"from": 2})],
        "eraseOpenings": [lambda: events(live), lambda: events(revoked)],
        "listOpenings": [
            lambda: Request(query={"from": 0, "to": 3}, headers=auditor),
            lambda: Request(query={"from": 3, "to": 1}, headers=auditor),
        ],
    }
    assert town.app is not None
    return House("log", LOG, town.app, truths, town.stop)


class OnLoop:
    """Answers hot paths as `service.edge` does, on an event loop, and the rest by Flask."""

    def __init__(self, app: Flask) -> None:
        self._app, self._paths = app, app.extensions[HOT_PATHS]
        self._loop = asyncio.new_event_loop()
        self.answered = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = self._paths.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if path is None:
            return self._app(environ, start_response)
        request = FlaskRequest(environ)
        status, headers, body = self._loop.run_until_complete(path(request.mimetype, request.get_data()))
        self.answered += 1
        start_response(f"{status} -", headers)
        return [body]


class Served(Fetcher):
    """The leaves of a log in memory, in place of the network."""

    def __init__(self, log: granting.MiniLog) -> None:
        super().__init__(loopback=False)
        self.log = log

    def request(self, method: str, url: str, **options: Any) -> Answer:
        name = parse_tile_path(urlsplit(url).path.removeprefix("/"))
        first = name.n * 256
        return Answer(200, {}, encode_entries(self.log.leaves[first : first + name.width]))


class Submitter:
    """Has the checkpoints of a log in memory cosigned by one app."""

    def __init__(self, app: Flask, log: granting.MiniLog) -> None:
        self.app, self.log = app, log

    def grown(self) -> Request:
        """The log after another head, from the tree that the witness has: a true request."""
        known = self.app.test_client().get(f"/{ORIGIN_HASH}/checkpoint")
        old = int(known.text.splitlines()[1]) if known.status_code == 200 else 0
        head, _, signatures = self.log.publish(NOW).partition("\n\n")
        proof = consistency_proof(old, len(self.log.leaves), self.log.node) if old else []
        note = f"{head}\n\n{signatures.splitlines()[0]}\n"
        return Request(body=encode_add_checkpoint(old, proof, note).encode(), media_type=PLAIN)

    def truths(self) -> dict[str, list[Make]]:
        """What any witness would take."""
        return {
            "addCheckpoint": [self.grown],
            "getCosignedCheckpoint": [lambda: Request({"origin_hash": ORIGIN_HASH})],
        }


def witness_house(folder: Path) -> House:
    """A plain witness that follows the log of `builders`."""
    trust = folder / "trust-list.jwt"
    trust.write_text(sign_trust_list(builders.TRUST, builders.REGISTRAR))
    home = Home(folder / "witness")
    make_witness(
        home,
        url="https://witness.voorbeeld.example",
        name=builders.WITNESS_NAME,
        trust_list=str(trust),
        registrar=builders.REGISTRAR.public.jwk(),
        random=os.urandom,
    )
    log = granting.MiniLog()
    log.grant(granting.neighbour())
    app = make_witness_web(home, HandClock())
    return House("witness", WITNESS, app, Submitter(app, log).truths())


class Custody:
    """One operator of three, or the same cosigner without shares, over the log of a grant."""

    def __init__(self, folder: Path, *, shares: bool) -> None:
        self.at, self.name = dealt(2, 3), NAMES[0]
        trust = folder / "trust-list.jwt"
        trust.write_text(sign_trust_list(self.at.trust, builders.REGISTRAR))
        home = Home(folder / "auditor").create()
        for key in (COSIGNER_KEY, RECEIPT_KEY):
            home.write_secret(key, sha256(key.encode()))
        if shares:
            home.write_secret(DEPOSIT_KEY, KEYS[self.name].seed)
            epochs_of(home).begin(bytes(32), NOW)
        jwk, url = builders.REGISTRAR.public.jwk(), f"https://{self.name}"
        home.write_config(Config("auditor", str(trust), jwk, LOG_ORIGIN, url, self.name))
        self.app = make_auditor(home, clock=HandClock(), fetcher=Served(self.at.town.log))
        self.submitter = Submitter(self.app, self.at.town.log)
        self.is_over = False

    def grown(self) -> Request:
        """As an honest log: what the cosigner keeps is taken in before the next checkpoint."""
        kept = self.app.test_client().get("/v1/revocations", query_string={"origin": LOG_ORIGIN}).json
        if kept["revocations"] and not self.is_over:
            self.at.town.log.revoke(self.at.town.grant_index, self.at.town.slot)
            self.is_over = True
        return self.submitter.grown()

    def deposit(self) -> Request:
        """As the wallet sends it."""
        terms, sealed = self.at.town.terms, self.at.town.answer.sealed
        deposit = seal_pieces(
            KEYS[self.name].public_bytes(), terms, self.name, self.at.dealing.pieces_of(self.name)
        )
        return Request(
            body=DepositRequest(terms, sealed.slot, sealed.opening_key, sealed.proof, b64u_encode(deposit))
        )

    def release(self) -> Request:
        """A READ that is in the log, as the agency hands it on."""
        token, released, _ = self.at.read(time=NOW, read_id=b64u_encode(os.urandom(16)))
        return Request(body=ReleaseRequest(token, b64u_encode(granting.REPLY.public_bytes()), released))

    def truths(self) -> dict[str, list[Make]]:
        """What it would take."""
        r = b64u_encode(revocation_secret(granting.CODE, 1))
        return {
            **self.submitter.truths(),
            "addCheckpoint": [self.grown],
            "keepRevocation": [lambda: Request(body=CosignerRevocationRequest(LOG_ORIGIN, r))],
            "listRevocations": [lambda: Request(query={"origin": LOG_ORIGIN})],
            "deposit": [self.deposit],
            "release": [self.release],
        }


def cosigner_house(folder: Path) -> House:
    """An auditing cosigner."""
    found = Custody(folder, shares=False)
    return House("cosigner", COSIGNER, found.app, found.truths())


def operator_house(folder: Path) -> House:
    """The same with a share; its grant stays, so that there is something to release."""
    found = Custody(folder, shares=True)
    truths = {name: made for name, made in found.truths().items() if name != "keepRevocation"}
    return House("operator", OPERATOR, found.app, truths)
