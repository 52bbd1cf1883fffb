"""A grant from request to read, in memory: what wallet, log and agency each hold, every part exchangeable.

Import as `from tests.protocol import granting`. `MiniLog` is a log without rules: it appends what it is told,
so that tests can also have it lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256
from protocol.checkpoint import (
    Checkpoint,
    ChunkProof,
    Evidence,
    LeafProof,
    VerifiedCheckpoint,
    VerifiedStanding,
    cosign_checkpoint,
    sign_checkpoint,
)
from protocol.consent import Asked, StandingAnswer, refresh_nonce
from protocol.consent_api import ReadAnswer
from protocol.credential import split_sd_jwt
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from protocol.key_binding import sign_key_binding
from protocol.keys import Es256Private
from protocol.leaf import Head, LeafType, Revocation, commitment, event_tag
from protocol.leaf import Read as ReadLeaf
from protocol.light_check import GrantOpening, verify_light_check
from protocol.merkle import inclusion_proof, leaf_hash, node_hash, root
from protocol.note import NoteSigner, SignatureType, parse_vkey
from protocol.policy import VerifiedQuorum, parse_policy, satisfied
from protocol.presentation import (
    RegieSealed,
    claim_shares,
    grant_leaf,
    grant_opening,
    make_claim,
    seal_presentation,
)
from protocol.reading import Read, Ticket, open_release, parse_read, seal_release, sign_read, sign_ticket
from protocol.receipt import make_tlog_proof
from protocol.revocation_code import code_from_seed, lock_for, revocation_secret
from protocol.seal import KemPrivate
from protocol.standing import VerifiedReading, VerifiedStandingGrant, open_reading, verify_standing
from protocol.status_tree import SLOTS_PER_CHUNK, StatusTree
from protocol.terms import (
    ConsentElement,
    ElementClaim,
    LogReference,
    Place,
    Terms,
    parse_element,
    salted_hash,
    terms_hash,
    with_flag_digests,
    with_flags,
)
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY, AGENCY_ID, DAY, LOG_ORIGIN, LOG_URL, NOW, PERSOON

KEM = builders.kem("agency")
REPLY = builders.kem("reply")
CODE = code_from_seed(sha256(b"wallet seed"), 0)
A, B = sha256(b"share a"), sha256(b"share b")
OPENING_KEY = sha256(b"opening key")
TAG_KEY = sha256(b"tag key")
REQUEST_HASH = sha256(b"request object")
CASE_SALT = sha256(b"case salt")
VCTS = {"adres": ADRES, "persoon": PERSOON}
POSTCODE, HUISNUMMER = Place("adres", ADRES, "postcode"), Place("adres", ADRES, "huisnummer")
SURNAME = Place("persoon", PERSOON, "geslachtsnaam")
ALL = (POSTCODE, HUISNUMMER, SURNAME)
HOLDERS = {"adres": builders.HOLDER, "persoon": builders.es256("holder of persoon")}
CARDS = {name: builders.credential(vct, holder=HOLDERS[name].public) for name, vct in VCTS.items()}
LOG_KEY = parse_vkey(builders.vkey(LOG_ORIGIN, builders.LOG_KEY))
POLICY = parse_policy(builders.log_policy())


def ticket(**changes: Any) -> str:
    """As the agency signs it for the service of `builders`."""
    members: dict[str, Any] = {
        "iss": AGENCY_ID,
        "aud": LOG_ORIGIN,
        "jti": b64u_encode(bytes(16)),
        "exp": NOW + 3600,
        "service": builders.SERVICE_ID,
        "service_version": 1,
    }
    return sign_ticket(Ticket(**{**members, **changes}), AGENCY.key, AGENCY.x5c)


def element(**changes: Any) -> ConsentElement:
    """Asks postcode (needed), house number and surname."""
    members: dict[str, Any] = {
        "type": "urn:regie:consent:1",
        "credential_ids": ["adres"],
        "claims": [
            ElementClaim("adres", ["postcode"], True),
            ElementClaim("adres", ["huisnummer"], False),
            ElementClaim("persoon", ["geslachtsnaam"], False),
        ],
        "recipient": AGENCY_ID,
        "service": builders.SERVICE_ID,
        "service_version": 1,
        "max_not_after": NOW + 300 * DAY,
        "retention": "P1Y",
        "mode": "store",
        "log": LogReference(LOG_ORIGIN, LOG_URL),
        "kem_key": b64u_encode(KEM.public_bytes()),
        "inbox": "https://agency.voorbeeld.example/v1/inbox/1",
        "ticket": TICKET,
    }
    return ConsentElement(**{**members, **changes})


TICKET = ticket()


def encoded(value: ConsentElement) -> str:
    """As it stands in `transaction_data`."""
    return b64u_encode(canonical_bytes(value))


def asked(**changes: Any) -> Asked:
    """What the agency keeps of its request; `changes` are members of the element."""
    text = encoded(element(**changes))
    return Asked(
        parse_element(text), text, REQUEST_HASH, AGENCY.client_id, builders.NONCE, VCTS, builders.service()
    )


def disclosure(place: Place, cards: dict[str, str] | None = None) -> str:
    """The base64url disclosure of an attribute on the holder's card."""
    parts = split_sd_jwt((cards or CARDS)[place.credential])
    return next(one for one in parts.disclosures if parse_disclosure(one).name == place.name)


def terms(
    places: Sequence[Place] = ALL, *, b: bytes = B, cards: dict[str, str] | None = None, **changes: Any
) -> Terms:
    """T for these attributes and their flags."""
    members: dict[str, Any] = {
        "type": "urn:regie:terms:1",
        "log": LOG_ORIGIN,
        "lock": b64u_encode(lock_for(CODE, 1)),
        "tag_key": b64u_encode(TAG_KEY),
        "recipient": AGENCY_ID,
        "service": builders.SERVICE_ID,
        "service_version": 1,
        "basis": "consent",
        "claims": [make_claim(place, disclosure(place, cards), b) for place in with_flags(places)],
        "not_before": NOW,
        "not_after": NOW + 200 * DAY,
        "retention": "P1Y",
        "mode": "store",
        "request_hash": b64u_encode(REQUEST_HASH),
        "version": 1,
    }
    return Terms(**{**members, **changes})


def neighbour() -> Terms:
    """T of another grant in the same log."""
    return terms(lock=b64u_encode(sha256(b"a neighbour")), tag_key=b64u_encode(sha256(b"a neighbour's tags")))


def change(value: Any, **changes: Any) -> Any:
    """A Struct with other members."""
    return msgspec.structs.replace(value, **changes)


def bind(
    name: str,
    signed: Terms,
    request: Asked,
    *,
    holder: Es256Private | None = None,
    card: str | None = None,
    **kw: Any,
) -> str:
    """`JWT~KB-JWT` with the consent signature; `kw` are arguments of `sign_key_binding`."""
    presented = split_sd_jwt(card or CARDS[name]).jwt + "~"
    arguments: dict[str, Any] = {
        "audience": AGENCY.client_id,
        "nonce": builders.NONCE,
        "iat": NOW,
        "consent": terms_hash(signed),
    }
    if name in request.element.credential_ids:
        arguments["transaction_data_hashes"] = [sha256(request.transaction_data.encode())]
    return presented + sign_key_binding(presented, holder or HOLDERS[name], **{**arguments, **kw})


def refresh_nonce_of(signed: Terms) -> str:
    """Nonce of the KB-JWTs of a later version."""
    return refresh_nonce(signed)


def parse_jws_payload(token: str) -> bytes:
    """The payload of a compact JWS, unverified."""
    return b64u_decode(token.split(".")[1])


def outcome(call: Any, *arguments: Any, **named: Any) -> str | None:
    """The code with which a call is refused; None when it is not. Any other error is a failure of the test."""
    try:
        call(*arguments, **named)
    except Rejected as error:
        return error.code
    return None


class MiniLog:
    """Leaves, a status tree, and checkpoints signed by the log and both cosigners."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.status = StatusTree()
        self.reads = 0

    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(self.leaves[index])
        return node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))

    def append(self, leaf: Any) -> int:
        self.leaves.append(leaf.to_bytes())
        return len(self.leaves) - 1

    def grant(self, granted: Terms, opening_key: bytes = OPENING_KEY) -> tuple[int, int]:
        """(index, slot)."""
        slot = self.status.append_slot()
        return self.append(grant_leaf(granted, slot, opening_key)), slot

    def revoke(self, grant_index: int, slot: int, version: int = 1) -> None:
        self.status.revoke(slot)
        self.append(Revocation(grant_index, slot, revocation_secret(CODE, version)))

    def read(self, granted: Terms, token: str, n: int, key: bytes = OPENING_KEY) -> int:
        commit = commitment(key, LeafType.READ, token.encode())
        return self.append(ReadLeaf(event_tag(b64u_decode(granted.tag_key), LeafType.READ, n), commit))

    def publish(self, time: int = NOW) -> str:
        """A head leaf and the note over it."""
        self.append(Head(len(self.leaves), self.status.slots, self.status.root()))
        size = len(self.leaves)
        checkpoint = Checkpoint(LOG_ORIGIN, size, root(size, self.node))
        note = sign_checkpoint(checkpoint, [NoteSigner(LOG_ORIGIN, builders.LOG_KEY)])
        verified = VerifiedCheckpoint(LOG_ORIGIN, size, checkpoint.root, note)
        for name, key in (
            (builders.WITNESS_NAME, builders.WITNESS_KEY),
            (builders.AUDITOR_NAME, builders.AUDITOR_KEY),
        ):
            signer = NoteSigner(name, key, SignatureType.COSIGNATURE)
            note += cosign_checkpoint(verified, signer, time=time)
        return note

    def proof(self, index: int) -> list[bytes]:
        return inclusion_proof(index, len(self.leaves), self.node)

    def leaf_proof(self, index: int) -> LeafProof:
        return LeafProof.make(index, self.leaves[index], self.proof(index))

    def evidence(self, note: str, grant_index: int, slot: int) -> Evidence:
        chunk = slot // SLOTS_PER_CHUNK
        status = ChunkProof.make(self.status.chunk(chunk), self.status.proof(chunk))
        return Evidence(note, self.leaf_proof(len(self.leaves) - 1), self.leaf_proof(grant_index), status)


@dataclass
class Town:
    """One grant, honestly made unless a part is replaced before `accept` or `read`."""

    terms: Terms
    asked: Asked
    log: MiniLog
    answer: StandingAnswer
    quorum: VerifiedQuorum
    grant_index: int
    slot: int
    b: bytes = B
    used: set[int] = field(default_factory=set)

    def accept(self, **changes: Any) -> VerifiedStandingGrant:
        """What the agency does with the wallet's answer; `changes` are arguments of `verify_standing`."""
        arguments: dict[str, Any] = {
            "answer": self.answer,
            "asked": self.asked,
            "trust": builders.TRUST,
            "kem": KEM,
            "quorum": self.quorum,
            "now": NOW,
        }
        return verify_standing(**{**arguments, **changes})

    def with_sealed(self, **changes: Any) -> StandingAnswer:
        """The answer with other members of `regie_sealed`."""
        return replace(self.answer, sealed=change(self.answer.sealed, **changes))

    def with_token(self, name: str, text: str) -> StandingAnswer:
        """The answer with another presentation."""
        return replace(self.answer, vp_token={**self.answer.vp_token, name: text})

    def digests(self, *places: Place) -> list[str]:
        """Digests of a READ, flags included."""
        found = {(c.credential, c.vct, c.path[0]): c.digest for c in self.terms.claims}
        return with_flag_digests(self.terms, [found[place] for place in places])

    def make_read(self, *places: Place, **changes: Any) -> str:
        """A READ as the agency signs it."""
        members: dict[str, Any] = {
            "slot": self.slot,
            "lock": self.terms.lock,
            "read_id": b64u_encode(bytes(16)),
            "claims": self.digests(*places),
            "reply_key_hash": b64u_encode(sha256(REPLY.public_bytes())),
            "case": salted_hash(CASE_SALT, "Z-2026-1"),
            "officer": salted_hash(CASE_SALT, "officer 7"),
            "channel": "desk",
            "zone": "office",
            "iat": NOW,
            "aud": LOG_ORIGIN,
        }
        return sign_read(Read(**{**members, **changes}), AGENCY.key, AGENCY.x5c)

    def release(
        self, token: str, *, n: int | None = None, shares: Sequence[bytes] | None = None, time: int = NOW
    ) -> tuple[ReadAnswer, VerifiedStanding]:
        """The log's answer to a READ and the light check on it. `shares`: others than the right ones."""
        read = parse_read(token).read
        n = self.log.reads if n is None else n
        self.log.reads += 1
        index = self.log.read(self.terms, token, n)
        note = self.log.publish(time)
        evidence = self.log.evidence(note, self.grant_index, self.slot)
        standing = verify_light_check(evidence, self.opening(), log_key=LOG_KEY, policy=POLICY, now=time)
        if shares is None:
            claims = {claim.digest: claim for claim in self.terms.claims}
            shares = claim_shares([claims[digest] for digest in read.claims], self.b)
        sealed = seal_release(
            REPLY.public_bytes(),
            shares,
            lock=b64u_decode(read.lock),
            read_id=b64u_decode(read.read_id),
            index=index,
            body_hash=standing.checkpoint.body_hash,
        )
        proof = make_tlog_proof(index, self.log.proof(index), note)
        return ReadAnswer(n, index, b64u_encode(OPENING_KEY), proof, evidence, b64u_encode(sealed)), standing

    def opening(self) -> GrantOpening:
        """What the agency holds of the grant for its light check."""
        return GrantOpening(LOG_ORIGIN, b64u_decode(self.terms.lock), grant_opening(self.terms), OPENING_KEY)

    def open(
        self, token: str, released: ReadAnswer, standing: VerifiedStanding, **changes: Any
    ) -> VerifiedReading:
        """What the agency does with the log's answer; `changes` are arguments of `open_reading`."""
        arguments: dict[str, Any] = {
            "answer": self.answer,
            "asked": self.asked,
            "token": token,
            "released": released,
            "standing": standing,
            "trust": builders.TRUST,
            "kem": KEM,
            "reply": REPLY,
            "now": NOW,
            "used": self.used,
        }
        return open_reading(**{**arguments, **changes})


def town(
    places: Sequence[Place] = ALL,
    *,
    signed: Terms | None = None,
    request: Asked | None = None,
    disclosures: dict[str, str] | None = None,
    cards: dict[str, str] | None = None,
    kb: dict[str, Any] | None = None,
    kem_key: bytes | None = None,
    b: bytes = B,
    holders: dict[str, Es256Private] | None = None,
    beside: dict[str, Any] | None = None,
    **changes: Any,
) -> Town:
    """An honest grant; `signed` are terms ready made, `changes` members of the terms, `kb` of every KB-JWT,
    `beside` of `regie_sealed`.
    """
    request = request or asked()
    signed = signed or terms(places, b=b, cards=cards, **changes)
    touched = dict.fromkeys([*request.element.credential_ids, *(claim.credential for claim in signed.claims)])
    vp_token = {
        name: bind(
            name,
            signed,
            request,
            card=(cards or CARDS)[name],
            **{"holder": (holders or HOLDERS)[name], **(kb or {})},
        )
        for name in touched
    }
    own = {
        claim.digest: disclosure(Place(claim.credential, claim.vct, claim.path[0]), cards)
        for claim in signed.claims
    }
    sealed, share_a = seal_presentation(
        signed, {**own, **(disclosures or {})}, A, b, kem_key or KEM.public_bytes(), builders.random_of("seal")
    )
    log = MiniLog()
    log.grant(neighbour())
    index, slot = log.grant(signed)
    note = log.publish()
    regie = RegieSealed(
        terms=signed,
        slot=slot,
        sealed=sealed,
        opening_key=b64u_encode(OPENING_KEY),
        share_a=b64u_encode(share_a),
        proof=make_tlog_proof(index, log.proof(index), note),
        **(beside or {}),
    )
    quorum = satisfied(POLICY, note, NOW)
    return Town(signed, request, log, StandingAnswer(vp_token, regie), quorum, index, slot, b)


def open_shares(
    token: str, released: ReadAnswer, standing: VerifiedStanding, reply: KemPrivate = REPLY
) -> list[bytes]:
    """The shares in a release, as a curious agency sees them."""
    read = parse_read(token).read
    return open_release(
        reply,
        b64u_decode(released.sealed),
        len(read.claims),
        lock=b64u_decode(read.lock),
        read_id=b64u_decode(read.read_id),
        index=released.index,
        body_hash=standing.checkpoint.body_hash,
    )
