"""A log with a plain witness and an auditing cosigner in one process, their wires to cut, and a clock to move.

Import as `from tests.consentlog.small_town import SmallTown`. The witnesses are `service.witness` with the rules
of `protocol.witness` and `protocol.replay`; wallet and agency are a few lines each, over the log's real web.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Flask
from werkzeug.test import TestResponse

from consentlog import queries
from consentlog.config import log_config, make_log
from consentlog.lock import GlobalLock
from consentlog.node import Node
from consentlog.web import make_web
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_struct, sha256
from protocol.consent_api import (
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    MessageRequest,
    ReadAnswer,
    ReadRequest,
    RevocationAnswer,
    RevocationRequest,
)
from protocol.light_check import GrantOpening, verify_light_check
from protocol.note import NoteSigner, SignatureType, parse_vkey
from protocol.policy import parse_policy
from protocol.presentation import grant_opening, seal_deposit
from protocol.reading import Read, Ticket, open_release, sign_read, sign_ticket
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.replay import Replay
from protocol.revocation_code import lock_for, revocation_secret, view_hash, view_key
from protocol.seal import KemPrivate
from protocol.terms import Terms, with_flag_digests
from protocol.tiles import TILE_WIDTH, entries_path, parse_entries, tile_width
from protocol.trust_list import TrustedLog, sign_trust_list
from service.app import make_app
from service.database import engine_for, sqlite_url
from service.home import Home
from service.witness import Witness, witness_blueprint
from tests.consentlog.peers import Cosigner, HandClock, Wires
from tests.protocol import builders, granting, mandates
from tests.protocol.builders import AGENCY, AGENCY_ID, AUDITOR_NAME, LOG_ORIGIN, LOG_URL, NOW, WITNESS_NAME
from tests.protocol.granting import HUISNUMMER, POSTCODE
from tests.waiting import wait_until


@dataclass(frozen=True)
class Given:
    """A grant as its wallet knows it."""

    code: bytes
    b: bytes
    request: GrantRequest
    answer: GrantAnswer

    @property
    def terms(self) -> Terms:
        return self.request.terms

    @property
    def r(self) -> bytes:
        return revocation_secret(self.code, self.terms.version)

    @property
    def view(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {b64u_encode(view_key(self.code))}"}


@dataclass(frozen=True)
class Sent:
    """A READ as its agency sent it."""

    read: Read
    request: ReadRequest
    reply: KemPrivate


class SmallTown:
    """Everybody. The homes stay in `folder`: a second town there goes on with the same log and witnesses."""

    def __init__(
        self, folder: Path, *, threshold: str = "all", database: str | None = None, lock: str = ""
    ) -> None:
        self.clock, self.witness_clock = HandClock(), HandClock()
        self.wires = Wires()
        self.folder = folder
        self.home = Home(folder / "log")
        self.trust_list = folder / "trust-list.jwt"
        is_new = not self.home.path.exists()
        self.entry = self._make_log() if is_new else parse_struct(self.home.read("entry.json"), TrustedLog)
        self.policy = (
            builders.log_policy()
            .replace(builders.vkey(LOG_ORIGIN, builders.LOG_KEY), self.entry.vkey)
            .replace("group all all", f"group all {threshold}")
        )
        if is_new:
            self.publish_trust()
        if database is not None:
            self.home.write_config(msgspec.structs.replace(log_config(self.home), database=database, lock=lock))
        if lock:
            GlobalLock(engine_for(lock), LOG_ORIGIN).create(NOW)
        self.cosigner = Cosigner(self.wires)
        self._add_witnesses()
        self.node: Node | None = None
        self.app: Flask | None = None

    def _make_log(self) -> TrustedLog:
        return make_log(
            self.home,
            url=LOG_URL,
            origin=LOG_ORIGIN,
            trust_list=str(self.trust_list),
            registrar=builders.REGISTRAR.public.jwk(),
            random=os.urandom,
            now=NOW,
        )

    def publish_trust(self, version: int = 1, **changes: Any) -> None:
        logs = [msgspec.structs.replace(self.entry, policy=self.policy)]
        trust = builders.trust_list(logs=logs, version=version, exp=NOW + 500 * builders.DAY, **changes)
        self.trust_list.write_text(sign_trust_list(trust, builders.REGISTRAR))

    def _add_witnesses(self) -> None:
        log_key = parse_vkey(self.entry.vkey)

        def key_of(origin: str) -> Any:
            return log_key if origin == LOG_ORIGIN else None

        for name, key, hook in (
            (WITNESS_NAME, builders.WITNESS_KEY, None),
            (AUDITOR_NAME, builders.AUDITOR_KEY, self.cosigner.before_cosign),
        ):
            signer = NoteSigner(name, key, SignatureType.COSIGNATURE)
            store = engine_for(sqlite_url(self.folder / f"{name}.db"))
            witness = Witness(store, signer, self.witness_clock, key_of, before_cosign=hook)
            app = self.cosigner.web(witness) if hook else make_app("consentlog")
            if hook is None:
                app.register_blueprint(witness_blueprint(witness))
            self.wires.hosts[name] = app

    def start(self, *, until: str = "reads", **options: Any) -> "SmallTown":
        """Start the log; `until` it takes `reads`, or has `nothing` to wait for."""
        node = Node(self.home, clock=self.clock, random=os.urandom, fetcher=self.wires, **options)
        self.node, self.app = node, make_web(node)
        self.wires.hosts[urlsplit(LOG_URL).hostname or ""] = self.app
        node.start()
        if until == "reads":
            wait_until(lambda: node.publisher.is_ready)
        return self

    def stop(self) -> None:
        if self.node is not None:
            self.node.stop()
            self.node = self.app = None

    def advance(self, seconds: int) -> None:
        """Time passes, and the witnesses cosign again."""
        self.clock.time += seconds
        self.witness_clock.time = self.clock.time
        node = self.node
        assert node is not None
        node.publisher.wake()
        wait_until(lambda: node.published.is_fresh(self.clock.now()))

    def settle(self) -> None:
        """Until everything that is committed is published."""
        node = self.node
        assert node is not None
        wait_until(lambda: node.published.size == node.tree.size)

    @contextmanager
    def running(self, **options: Any) -> Iterator["SmallTown"]:
        self.start(**options)
        try:
            yield self
        finally:
            self.stop()

    # What parties do.

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        assert self.app is not None
        if body is not None:
            options |= {"data": canonical_bytes(body), "content_type": "application/json"}
        return self.app.test_client().open(path, method=method, **options)

    def ticket(self, **changes: Any) -> str:
        members: dict[str, Any] = {
            "iss": AGENCY_ID,
            "aud": LOG_ORIGIN,
            "jti": b64u_encode(os.urandom(16)),
            "exp": self.clock.now() + 3600,
            "service": builders.SERVICE_ID,
            "service_version": 1,
        }
        return sign_ticket(Ticket(**{**members, **changes}), AGENCY.key, AGENCY.x5c)

    def grant_request(
        self,
        code: bytes | None = None,
        *,
        b: bytes | None = None,
        version: int = 1,
        mandate: str | None = None,
        **terms: Any,
    ) -> tuple[bytes, bytes, GrantRequest]:
        """(code, b, request) of a grant of postcode and house number; `mandate`: the JWS, for somebody else."""
        code, b = code or (mandates.CODE if mandate else os.urandom(16)), b or os.urandom(32)
        members = {
            "lock": b64u_encode(lock_for(code, version)),
            "on_behalf_of": mandates.behalf(mandate) if mandate else None,
            "tag_key": b64u_encode(sha256(b"tag", code)),
            "version": version,
            **terms,
        }
        made = granting.terms((POSTCODE, HUISNUMMER), b=b, **members)
        request = GrantRequest(
            terms=made,
            opening_key=b64u_encode(os.urandom(32)),
            deposit=b64u_encode(seal_deposit(b64u_decode(self.entry.deposit_key), made, b)),
            view_hash=b64u_encode(view_hash(code)),
            ticket=self.ticket(),
            mandate=mandates.shown(mandate, code=code, version=version) if mandate else None,
        )
        return code, b, request

    def grant(self, **terms: Any) -> Given:
        """A grant that stands."""
        code, b, request = self.grant_request(**terms)
        return Given(code, b, request, self.parsed(self.send("POST", "/v1/grants", request), GrantAnswer))

    def refresh_request(self, given: Given, **changes: Any) -> tuple[bytes, GrantRequest]:
        """(b, request) of the next version."""
        version = given.terms.version + 1
        b = os.urandom(32)
        kept = {name: getattr(given.terms, name) for name in ("tag_key", "not_after", "max_reads")}
        members = {**kept, "not_before": self.clock.now(), "version": version, **changes}
        mandate = (given.request.mandate or "").partition("~")[0] or None
        _, _, request = self.grant_request(given.code, b=b, mandate=mandate, **members)
        return b, msgspec.structs.replace(request, ticket=None, replaced_r=b64u_encode(given.r))

    def make_read(self, given: Given, *places: Any, signer: Any = AGENCY, **changes: Any) -> Sent:
        reply = KemPrivate(os.urandom(96))
        found = {claim.path[0]: claim.digest for claim in given.terms.claims}
        members: dict[str, Any] = {
            "slot": given.answer.slot,
            "lock": given.terms.lock,
            "read_id": b64u_encode(os.urandom(16)),
            "claims": with_flag_digests(given.terms, [found[place.name] for place in places or (POSTCODE,)]),
            "reply_key_hash": b64u_encode(sha256(reply.public_bytes())),
            "case": b64u_encode(bytes(32)),
            "officer": b64u_encode(bytes(32)),
            "channel": "desk",
            "zone": "office",
            "iat": self.clock.now(),
            "aud": LOG_ORIGIN,
        }
        read = Read(**{**members, **changes})
        token = sign_read(read, signer.key, signer.x5c)
        return Sent(read, ReadRequest(token, b64u_encode(reply.public_bytes())), reply)

    def post_read(self, sent: Sent) -> TestResponse:
        return self.send("POST", "/v1/reads", sent.request)

    def read(self, given: Given, *places: Any, **changes: Any) -> tuple[Sent, ReadAnswer]:
        sent = self.make_read(given, *places, **changes)
        return sent, self.parsed(self.post_read(sent), ReadAnswer)

    def post_revocation(self, r: bytes) -> TestResponse:
        return self.send("POST", "/v1/revocations", RevocationRequest(b64u_encode(r)))

    def revoke(self, given: Given) -> RevocationAnswer:
        return self.parsed(self.post_revocation(given.r), RevocationAnswer)

    def events(self, given: Given) -> EventsAnswer:
        self.settle()
        path = f"/v1/grants/{given.answer.slot}/events"
        return self.parsed(self.send("GET", path, headers=given.view), EventsAnswer)

    def post_message(self, token: str, **options: Any) -> TestResponse:
        return self.send("POST", "/v1/messages", MessageRequest(token), **options)

    def leaves(self) -> list[bytes]:
        """All committed leaves, as the public bundles show them."""
        assert self.node is not None
        size, found = self.node.tree.size, []
        for n in range(-(-size // TILE_WIDTH)):
            width = tile_width(0, n, size)
            found += parse_entries(self.send("GET", f"/{entries_path(n, width)}").data, width)
        return found

    def replayed(self) -> Replay:
        """What an auditor makes of the leaves; raises when they break a rule."""
        replay = Replay()
        for leaf in self.leaves():
            replay.apply(leaf)
        return replay

    def shares(self, sent: Sent, answer: ReadAnswer) -> list[bytes]:
        """The claim shares, after what an agency checks of the log's answer."""
        standing = verify_light_check(
            answer.evidence,
            self._opening_of(sent),
            log_key=parse_vkey(self.entry.vkey),
            policy=parse_policy(self.policy),
            now=self.clock.now(),
        )
        leaf = self.leaves()[answer.index]
        proof = parse_tlog_proof(answer.proof)
        assert proof.checkpoint == answer.evidence.checkpoint
        assert verify_tlog_proof(proof, leaf, standing.checkpoint).index == answer.index
        return open_release(
            sent.reply,
            b64u_decode(answer.sealed),
            len(sent.read.claims),
            lock=b64u_decode(sent.read.lock),
            read_id=b64u_decode(sent.read.read_id),
            index=answer.index,
            body_hash=standing.checkpoint.body_hash,
        )

    def _opening_of(self, sent: Sent) -> GrantOpening:
        """What the agency holds of the grant that a READ is about; here from the log's own rows."""
        assert self.node is not None
        stored = self.node.grant_of(sent.read.slot)
        assert stored is not None
        assert stored.terms is not None
        row = queries.openings_between(self.node.engine, stored.row.index, stored.row.index + 1, 1)[0]
        return GrantOpening(LOG_ORIGIN, stored.row.lock, grant_opening(stored.terms), row.opening_key)

    @staticmethod
    def parsed(response: TestResponse, kind: type[Any]) -> Any:
        assert response.status_code < 300, response.get_data(as_text=True)
        return msgspec.json.decode(response.data, type=kind)
