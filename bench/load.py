"""Load on a running log over HTTP, with records of what was acknowledged: to measure it and to kill it under load.

Plays wallet and agency at once, with the agency's real key and the formats of `protocol`; the attributes are a
test card's. Each thread uses a `Load` of its own. What a call returns was acknowledged; what raises may or may not
stand.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from examples.founding import ORIGIN, Town
from protocol.canonical import b64u_decode, b64u_encode, parse_object, sha256
from protocol.consent_api import (
    GrantAnswer,
    GrantRequest,
    ReadAnswer,
    ReadRequest,
    RevocationAnswer,
    RevocationRequest,
)
from protocol.keys import Es256Private
from protocol.presentation import seal_deposit
from protocol.reading import Read, Ticket, open_release, sign_read, sign_ticket
from protocol.receipt import parse_tlog_proof
from protocol.revocation_code import lock_for, revocation_secret, view_hash
from protocol.seal import KemPrivate
from protocol.terms import Terms, with_flag_digests
from protocol.x509 import x5c
from service.fetch import Fetcher
from tests.protocol import granting
from tests.protocol.granting import POSTCODE

SERVICE = "parkeervergunning"
READ_SECONDS = 30.0


@dataclass(frozen=True)
class LoadIntent:
    """A grant as it is sent; sending it again must give the same entry."""

    terms: Terms
    code: bytes
    b: bytes
    request: GrantRequest


@dataclass(frozen=True)
class LoadGrant:
    """An acknowledged grant and the secrets that go with it."""

    terms: Terms
    code: bytes
    b: bytes
    index: int
    slot: int


@dataclass(frozen=True)
class LoadRead:
    """A READ as it was sent; sending it again must give the same entry."""

    grant: LoadGrant
    token: str
    reply: KemPrivate
    read: Read


class Load:
    """One client of the log of `town`."""

    def __init__(self, town: Town) -> None:
        self._url = town.urls["log"]
        self._fetcher = Fetcher(loopback=True, total_seconds=READ_SECONDS)
        home = town.at("agency")
        self._key = Es256Private.from_pem((home / "signing-key.pem").read_bytes())
        self._x5c = x5c([(home / "signing.der").read_bytes()])
        entry = parse_object(Path(town.home / "entry-log.json").read_bytes())
        self._deposit_key = b64u_decode(entry["deposit_key"])
        self._oin = parse_object(Path(town.home / "entry-agency.json").read_bytes())["id"]

    def grant(self) -> LoadGrant:
        """A new grant, acknowledged."""
        return self.send_grant(self.make_grant())

    def make_grant(self) -> LoadIntent:
        """A request with fresh secrets."""
        code, b, now = os.urandom(16), os.urandom(32), int(time.time())
        terms = granting.terms(
            [POSTCODE],
            b=b,
            log=ORIGIN,
            recipient=self._oin,
            lock=b64u_encode(lock_for(code, 1)),
            tag_key=b64u_encode(os.urandom(32)),
            not_before=now - 30,
            not_after=now + 86400,
            mode="view",
        )
        ticket = Ticket(self._oin, ORIGIN, b64u_encode(os.urandom(16)), now + 600, SERVICE, 1)
        request = GrantRequest(
            terms=terms,
            opening_key=b64u_encode(os.urandom(32)),
            deposit=b64u_encode(seal_deposit(self._deposit_key, terms, b)),
            view_hash=b64u_encode(view_hash(code)),
            ticket=sign_ticket(ticket, self._key, self._x5c),
        )
        return LoadIntent(terms, code, b, request)

    def send_grant(self, intent: LoadIntent) -> LoadGrant:
        """`POST /v1/grants`."""
        answer = self._fetcher.post_json(f"{self._url}/v1/grants", intent.request).json(GrantAnswer)
        return LoadGrant(intent.terms, intent.code, intent.b, answer.index, answer.slot)

    def make_read(self, grant: LoadGrant) -> LoadRead:
        """A signed READ of the postal code and its flags."""
        postcode = next(claim for claim in grant.terms.claims if claim.path == ["postcode"])
        reply = KemPrivate(os.urandom(96))
        read = Read(
            slot=grant.slot,
            lock=grant.terms.lock,
            read_id=b64u_encode(os.urandom(16)),
            claims=with_flag_digests(grant.terms, [postcode.digest]),
            reply_key_hash=b64u_encode(sha256(reply.public_bytes())),
            case=b64u_encode(bytes(32)),
            officer=b64u_encode(bytes(32)),
            channel="batch",
            zone="office",
            iat=int(time.time()),
            aud=ORIGIN,
        )
        return LoadRead(grant, sign_read(read, self._key, self._x5c), reply, read)

    def send(self, read: LoadRead) -> ReadAnswer:
        """`POST /v1/reads`."""
        body = ReadRequest(read.token, b64u_encode(read.reply.public_bytes()))
        return self._fetcher.post_json(f"{self._url}/v1/reads", body, max_bytes=128 * 1024).json(ReadAnswer)

    def revoke(self, grant: LoadGrant) -> RevocationAnswer:
        """`POST /v1/revocations`."""
        body = RevocationRequest(b64u_encode(revocation_secret(grant.code, 1)))
        return self._fetcher.post_json(f"{self._url}/v1/revocations", body).json(RevocationAnswer)


def shares_of(read: LoadRead, answer: ReadAnswer) -> list[bytes]:
    """The claim shares that were released, by a log that holds them itself."""
    if answer.sealed is None:
        raise ValueError("operators hold the shares of this grant")
    proof = parse_tlog_proof(answer.proof)
    body = proof.checkpoint.partition("\n\n")[0] + "\n"
    return open_release(
        read.reply,
        b64u_decode(answer.sealed),
        len(read.read.claims),
        lock=b64u_decode(read.read.lock),
        read_id=b64u_decode(read.read.read_id),
        index=answer.index,
        body_hash=sha256(body.encode()),
    )
