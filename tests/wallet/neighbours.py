"""Everybody the wallet talks to, in memory: issuer, agency, log and auditing cosigner behind one `Fetcher`.

The far side keeps the real rules of `protocol/` and nothing else; tests take hosts down, let them lie, and count
or break calls. Import as `from tests.wallet import neighbours`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, parse_object, parse_struct, sha256
from protocol.checkpoint import ChunkProof
from protocol.consent import Asked, StandingAnswer
from protocol.consent_api import (
    MAX_RELEASE_BYTES,
    CosignerRevocationAnswer,
    CosignerRevocationRequest,
    DepositAnswer,
    DepositRequest,
    Event,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    MessageAnswer,
    MessageRequest,
    RevocationAnswer,
    RevocationRequest,
    parse_body,
    parse_grant_request,
)
from protocol.credential_request import parse_credential_request
from protocol.dcql import parse_query
from protocol.direct_post import ResponseObject, WalletError, decrypt_response, parse_response_form
from protocol.errors import Rejected, Unavailable
from protocol.issuer_metadata import authorization_server_metadata, issuer_metadata
from protocol.key_proof import parse_key_proof, verify_key_proofs
from protocol.leaf import LeafType, Message, Refusal, Revocation, commitment, event_tag, lock_of
from protocol.leaf import Read as ReadLeaf
from protocol.narrowing import check_listed_operators, check_refresh
from protocol.note import NoteSigner
from protocol.oauth import PreAuthorizedCode, parse_token_request
from protocol.openid4vci import (
    CredentialOffer,
    OfferGrants,
    PreAuthorizedGrant,
    TxCode,
    offer_link,
    offer_reference_link,
    parse_notification,
)
from protocol.openid4vp import build_authorization_url
from protocol.operators import Pieces, open_pieces
from protocol.policy import parse_policy, satisfied
from protocol.presentation import MAX_SEALED_BYTES, check_deposit, grant_leaf, grant_opening, open_deposit
from protocol.reading import (
    Read,
    ResidentMessage,
    Ticket,
    parse_message,
    refusal_opening,
    sign_message,
    sign_read,
    sign_ticket,
    verify_ticket,
)
from protocol.receipt import make_revocation_receipt, make_tlog_proof, parse_tlog_proof, verify_tlog_proof
from protocol.request_object import REQUEST_MEDIA_TYPE, parse_wallet_nonce, request_payload, sign_request_object
from protocol.standing import VerifiedStandingGrant, verify_refresh, verify_standing
from protocol.status_list import StatusReference
from protocol.terms import (
    ConsentElement,
    ElementClaim,
    LogReference,
    Terms,
    parse_element,
    salted_hash,
    terms_hash,
    with_flag_digests,
)
from protocol.tiles import TILE_WIDTH, encode_entries, parse_tile_path
from service.fetch import Answer, Fetcher
from tests.protocol import builders, dealing
from tests.protocol.builders import ADRES, AGENCY, AGENCY_HOST, AGENCY_ID, DAY, ISSUER_ID, LOG_ORIGIN, NOW, PERSOON
from tests.protocol.granting import MiniLog

ISSUER_HOST = "issuer.voorbeeld.example"
LOG_HOST = "log.voorbeeld.example"
COSIGNER_HOST = builders.AUDITOR_NAME
SECOND_ID, SECOND_HOST = "00000099000000002000", "second.voorbeeld.example"
SECOND = builders.party("second agency", san_dns=SECOND_HOST)
TX_CODE = "493817"
KEM = builders.kem("agency")
ANSWER_KEY = builders.es256("answer key")
CASE_SALT = sha256(b"case salt")
POLICY = parse_policy(builders.log_policy())
VCTS = {"adres": ADRES, "persoon": PERSOON}
RECEIPTS = NoteSigner(f"{LOG_ORIGIN}/receipts", builders.LOG_RECEIPT_KEY)
COSIGNER_RECEIPTS = NoteSigner(f"{builders.AUDITOR_NAME}/receipts", builders.AUDITOR_KEY)


def second_agency(**changes: Any) -> Any:
    """Another agency with the same service."""
    return builders.agency(**{"id": SECOND_ID, "name": "Waterschap Voorbeeld", "roots": SECOND.roots, **changes})


class Crash(BaseException):
    """The process dies here: nothing of ours may catch it."""


@dataclass
class MovableClock:
    """What time it is, for everybody."""

    time: int = NOW

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return float(self.time)

    def advance(self, seconds: int) -> None:
        self.time += seconds


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json"}, canonical_bytes(value))


@dataclass
class Issuer:
    """Offers every type; `spoil` may exchange the credentials of a batch before they are sent."""

    clock: MovableClock
    host: str = ISSUER_HOST
    code: str | None = "pre-authorized"
    token: str = "token-of-the-wallet"
    nonces: set[str] = field(default_factory=set)
    notified: list[tuple[str, str]] = field(default_factory=list)
    configurations: tuple[str, ...] = ("persoon", "adres", "gezin")
    spoil: Callable[[str, list[str], list[Any]], list[str]] | None = None
    metadata_changes: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 4
    issued: int = 0
    first_set: int = 0
    attribute_changes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def offer(self, *names: str, tx_code: bool = True) -> CredentialOffer:
        self.code = f"pre-authorized-{self.issued}"
        grant = PreAuthorizedGrant(self.code, TxCode(length=6) if tx_code else None)
        return CredentialOffer(ISSUER_ID, list(names or self.configurations), OfferGrants(grant))

    def link(self, *names: str) -> str:
        return offer_link(self.offer(*names))

    def reference(self, uri: str = f"{ISSUER_ID}/offers/1") -> str:
        return offer_reference_link(uri)

    def handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if path == "/.well-known/openid-credential-issuer":
            plain = json.loads(
                canonical_bytes(issuer_metadata(ISSUER_ID, "Basisregistratie", CREDENTIAL_TYPES.values()))
            )
            plain["batch_credential_issuance"] = {"batch_size": self.batch_size}
            return json_answer({**plain, **self.metadata_changes})
        if path == "/.well-known/oauth-authorization-server":
            return json_answer(authorization_server_metadata(ISSUER_ID))
        if path.startswith("/offers/"):
            return json_answer(self.offer())
        if path == "/token":
            return self._token(body)
        if path == "/nonce":
            nonce = f"nonce-{len(self.nonces)}-of-the-issuer"
            self.nonces.add(nonce)
            return json_answer({"c_nonce": nonce})
        if headers.get("Authorization") != f"Bearer {self.token}":
            return json_answer({"error": "invalid_token"}, 401)
        if path == "/notification":
            notification = parse_notification(body)
            self.notified.append((notification.notification_id, notification.event))
            return Answer(204, {}, b"")
        return self._credential(body)

    def _token(self, body: bytes) -> Answer:
        wanted = parse_token_request(parse_qsl(body.decode()))
        if wanted != PreAuthorizedCode(str(self.code), TX_CODE):
            return json_answer({"error": "invalid_grant", "error_description": "wrong code"}, 400)
        self.code = None
        return json_answer({"access_token": self.token, "token_type": "Bearer", "expires_in": 300})

    def _credential(self, body: bytes) -> Answer:
        asked = parse_credential_request(body, encrypted=False)
        name = asked.configuration
        parsed = [parse_key_proof(proof) for proof in asked.proofs]
        assert {proof.nonce for proof in parsed} <= self.nonces
        keys = verify_key_proofs(parsed, audience=ISSUER_ID, now=self.clock.time)
        vct = next(kind.vct for kind in CREDENTIAL_TYPES.values() if kind.configuration_id == name)
        credentials = [self.make(vct, key, number) for number, key in enumerate(keys)]
        if self.spoil:
            credentials = self.spoil(vct, credentials, list(keys))
        self.issued += 1
        return json_answer(
            {"credentials": [{"credential": text} for text in credentials], "notification_id": f"n-{name}"}
        )

    def make(self, vct: str, key: Any, number: int, **changes: Any) -> str:
        members: dict[str, Any] = {
            "holder": key,
            "attributes": builders.attributes_of(vct, **self.attribute_changes.get(vct, {})),
            "set_id": builders.set_id(f"set {self.first_set + number}"),
            "status": StatusReference(idx=7 * self.issued + 1000 * number + 3, uri=builders.STATUS_URI),
            "random": builders.random_of(f"{vct} {self.issued} {number}"),
        }
        return builders.credential(vct, **{**members, **changes})


@dataclass
class LogGrant:
    """A grant as the log keeps it."""

    terms: Terms
    index: int
    slot: int
    body: bytes
    answer: bytes
    view_hash: bytes
    opening_key: bytes
    b: bytes
    revoked: int | None = None
    counts: dict[LeafType, int] = field(default_factory=dict)
    events: list[tuple[int, LeafType, int | None, bytes | None, bytes | None]] = field(default_factory=list)


class Log:
    """A consent log that keeps the rules, unless `change_events` or `change_grant` make it lie."""

    def __init__(self, clock: MovableClock, trust: Callable[[], Any]) -> None:
        self.clock, self.trust = clock, trust
        self.log = MiniLog()
        self.grants: list[LogGrant] = []
        self.spent: set[str] = set()
        self.note = ""
        self.page = 1000
        """Events of one answer."""
        self.between_pages: Callable[[], None] = lambda: None
        self.change_events: Callable[[EventsAnswer], EventsAnswer] | None = None
        self.change_grant: Callable[[GrantAnswer], GrantAnswer] | None = None
        self.change_promise: Callable[[RevocationAnswer], RevocationAnswer] | None = None
        self.refuse_grants: str | None = None
        self.random = builders.random_of("log")
        self.publish_stops = True
        self._neighbour()

    def _neighbour(self) -> None:
        """Somebody else's grant, so that ours has no round numbers."""
        self.log.append(ReadLeaf(bytes(16), bytes(32)))
        self.publish()

    def publish(self) -> None:
        self.note = self.log.publish(self.clock.time)

    def grant_of(self, slot: int) -> LogGrant:
        return next(grant for grant in self.grants if grant.slot == slot)

    def handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if path == "/checkpoint":
            return Answer(200, {"content-type": "text/plain"}, self.note.encode())
        if path.startswith("/tile/"):
            return self._tile(path[1:])
        if path == "/v1/grants":
            return self._grant(body)
        if path == "/v1/revocations":
            return self._revoke(b64u_decode(parse_body(body, RevocationRequest).r))
        if path == "/v1/messages":
            return self._message(parse_body(body, MessageRequest).message, headers)
        slot, _, start = path.removeprefix("/v1/grants/").partition("/events?from=")
        return json_answer(self._events(int(slot), headers, int(start)))

    def _tile(self, path: str) -> Answer:
        name = parse_tile_path(path)
        first = name.n * TILE_WIDTH
        if name.level is None:
            data = encode_entries(self.log.leaves[first : first + name.width])
        else:
            data = b"".join(self.log.node(8 * name.level, first + i) for i in range(name.width))
        return Answer(200, {"content-type": "application/octet-stream"}, data)

    def _grant(self, body: bytes) -> Answer:
        for known in self.grants:
            if known.body == body:
                return Answer(200, {"content-type": "application/json"}, known.answer)
        request = parse_grant_request(body)
        if self.refuse_grants:
            raise Rejected(self.refuse_grants, "refused", status=403)
        terms = request.terms
        if any(known.terms.lock == terms.lock for known in self.grants):
            raise Rejected("lock_used", "a grant has this lock", status=409)
        replaced = self._replaced(request) if request.replaced_r is not None else None
        if replaced is None:
            agency = self.trust().agency(terms.recipient)
            ticket = verify_ticket(str(request.ticket), agency, terms, self.clock.time).ticket
            if ticket.jti in self.spent:
                raise Rejected("bad_ticket", "ticket was spent", status=403)
            self.spent.add(ticket.jti)
        if not terms.not_before <= self.clock.time < terms.not_after:
            raise Rejected("bad_terms", "not begun or over")
        check_listed_operators(terms, self.trust().log(LOG_ORIGIN).operators)
        b = b""
        if request.deposit is not None:
            b = open_deposit(builders.LOG_DEPOSIT_KEY, terms, b64u_decode(request.deposit))
            check_deposit(terms, b)
        opening_key = b64u_decode(request.opening_key)
        if replaced is not None:
            self._end(replaced, b64u_decode(str(request.replaced_r)))
        index, slot = self.log.grant(terms, opening_key)
        self.publish()
        answer = GrantAnswer(index, slot, make_tlog_proof(index, self.log.proof(index), self.note))
        if self.change_grant:
            answer = self.change_grant(answer)
        kept = LogGrant(
            terms, index, slot, body, canonical_bytes(answer), b64u_decode(request.view_hash), opening_key, b
        )
        kept.events.append((index, LeafType.GRANT, None, opening_key, grant_opening(terms)))
        kept.counts = replaced.counts if replaced is not None else kept.counts
        self.grants.append(kept)
        return json_answer(answer)

    def _replaced(self, request: GrantRequest) -> LogGrant:
        """The version that a refresh replaces (section 9)."""
        lock = lock_of(b64u_decode(str(request.replaced_r)))
        old = next((known for known in self.grants if b64u_decode(known.terms.lock) == lock), None)
        if old is None or old.revoked is not None:
            raise Rejected("revoked", "the grant to be refreshed is over", status=410)
        check_refresh(old.terms, request.terms)
        return old

    def _end(self, grant: LogGrant, r: bytes) -> None:
        self.log.status.revoke(grant.slot)
        grant.revoked = self.log.append(Revocation(grant.index, grant.slot, r))
        grant.events.append((grant.revoked, LeafType.REVOCATION, None, None, None))

    def _revoke(self, r: bytes) -> Answer:
        lock = lock_of(r)
        found = [grant for grant in self.grants if b64u_decode(grant.terms.lock) == lock]
        if not found:
            raise Rejected("unknown_lock", "no grant has this lock", status=404)
        grant = found[0]
        if grant.revoked is None:
            self._end(grant, r)
            if self.publish_stops:
                self.publish()
        receipt = make_revocation_receipt(LOG_ORIGIN, lock, self.clock.time, RECEIPTS)
        answer = RevocationAnswer(receipt, grant.slot, grant.revoked)
        return json_answer(self.change_promise(answer) if self.change_promise else answer)

    def _check_view(self, grant: LogGrant, headers: dict[str, str]) -> None:
        bearer = b64u_decode(headers["Authorization"].removeprefix("Bearer "))
        if sha256(bearer) != grant.view_hash:
            raise Rejected("unauthorized", "another bearer", status=401)

    def _message(self, token: str, headers: dict[str, str]) -> Answer:
        grant = self.grant_of(parse_message(token).slot)
        self._check_view(grant, headers)
        n, index, key = self.append_event(grant, LeafType.MESSAGE, token.encode())
        self.publish()
        proof = make_tlog_proof(index, self.log.proof(index), self.note)
        return json_answer(MessageAnswer(n, index, b64u_encode(key), proof))

    def append_event(self, grant: LogGrant, kind: LeafType, opening: bytes) -> tuple[int, int, bytes]:
        """(n, index, opening key) of a new leaf under the grant."""
        key, n = self.random(32), grant.counts.get(kind, 0)
        tag = event_tag(b64u_decode(grant.terms.tag_key), kind, n)
        leaf = {LeafType.READ: ReadLeaf, LeafType.REFUSAL: Refusal, LeafType.MESSAGE: Message}[kind]
        index = self.log.append(leaf(tag, commitment(key, kind, opening)))
        grant.counts[kind] = n + 1
        grant.events.append((index, kind, n, key, opening))
        return n, index, key

    def read(self, own_slot: int, *names: str, reason: str | None = None, **changes: Any) -> str:
        """The agency reads (or is refused, with `reason`): what the log then holds. The READ."""
        grant = self.grant_of(own_slot)
        digests = [claim.digest for claim in grant.terms.claims if claim.path[0] in names]
        members: dict[str, Any] = {
            "slot": own_slot,
            "lock": grant.terms.lock,
            "read_id": b64u_encode(self.random(16)),
            "claims": with_flag_digests(grant.terms, digests),
            "reply_key_hash": b64u_encode(bytes(32)),
            "case": salted_hash(CASE_SALT, "Z-1"),
            "officer": salted_hash(CASE_SALT, "officer 7"),
            "channel": "desk",
            "zone": "office",
            "iat": self.clock.time,
            "aud": LOG_ORIGIN,
        }
        who = SECOND if grant.terms.recipient == SECOND_ID else AGENCY
        token = sign_read(Read(**{**members, **changes}), who.key, who.x5c)
        if reason is None:
            self.append_event(grant, LeafType.READ, token.encode())
        else:
            self.append_event(grant, LeafType.REFUSAL, refusal_opening(token, reason))  # type: ignore[arg-type]
        self.publish()
        return token

    def agency_message(self, slot: int, **members: Any) -> None:
        """The agency answers a message in the log."""
        grant = self.grant_of(slot)
        told = {
            "slot": slot,
            "lock": grant.terms.lock,
            "iat": self.clock.time,
            "jti": b64u_encode(self.random(16)),
        }
        token = sign_message(ResidentMessage(**{**told, **members}), AGENCY.key, AGENCY.x5c)
        self.append_event(grant, LeafType.MESSAGE, token.encode())
        self.publish()

    def _events(self, slot: int, headers: dict[str, str], start: int) -> EventsAnswer:
        grant = self.grant_of(slot)
        self._check_view(grant, headers)
        if start:
            self.between_pages()
        size = int(self.note.split("\n")[1])
        if size != len(self.log.leaves):  # a stop that is not published yet
            return self._old_events(grant)
        rows = [event for event in grant.events if event[0] >= start]
        answer = EventsAnswer(
            slot,
            self.note,
            self.log.leaf_proof(size - 1),
            ChunkProof.make(self.log.status.chunk(slot // 2048), self.log.status.proof(slot // 2048)),
            [self._event(*event) for event in rows[: self.page]],
            rows[self.page][0] if len(rows) > self.page else None,
        )
        return self.change_events(answer) if self.change_events else answer

    def _old_events(self, grant: LogGrant) -> EventsAnswer:
        raise Unavailable("busy", "the checkpoint is being made")

    def _event(self, index: int, kind: LeafType, n: int | None, key: bytes | None, opening: bytes | None) -> Event:
        proof = self.log.leaf_proof(index)
        return Event(
            index,
            proof.leaf,
            proof.hashes,
            kind.name.lower(),  # type: ignore[arg-type]
            n,
            None if key is None else b64u_encode(key),
            None if opening is None else opening.decode(),
        )


class Agency:
    """Asks by one link, and checks answers as the rules say. `grants`: what it would store."""

    def __init__(
        self, clock: MovableClock, trust: Callable[[], Any], who: builders.Party, oin: str, host: str
    ) -> None:
        self.clock, self.trust, self.who, self.oin, self.host = clock, trust, who, oin, host
        self.requests: dict[str, dict[str, Any]] = {}
        self.grants: list[VerifiedStandingGrant] = []
        self.copies: list[Any] = []
        self.declined: list[str] = []
        self.messages: list[str] = []
        self.refuse: Rejected | None = None
        self.answers = 0
        self.spoil_request: Callable[[str], str] | None = None

    def ask(
        self, *, once: bool = False, query: Any = None, exp: int = 3000, post: bool = True, **changes: Any
    ) -> str:
        """A new request; `changes` are members of the consent element. Its link."""
        number = str(len(self.requests) + 1)
        transaction_data: tuple[str, ...] = ()
        element = None
        if not once:
            element = self.element(number, **changes)
            transaction_data = (b64u_encode(canonical_bytes(element)),)
            query = query or {
                "credentials": [
                    {"id": name, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}}
                    for name, vct in VCTS.items()
                    if name in {claim.credential for claim in element.claims}
                ]
            }
        query = parse_query(query or self.copy_query())
        payload = request_payload(
            client_id=self.who.client_id,
            response_uri=f"https://{self.host}/responses/{number}",
            nonce=b64u_encode(sha256(f"nonce {self.oin} {number}".encode())),
            state=f"state-{number}",
            query=query,
            encryption_key=ANSWER_KEY.public,
            iat=self.clock.time,
            exp=self.clock.time + exp,
            transaction_data=transaction_data,
        )
        self.requests[number] = {"payload": payload, "element": element, "tokens": {}, "state": "open"}
        return build_authorization_url(self.who.client_id, f"https://{self.host}/requests/{number}", post=post)

    def element(self, number: str, **changes: Any) -> ConsentElement:
        service = self.trust().agency(self.oin).services[0]
        ticket = Ticket(
            iss=self.oin,
            aud=LOG_ORIGIN,
            jti=b64u_encode(sha256(f"jti {self.oin} {number}".encode())[:16]),
            exp=self.clock.time + 3600,
            service=service.id,
            service_version=service.version,
        )
        members: dict[str, Any] = {
            "type": "urn:regie:consent:1",
            "credential_ids": ["adres"],
            "claims": [
                ElementClaim("adres", ["postcode"], True),
                ElementClaim("adres", ["huisnummer"], False),
                ElementClaim("persoon", ["geslachtsnaam"], False),
            ],
            "recipient": self.oin,
            "service": service.id,
            "service_version": service.version,
            "max_not_after": self.clock.time + 300 * DAY,
            "retention": service.retention,
            "mode": service.mode,
            "log": LogReference(LOG_ORIGIN, f"https://{LOG_HOST}"),
            "kem_key": b64u_encode(KEM.public_bytes()),
            "inbox": f"https://{self.host}/v1/inbox/{number}",
            "ticket": sign_ticket(ticket, self.who.key, self.who.x5c),
        }
        return ConsentElement(**{**members, **changes})

    def copy_query(self, *names: str, vct: str = ADRES, **claim: Any) -> dict[str, Any]:
        claims = [{"path": [name], **claim} for name in names or ("postcode", "woonplaats")]
        return {
            "credentials": [
                {"id": "adres", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims}
            ]
        }

    def handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        number = path.rsplit("/", 1)[1]
        if path.startswith("/v1/inbox/") and "message" not in parse_object(body, max_bytes=MAX_SEALED_BYTES):
            return self._refresh(self.requests[number], body)
        if path.startswith("/v1/inbox/"):
            self.messages.append(parse_body(body, MessageRequest).message)
            return json_answer({"state": "acknowledged"})
        kept = self.requests[number]
        if path.startswith("/requests/"):
            nonce = parse_wallet_nonce(body) if method == "POST" else None
            token = sign_request_object(kept["payload"], self.who.key, [self.who.leaf], wallet_nonce=nonce)
            token = self.spoil_request(token) if self.spoil_request else token
            kept["tokens"][sha256(token.encode())] = token
            return Answer(200, {"content-type": REQUEST_MEDIA_TYPE}, token.encode())
        return self._answer(kept, body)

    def _answer(self, kept: dict[str, Any], body: bytes) -> Answer:
        self.answers += 1
        answer = parse_response_form(body)
        if isinstance(answer, WalletError):
            self.declined.append(answer.code)
            return json_answer({})
        if self.refuse:
            raise self.refuse
        if kept["state"] != "open":
            raise Rejected("already_answered", "this request has been answered")
        response = decrypt_response(answer, ANSWER_KEY, state=kept["payload"]["state"])
        if kept["element"] is None:
            self.copies.append(response.vp_token)
        else:
            self.grants.append(self._verify(kept, response))
        kept["state"] = "answered"
        return json_answer({"redirect_uri": f"https://{self.host}/done?response_code=1"})

    def _refresh(self, kept: dict[str, Any], body: bytes) -> Answer:
        """A newer version, which is about the same person and no wider; that of before has to be over."""
        if self.refuse:
            raise self.refuse
        grant = self._verify(kept, parse_struct(body, ResponseObject, max_bytes=MAX_SEALED_BYTES))
        if terms_hash(grant.answer.terms) != terms_hash(self.grants[-1].answer.terms):
            verify_refresh(self.grants[-1], grant)
            self.grants.append(grant)
        return json_answer({"state": "refreshed"})

    def _verify(self, kept: dict[str, Any], response: Any) -> VerifiedStandingGrant:
        sealed = response.regie_sealed
        text = kept["payload"]["transaction_data"][0]
        request_hash = b64u_decode(sealed.terms.request_hash)
        assert request_hash in kept["tokens"]
        asked = Asked(
            parse_element(text),
            text,
            request_hash,
            self.who.client_id,
            kept["payload"]["nonce"],
            VCTS,
            self.trust().agency(self.oin).services[0],
        )
        quorum = satisfied(POLICY, parse_tlog_proof(sealed.proof).checkpoint, self.clock.time, None)
        presented = {name: texts[0] for name, texts in response.vp_token.items()}
        return verify_standing(
            StandingAnswer(presented, sealed),
            asked,
            trust=self.trust(),
            kem=KEM,
            quorum=quorum,
            now=self.clock.time,
        )


class Cosigner:
    """Keeps revocations of locks that the log has, as the auditing cosigner does."""

    def __init__(self, clock: MovableClock, log: Log) -> None:
        self.clock, self.log = clock, log
        self.kept: list[bytes] = []

    def handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        wanted = parse_body(body, CosignerRevocationRequest)
        r = b64u_decode(wanted.r)
        live = {b64u_decode(grant.terms.lock) for grant in self.log.grants if grant.revoked is None}
        if lock_of(r) not in live:
            raise Rejected("unknown_lock", "no live grant has this lock", status=404)
        self.kept.append(r)
        receipt = make_revocation_receipt(wanted.origin, lock_of(r), self.clock.time, COSIGNER_RECEIPTS)
        return json_answer(CosignerRevocationAnswer(receipt))


class Operator(Cosigner):
    """One operator: checks a deposit as the rules say, and keeps revocations as every auditing cosigner."""

    def __init__(self, clock: MovableClock, log: Log, name: str) -> None:
        super().__init__(clock, log)
        self.name = name
        self.deposits: dict[str, Pieces] = {}
        self.refuse: Rejected | None = None
        self.lie = False

    def handle(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if path != "/v1/deposits":
            return super().handle(method, path, body, headers)
        if self.refuse:
            raise self.refuse
        wanted = parse_body(body, DepositRequest, max_bytes=MAX_RELEASE_BYTES)
        leaf = grant_leaf(wanted.terms, wanted.slot, b64u_decode(wanted.opening_key))
        proof = parse_tlog_proof(wanted.proof)
        quorum = satisfied(POLICY, proof.checkpoint, self.clock.time, None)
        verify_tlog_proof(proof, leaf.to_bytes(), quorum.checkpoint)
        pieces = open_pieces(dealing.KEYS[self.name], wanted.terms, self.name, b64u_decode(wanted.deposit))
        self.deposits[wanted.terms.lock] = pieces
        return json_answer(DepositAnswer(b64u_encode(bytes(32)) if self.lie else wanted.terms.lock))


class Neighbours(Fetcher):
    """The transport: dispatches by host. `down`: hosts that cannot be reached; `on_call` hears of each request."""

    def __init__(self, **trust_changes: Any) -> None:
        self.clock = MovableClock()
        self.trust_changes = trust_changes
        self.issuer = Issuer(self.clock)
        self.log = Log(self.clock, self.trust)
        self.agency = Agency(self.clock, self.trust, AGENCY, AGENCY_ID, AGENCY_HOST)
        self.second = Agency(self.clock, self.trust, SECOND, SECOND_ID, SECOND_HOST)
        self.cosigner = Cosigner(self.clock, self.log)
        self.operators = {name: Operator(self.clock, self.log, name) for name in dealing.NAMES}
        self.down: set[str] = set()
        self.lost: set[str] = set()
        """Hosts whose answers get lost on the way back: the request has had its effect."""
        self.calls: list[tuple[str, str]] = []
        self.on_call: Callable[[str], None] | None = None

    def trust(self) -> Any:
        return builders.trust_list(**{"agencies": [builders.agency(), second_agency()], **self.trust_changes})

    def post_bytes(self, url: str, body: bytes, content_type: str, **options: Any) -> Answer:
        return self.request("POST", url, body=body, content_type=content_type, **options)

    def request(self, method: str, url: str, **options: Any) -> Answer:  # type: ignore[override]
        parts = urlsplit(url)
        host = str(parts.hostname)
        self.calls.append((method, url))
        self._event(f"before {method} {url}")
        if host in self.down:
            raise Unavailable("unreachable", f"{host} cannot be reached in time")
        rooms = {
            ISSUER_HOST: self.issuer,
            LOG_HOST: self.log,
            AGENCY_HOST: self.agency,
            SECOND_HOST: self.second,
            COSIGNER_HOST: self.cosigner,
            **self.operators,
        }
        headers = dict(options.get("headers") or {})
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        answer = rooms[host].handle(method, target, options.get("body") or b"", headers)
        self._event(f"after {method} {url}")
        if host in self.lost:
            raise Unavailable("unreachable", f"{host} closed the connection")
        if answer.status >= 400 and answer.status not in options.get("expect", ()):
            raise Rejected("http_error", f"status {answer.status}", status=answer.status)
        return answer

    def check_address(self, url: str) -> None:
        """Everybody here has one."""

    def _event(self, name: str) -> None:
        if self.on_call:
            self.on_call(name)
