"""A dishonest agency keeps everything it ever had. After the stop, what it has not read stays closed for ever.

The agency's own keys, its whole store, and the shares that it was given for one attribute, kept against the rules:
none of it opens another attribute, and the log gives nothing more for any READ, old or new.
"""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from examples.founding import Town
from protocol.canonical import b64u_decode, hkdf_sha256, sha256
from protocol.consent_api import ReadAnswer
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from protocol.presentation import claim_share, disclosure_key, open_disclosure, open_share_a
from protocol.reading import open_release
from protocol.receipt import parse_tlog_proof
from protocol.seal import KemPrivate, aead_open
from protocol.terms import Claim, Terms, terms_hash
from service.fetch import Fetcher
from service.home import Home
from tests.town.residents import CASE, Agreement, agree, read, revoke
from verifier import reader
from verifier.desk import Desk, Parts, default_parts
from verifier.gate import PendingRead, Purpose, choose_digests
from verifier.grants import StoredGrant
from verifier.verify import log_trust

PURPOSE = Purpose(CASE, "a clerk who keeps things")
TEXT_SECRET = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")


@dataclass(frozen=True)
class Hoard:
    """What the agency kept: the grant with its keys, a READ with its reply key, the shares it was given, and a."""

    desk: Desk
    grant: StoredGrant
    pending: PendingRead
    shares: dict[str, bytes]
    a: bytes

    @property
    def terms(self) -> Terms:
        return self.grant.answer.terms

    def claim(self, name: str) -> Claim:
        return next(claim for claim in self.terms.claims if claim.path == [name])

    def open(self, name: str, a: bytes, share: bytes) -> str:
        """The disclosure of an attribute under these two halves. Raises `Rejected`."""
        claim = self.claim(name)
        sealed = next(item for item in self.grant.answer.sealed.sealed if item.digest == claim.digest)
        return open_disclosure(self.terms, claim, sealed, a, share, binding=terms_hash(self.terms))


def dishonest_desk(town: Town) -> Desk:
    parts = default_parts()
    return Desk(Home(town.at("agency")), Parts(parts.clock, Fetcher(loopback=True), parts.random))


def hoard(town: Town, agreement: Agreement) -> Hoard:
    """Read the postcode as the rules say, and keep what the rules say to forget."""
    desk = dishonest_desk(town)
    context = reader._prepare(desk, agreement.ask, None)
    grant = context.grant
    pending = reader._pending(desk, context, choose_digests(grant.answer.terms, ["postcode"]), PURPOSE)
    released = desk.log(context.log).read(pending.request)
    kem = grant.request.kem
    assert kem is not None
    shares = dict(zip(pending.read.claims, shares_of(pending, released), strict=True))
    a = open_share_a(kem, grant.answer.terms, b64u_decode(grant.answer.sealed.share_a))
    return Hoard(desk, grant, pending, shares, a)


def shares_of(pending: PendingRead, released: ReadAnswer) -> list[bytes]:
    checkpoint = parse_tlog_proof(released.proof).checkpoint
    return open_release(
        KemPrivate(pending.reply_seed),
        b64u_decode(released.sealed),
        len(pending.read.claims),
        lock=b64u_decode(pending.read.lock),
        read_id=b64u_decode(pending.read.read_id),
        index=released.index,
        body_hash=sha256(checkpoint.partition("\n\n")[0].encode() + b"\n"),
    )


def secrets_on_disk(town: Town) -> set[bytes]:
    """Every 32 bytes that the agency's home could hold: columns, parts of columns, texts in base64url."""
    found: set[bytes] = set()
    for path in town.at("agency").rglob("*"):
        if path.is_file() and not path.name.startswith("verifier.db"):
            found |= windows(path.read_bytes()[:4096], step=1)
    database = sqlite3.connect(town.at("agency") / "verifier.db")
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for row in database.execute(f"SELECT * FROM {table}"):
            for value in row:
                if isinstance(value, bytes):
                    found |= windows(value, step=1 if len(value) <= 4096 else 32)
                elif isinstance(value, str):
                    found |= set(decoded(value))
    database.close()
    return found


def windows(data: bytes, *, step: int) -> set[bytes]:
    return {data[start : start + 32] for start in range(0, len(data) - 31, step)}


def decoded(text: str) -> Iterator[bytes]:
    for match in TEXT_SECRET.findall(text):
        try:
            yield b64u_decode(match)
        except Rejected:
            continue


@pytest.fixture(scope="module")
def stopped(town: Town) -> Hoard:
    """One attribute was read, then the resident ended the grant."""
    agreement = agree(town, "anna")
    kept = hoard(town, agreement)
    assert revoke(town, agreement)["state"] == "confirmed"
    outcome = read(town, agreement, expect=1)
    assert outcome.code == "revoked"
    assert "values" not in outcome.answer
    return kept


def test_what_was_read_opens_with_its_own_share(stopped: Hoard) -> None:
    """The control: the attack below would succeed if it held the right share."""
    share = stopped.shares[stopped.claim("postcode").digest]
    assert parse_disclosure(stopped.open("postcode", stopped.a, share)).name == "postcode"
    assert share not in {stopped.shares[d] for d in stopped.shares if d != stopped.claim("postcode").digest}


@pytest.mark.parametrize("name", ["huisnummer", "volledigeNaam"])
def test_revoked_values_stay_closed_with_everything_that_the_agency_has(
    town: Town, stopped: Hoard, name: str
) -> None:
    """kem key, share_a, the share of the other attribute, and every secret in its store, in every combination."""
    digest = b64u_decode(stopped.claim(name).digest)
    held = set(stopped.shares.values()) | {stopped.a, bytes(32), digest, b64u_decode(stopped.claim(name).share)}
    disk = secrets_on_disk(town)
    assert len(disk) > 200
    made = {
        claim_share(secret, digest) for secret in held | disk
    }  # as the log would make it, if one of them were b
    for share in held | disk | made:
        with pytest.raises(Rejected):
            stopped.open(name, stopped.a, share)
    for a in held:
        for share in held:
            with pytest.raises(Rejected):
                stopped.open(name, a, share)


@pytest.mark.parametrize("name", ["huisnummer", "volledigeNaam"])
def test_revoked_values_stay_closed_to_other_ways_of_making_the_key(stopped: Hoard, name: str) -> None:
    """The halves swapped, one of them alone, or another attribute's key itself."""
    claim, binding = stopped.claim(name), terms_hash(stopped.terms)
    sealed = next(item for item in stopped.grant.answer.sealed.sealed if item.digest == claim.digest)
    lock, nonce = b64u_decode(stopped.terms.lock), b64u_decode(sealed.nonce)
    for share in stopped.shares.values():
        keys = [disclosure_key(stopped.a, share, lock), disclosure_key(share, stopped.a, lock), stopped.a, share]
        keys += [hkdf_sha256(half, b"regie/disclosure/v1", salt=lock) for half in (stopped.a, share)]
        for key in keys:
            with pytest.raises(Rejected):
                aead_open(key, nonce, b64u_decode(sealed.ciphertext), binding + b64u_decode(claim.digest))


def test_log_gives_nothing_more_for_the_old_read_nor_for_a_new_one(town: Town, stopped: Hoard) -> None:
    """The old READ with its kept reply key, byte for byte; then one made past the agency's own gate."""
    desk, now = stopped.desk, stopped.desk.now()
    log = desk.log(log_trust(desk.trust(now).log(desk.config.log)))
    with pytest.raises(Rejected) as refusal:
        log.read(stopped.pending.request)
    assert (refusal.value.code, refusal.value.status) == ("revoked", 410)
    signer = desk.signer(now)
    made = reader.make_read(
        stopped.terms,
        stopped.grant.slot,
        [claim.digest for claim in stopped.terms.claims],
        PURPOSE,
        case_salt=stopped.grant.request.case_salt,
        key=signer.key,
        x5c=signer.x5c,
        now=now,
        random=desk.parts.random,
    )
    with pytest.raises(Rejected) as refusal:
        log.read(made.request)
    assert refusal.value.code == "revoked"


def test_no_share_is_in_the_store_of_the_agency(town: Town, stopped: Hoard) -> None:
    """Honest software forgets them: with the disk alone not even what was read opens again."""
    disk = secrets_on_disk(town)
    assert not disk & set(stopped.shares.values())
