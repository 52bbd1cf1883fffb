"""An agency in a temporary home, a log that keeps the rules until it is told to lie, an issuer, and a wallet.

Import as `from tests.verifier.agency import Agency`. The agency is the real one over its real web edge; log and
issuer answer its client through `Net`, in place of the network. The wallet makes what a wallet makes, simply.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from protocol.anchors import Anchors
from protocol.attributes import CREDENTIAL_TYPES, credential_type
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_object, parse_struct, sha256
from protocol.consent_api import (
    MAX_RELEASE_BYTES,
    MessageAnswer,
    MessageRequest,
    ReadAnswer,
    ReadRequest,
    ReleaseAnswer,
    ReleaseRequest,
    RevocationAnswer,
    RevocationRequest,
    StatusChunkAnswer,
    parse_body,
)
from protocol.credential import split_sd_jwt
from protocol.dcql import Card, match
from protocol.direct_post import encrypt_response, plain_form
from protocol.errors import Rejected, Unavailable
from protocol.key_binding import sign_key_binding
from protocol.leaf import Revocation, lock_of
from protocol.note import NoteSigner
from protocol.openid4vp import VerifiedRequest, check_registration, parse_authorization_url, verify_request_object
from protocol.operators import Pieces, deal, seal_pieces_release
from protocol.presentation import RegieSealed, claim_shares, make_claim, seal_presentation
from protocol.reading import GrantState, Refusal, decide_read, seal_release, verify_read
from protocol.receipt import make_revocation_receipt, make_tlog_proof
from protocol.status_list import encode_list, sign_status_token
from protocol.terms import Place, Terms, terms_hash, with_flags
from protocol.tiles import encode_entries, encode_tile, parse_tile_path
from protocol.trust_list import ServiceClaim, TrustList, sign_trust_list
from service.certificates import ROOT, SIGNING, SIGNING_KEY
from service.clock import Clock
from service.fetch import Answer, Fetcher
from service.home import Home
from tests.protocol import builders, dealing, granting
from tests.protocol.builders import ADRES, AGENCY, AGENCY_ID, DAY, GEZIN, LOG_ORIGIN, LOG_URL, NOW, PERSOON
from verifier.ask import Wish
from verifier.config import VerifierConfig
from verifier.desk import Desk, Parts
from verifier.gate import Purpose
from verifier.signing import COPIES_KEY
from verifier.web import make_web

URL = "https://agency.voorbeeld.example"
PURPOSE = Purpose("Z-2026-1", "officer 7")
TYPES = {kind.configuration_id: kind.vct for kind in CREDENTIAL_TYPES.values()}


class HandClock(Clock):
    """Shows what it is set to."""

    def __init__(self, time: int = NOW) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


@dataclass
class LoggedGrant:
    """What the log knows of a grant."""

    terms: Terms
    index: int
    b: bytes
    revoked: bool = False


class Log(granting.MiniLog):
    """Admits by `decide_read`; the same READ again gets the same entry. Its lies are switched on by the test."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self.clock = clock
        self.grants: dict[int, LoggedGrant] = {}
        self.known: dict[str, tuple[int, int] | Rejected] = {}
        self.requests: list[str] = []
        self.messages: list[str] = []
        self.down = False
        self.drops_answer = False
        self.receipt_key = builders.LOG_RECEIPT_KEY
        self.age = 0
        self.lie: Callable[[ReadAnswer], ReadAnswer] = lambda answer: answer
        self.admits_everything = False
        self.next_n: int | None = None

    def enter(self, terms: Terms, b: bytes) -> tuple[int, int, str]:
        """Index, slot and tlog-proof of a new grant."""
        index, slot = self.grant(terms)
        self.grants[slot] = LoggedGrant(terms, index, b)
        note = self.publish(self.clock.time)
        return index, slot, make_tlog_proof(index, self.proof(index), note)

    def stop(self, slot: int, secret: bytes) -> None:
        """A revocation."""
        grant = self.grants[slot]
        assert lock_of(secret) == b64u_decode(grant.terms.lock)
        grant.revoked = True
        self.status.revoke(slot)
        self.append(Revocation(grant.index, slot, secret))

    def answer(self, path: str, body: bytes | None) -> bytes:
        """The log's API as far as an agency uses it."""
        if self.down:
            raise Unavailable("unreachable", "the log is down")
        if path == "/v1/reads":
            assert body is not None
            return canonical_bytes(self.lie(self._read(parse_struct(body, ReadRequest))))
        if path == "/v1/messages":
            assert body is not None
            self.messages.append(parse_struct(body, MessageRequest).message)
            return canonical_bytes(MessageAnswer(0, len(self.leaves), b64u_encode(bytes(32)), "proof"))
        if path == "/v1/revocations":
            assert body is not None
            return canonical_bytes(self._revoke(b64u_decode(parse_struct(body, RevocationRequest).r)))
        if path.startswith("/v1/status-chunks/"):
            return canonical_bytes(self._chunk(int(path.rpartition("/")[2])))
        if path == "/checkpoint":
            return self.publish(self.clock.time - self.age).encode()
        name = parse_tile_path(path.removeprefix("/"))
        if name.level is None:
            return encode_entries(self.leaves[name.n * 256 : name.n * 256 + name.width])
        height = 8 * name.level
        return encode_tile([self.node(height, name.n * 256 + i) for i in range(name.width)])

    def _revoke(self, secret: bytes) -> RevocationAnswer:
        """Ends the grant with this lock, and signs for it; again gives the same."""
        lock = lock_of(secret)
        slot = next((slot for slot, g in self.grants.items() if b64u_decode(g.terms.lock) == lock), None)
        if slot is None:
            raise Rejected("unknown_lock", "no grant has this lock", status=404)
        if not self.grants[slot].revoked:
            self.stop(slot, secret)
        signer = NoteSigner(f"{LOG_ORIGIN}/receipts", self.receipt_key)
        return RevocationAnswer(make_revocation_receipt(LOG_ORIGIN, lock, self.clock.time, signer), slot, 0)

    def _chunk(self, number: int) -> StatusChunkAnswer:
        note = self.publish(self.clock.time - self.age)
        head = self.leaf_proof(len(self.leaves) - 1)
        proof = b64u_encode(b"".join(self.status.proof(number)))
        return StatusChunkAnswer(note, head, b64u_encode(self.status.chunk(number)), proof, self.status.slots)

    def _read(self, request: ReadRequest) -> ReadAnswer:
        self.requests.append(request.read)
        read = verify_read(request.read, builders.agency(), self.clock.time)
        grant = self.grants[read.read.slot]
        known = self.known.get(request.read)
        if isinstance(known, Rejected):
            raise known
        if known is None:
            decided = decide_read(
                grant.terms,
                read,
                state=GrantState(read.read.slot, grant.revoked, True, self.reads),
                reply_key=b64u_decode(request.reply_key),
                now=self.clock.time,
            )
            if isinstance(decided, Refusal) and not self.admits_everything:
                self.known[request.read] = decided.error()
                raise decided.error()
            n = self.reads if self.next_n is None else self.next_n
            known = self.known[request.read] = (n, self.read(grant.terms, request.read, n))
            self.reads += 1
        if self.drops_answer:
            raise Unavailable("unreachable", "the answer was lost")
        return self._release(request, grant, *known)

    def _release(self, request: ReadRequest, grant: LoggedGrant, n: int, index: int) -> ReadAnswer:
        read = parse_object(b64u_decode(request.read.split(".")[1]))
        note = self.publish(self.clock.time - self.age)
        body_hash = sha256(note.partition("\n\n")[0].encode() + b"\n")
        claims = {claim.digest: claim for claim in grant.terms.claims}
        sealed = None
        if grant.terms.operators is None:
            sealed = b64u_encode(
                seal_release(
                    b64u_decode(request.reply_key),
                    claim_shares([claims[digest] for digest in read["claims"]], grant.b),
                    lock=b64u_decode(read["lock"]),
                    read_id=b64u_decode(read["read_id"]),
                    index=index,
                    body_hash=body_hash,
                )
            )
        evidence = self.evidence(note, grant.index, read["slot"])
        proof = make_tlog_proof(index, self.proof(index), note)
        return ReadAnswer(n, index, b64u_encode(granting.OPENING_KEY), proof, evidence, sealed)


class Operator:
    """One operator: releases for whatever it is asked, unless it is down, refuses, lies or takes its time."""

    def __init__(self, name: str, log: Log) -> None:
        self.name, self.log = name, log
        self.pieces: dict[str, Pieces] = {}
        """By lock."""
        self.down = False
        self.refuse: Rejected | None = None
        self.lie: Callable[[Pieces], Pieces] = lambda pieces: pieces
        self.waits_for: Event | None = None
        self.asked: list[ReleaseRequest] = []

    def answer(self, body: bytes) -> bytes:
        if self.waits_for is not None:
            self.waits_for.wait(60)
        if self.down:
            raise Unavailable("unreachable", "the operator is down")
        if self.refuse is not None:
            raise self.refuse
        request = parse_body(body, ReleaseRequest, max_bytes=MAX_RELEASE_BYTES)
        self.asked.append(request)
        read = parse_object(b64u_decode(request.read.split(".")[1]))
        claims = {claim.digest: claim for claim in self.log.grants[read["slot"]].terms.claims}
        note = request.logged.evidence.checkpoint
        sealed = seal_pieces_release(
            b64u_decode(request.reply_key),
            [claims[digest] for digest in read["claims"]],
            self.lie(self.pieces[read["lock"]]),
            self.name,
            lock=b64u_decode(read["lock"]),
            read_id=b64u_decode(read["read_id"]),
            index=request.logged.index,
            body_hash=sha256(note.partition("\n\n")[0].encode() + b"\n"),
        )
        return canonical_bytes(ReleaseAnswer(b64u_encode(sealed)))


class Net(Fetcher):
    """In place of the network: the log, and the issuer's status list."""

    def __init__(self, log: Log, clock: HandClock) -> None:
        super().__init__(loopback=False)
        self.log = log
        self.clock = clock
        self.operators = {name: Operator(name, log) for name in dealing.NAMES}
        self.statuses = [0] * 8000
        self.lists = {builders.STATUS_URI: builders.ISSUER}
        """Who signs which list; all of them hold `statuses`."""
        self.issuer_down = False
        self.fetched: list[str] = []

    def request(self, method: str, url: str, *, body: bytes | None = None, **options: Any) -> Answer:
        self.fetched.append(url)
        if url.startswith(LOG_URL):
            return Answer(200, {"content-type": "application/json"}, self.log.answer(urlsplit(url).path, body))
        if (operator := self.operators.get(str(urlsplit(url).hostname))) is not None:
            return Answer(200, {"content-type": "application/json"}, operator.answer(body or b""))
        if url in self.lists and not self.issuer_down:
            token = self._status_token() if url == builders.STATUS_URI else self._status_token(url)
            return Answer(200, {"content-type": "application/statuslist+jwt"}, token.encode())
        raise Unavailable("unreachable", "no such host")

    def _status_token(self, uri: str = builders.STATUS_URI) -> str:
        return sign_status_token(
            uri=uri,
            bits=2,
            lst=encode_list(2, self.statuses),
            iat=self.clock.time,
            exp=self.clock.time + DAY,
            ttl=60,
            signer=self.lists[uri].key,
            x5c=self.lists[uri].x5c,
        )


def service_of(*names: str, **changes: Any) -> Any:
    """A service that asks `adres.postcode` and the like, the first of them needed."""
    claims = []
    for number, name in enumerate(names):
        kind, _, attribute = name.partition(".")
        claims.append(ServiceClaim(vct=TYPES[kind], path=[attribute], needed=number == 0))
    return builders.service(claims=claims, **changes)


class Agency:
    """The agency's home, desk and web edge, with everybody it talks to."""

    def __init__(
        self, path: Path, *, trust: TrustList = builders.TRUST, anchors: Anchors | None = None, **config: Any
    ) -> None:
        self.clock = HandClock()
        self.log = Log(self.clock)
        self.log.enter(granting.terms(), bytes(32))  # a neighbour's grant, so that ours is not the first
        self.net = Net(self.log, self.clock)
        self.path = path
        self.home = Home(path / "home").create()
        self.enlist(trust)
        self.home.write_secret(SIGNING_KEY, AGENCY.key.to_pem())
        self.home.write_public(SIGNING, AGENCY.leaf)
        self.home.write_public(ROOT, AGENCY.root)
        self.home.write_secret(COPIES_KEY, sha256(b"copies"))
        if anchors is not None:
            self.home.write_json("anchors.json", anchors)
        members: dict[str, Any] = {
            "role": "verifier",
            "url": URL,
            "oin": AGENCY_ID,
            "name": "Gemeente Voorbeeld",
            "log": LOG_ORIGIN,
            "trust_list": str(path / "trust-list.jwt"),
            "registrar": builders.REGISTRAR.public.jwk(),
        }
        self.home.write_config(VerifierConfig(**{**members, **config}))
        self.random = builders.random_of("agency")
        self.start()

    def enlist(self, trust: TrustList) -> None:
        """Publish a trust list."""
        self.trust = trust
        (self.path / "trust-list.jwt").write_text(sign_trust_list(trust, builders.REGISTRAR))

    def start(self) -> None:
        """Start, or start again after a crash: all that lived in memory is gone."""
        self.desk = Desk(self.home, Parts(self.clock, self.net, self.random))
        self.app = make_web(self.desk)
        self.web: FlaskClient = self.app.test_client()

    def ask(self, *, service: str = builders.SERVICE_ID, **wish: Any) -> tuple[str, str]:
        """Id and link."""
        return self.desk.ask(service, Wish(**wish))

    def post(self, request_id: str, body: bytes, **options: Any) -> TestResponse:
        """A wallet's answer."""
        options = {"content_type": "application/x-www-form-urlencoded", **options}
        return self.web.post(f"/responses/{request_id}", data=body, **options)

    def stored(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the store but those of requests, their objects and fetched lists, to see what changed."""
        tables = ("copies", "grants", "reads", "messages", "checkpoints")
        database = self.desk.store._file.database
        rows = {name: [tuple(row) for row in database.conn.execute(f"SELECT * FROM {name}")] for name in tables}
        rows["requests"] = [tuple(row) for row in database.conn.execute("SELECT id, state, binding FROM requests")]
        return rows

    def files(self) -> bytes:
        """Every byte of the home."""
        return b"".join(file.read_bytes() for file in sorted(self.home.path.iterdir()) if file.is_file())


@dataclass
class Wallet:
    """A resident with one card of each type, all of one set."""

    clock: HandClock
    log: Log
    trust: TrustList = builders.TRUST
    name: str = "holder"
    set_name: str = "set 1"
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = {vct: builders.es256(f"{self.name} {vct}") for vct in (PERSOON, ADRES, GEZIN)}
        self.cards = {
            vct: builders.credential(vct, holder=key.public, set_id=builders.set_id(self.set_name), **self.changes)
            for vct, key in self.keys.items()
        }
        self.code = 0
        self.random = builders.random_of(f"wallet {self.name}")

    def open(self, agency: Agency, link: str, *, nonce: str | None = None) -> VerifiedRequest:
        """Fetch and verify a request."""
        parsed = parse_authorization_url(link)
        path = urlsplit(parsed.request_uri).path
        answer = agency.web.get(path) if nonce is None else agency.web.post(path, data={"wallet_nonce": nonce})
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/oauth-authz-req+jwt"
        request = verify_request_object(
            answer.text, parsed.client_id, self.trust, self.clock.time, wallet_nonce=nonce
        )
        check_registration(request)
        return request

    def secret(self) -> bytes:
        """r of the newest grant; its hash is the lock."""
        return sha256(f"{self.name} secret {self.code}".encode())

    def disclosures(self, vct: str) -> dict[str, str]:
        """Encoded disclosures of a card by attribute name."""
        return dict(zip(credential_type(vct).names, split_sd_jwt(self.cards[vct]).disclosures, strict=True))

    def places(self, request: VerifiedRequest, without: Sequence[str] = ()) -> list[Place]:
        """What the request asks, but `without`."""
        assert request.consent is not None
        vcts = request.vcts
        asked = [Place(c.credential, vcts[c.credential], c.path[0]) for c in request.consent.claims]
        flags = {vct: credential_type(vct).flags for vct in vcts.values()}
        chosen = [place for place in asked if place.name not in without and place.name not in flags[place.vct]]
        return with_flags(chosen)

    def terms(self, request: VerifiedRequest, places: Sequence[Place], b: bytes, **changes: Any) -> Terms:
        """T."""
        assert request.consent is not None
        assert request.service is not None
        members: dict[str, Any] = {
            "type": "urn:regie:terms:1",
            "log": LOG_ORIGIN,
            "lock": b64u_encode(lock_of(self.secret())),
            "tag_key": b64u_encode(sha256(f"{self.name} tag {self.code}".encode())),
            "recipient": request.agency.id,
            "service": request.consent.service,
            "service_version": request.consent.service_version,
            "basis": request.service.basis,
            "claims": [make_claim(place, self.disclosures(place.vct)[place.name], b) for place in places],
            "not_before": self.clock.time,
            "not_after": min(request.consent.max_not_after, self.clock.time + 100 * DAY),
            "retention": request.consent.retention,
            "mode": request.consent.mode,
            "request_hash": b64u_encode(request.request_hash),
            "version": 1,
            "max_reads": request.consent.max_reads,
            "case": request.consent.case,
            "context": request.consent.context,
        }
        return Terms(**{**members, **changes})

    def grant(self, request: VerifiedRequest, *, without: Sequence[str] = (), **changes: Any) -> "Granted":
        """Make T, enter it into the log, seal: everything but sending. `changes` are members of T."""
        self.code += 1
        a, b = self.random(32), self.random(32)
        listed = self.trust.log(LOG_ORIGIN).operators
        if listed is not None:
            self.dealing = deal(listed.needed, listed.members, self.random)
            b = self.dealing.b
            changes = {"operators": self.dealing.operators, **changes}
        places = changes.pop("places", None) or self.places(request, without)
        terms = self.terms(request, places, b, **changes)
        index, slot, proof = self.log.enter(terms, b)
        assert request.consent is not None
        sealed, share_a = seal_presentation(
            terms,
            {c.digest: self.disclosures(c.vct)[c.path[0]] for c in terms.claims},
            a,
            b,
            b64u_decode(request.consent.kem_key),
            self.random,
        )
        regie = RegieSealed(terms, slot, sealed, b64u_encode(granting.OPENING_KEY), b64u_encode(share_a), proof)
        return Granted(self, request, regie, index, self.secret())

    def bind(self, request: VerifiedRequest, name: str, **changes: Any) -> str:
        """`JWT~KB-JWT` of the card for a DCQL id; `changes` are arguments of `sign_key_binding`."""
        vct = request.vcts[name]
        presented = split_sd_jwt(self.cards[vct]).jwt + "~"
        arguments: dict[str, Any] = {
            "audience": request.client_id,
            "nonce": request.nonce,
            "iat": self.clock.time,
        }
        return presented + sign_key_binding(presented, self.keys[vct], **{**arguments, **changes})

    def show(self, request: VerifiedRequest, **changes: Any) -> dict[str, list[str]]:
        """`vp_token` of a copy: exactly what is asked; `changes` are arguments of `sign_key_binding`."""
        vcts = [PERSOON, ADRES, GEZIN]
        cards = [Card(vct, builders.attributes_of(vct)) for vct in vcts]
        found = match(request.query, cards)
        shown = {}
        for name in found.required:
            candidate = found.candidates[name][0]
            vct = vcts[candidate.index]
            presented = builders.reveal(self.cards[vct], candidate.names, vct)
            arguments = {"audience": request.client_id, "nonce": request.nonce, "iat": self.clock.time, **changes}
            shown[name] = [presented + sign_key_binding(presented, self.keys[vct], **arguments)]
        return shown


@dataclass(frozen=True)
class Granted:
    """A grant in the log, before the agency hears of it; every part can be replaced."""

    wallet: Wallet
    request: VerifiedRequest
    sealed: RegieSealed
    index: int
    secret: bytes

    def vp_token(self, **changes: Any) -> dict[str, list[str]]:
        """Consent signatures; `changes` are arguments of `sign_key_binding`."""
        consent = self.request.consent
        assert consent is not None
        names = dict.fromkeys([*consent.credential_ids, *(c.credential for c in self.sealed.terms.claims)])
        shown = {}
        for name in names:
            arguments: dict[str, Any] = {"consent": terms_hash(self.sealed.terms)}
            if name in consent.credential_ids:
                arguments["transaction_data_hashes"] = self.request.transaction_data_hashes
            shown[name] = [self.wallet.bind(self.request, name, **{**arguments, **changes})]
        return shown

    def form(self, vp_token: dict[str, list[str]] | None = None, **sealed: Any) -> bytes:
        """The answer; `sealed` are other members of `regie_sealed`."""
        return encrypt_response(
            self.request.encryption,
            nonce=self.request.nonce,
            state=self.request.state,
            vp_token=vp_token or self.vp_token(),
            sealed=granting.change(self.sealed, **sealed),
        )

    def with_terms(self, **changes: Any) -> "Granted":
        """With other terms, as a cheat would send them: signed by the holder, but not the ones in the log."""
        return replace(
            self, sealed=granting.change(self.sealed, terms=granting.change(self.sealed.terms, **changes))
        )


def copy_form(request: VerifiedRequest, vp_token: dict[str, list[str]], **changes: Any) -> bytes:
    """The answer of a copy, in the response mode of the request."""
    if request.encryption is None:
        return plain_form(**{"state": request.state, "vp_token": vp_token, **changes})
    arguments = {"nonce": request.nonce, "state": request.state, "vp_token": vp_token, **changes}
    return encrypt_response(request.encryption, **arguments)


def error_of(response: TestResponse) -> str:
    """Our code in an OAuth error."""
    assert response.content_type == "application/json", response.text
    body = json.loads(response.text)
    assert body["error"] == "invalid_request"
    return str(body["error_description"]).partition(":")[0]
