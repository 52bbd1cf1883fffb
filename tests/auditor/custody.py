"""An operator over the log of `granting`, restartable, with every part of a release exchangeable."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auditor.config import DEPOSIT_KEY, Config, epochs_of
from auditor.cosigner import Cosigner
from auditor.custodian import Custodian
from auditor.store import Store
from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import DepositRequest, ReadAnswer, ReleaseRequest
from protocol.operators import open_pieces_release, seal_pieces
from protocol.policy import satisfied
from protocol.reading import parse_read
from protocol.receipt import parse_tlog_proof
from service.home import Home
from tests.protocol import builders, granting
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.protocol.dealing import KEYS, NAMES, Dealt
from tests.protocol.granting import REPLY, change

NAME = NAMES[0]


class HandClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return float(self.time)


class Operator:
    """One operator: its home, its cosigner, and the custodian under test."""

    def __init__(self, path: Path, at: Dealt, name: str = NAME) -> None:
        self.at, self.name, self.clock = at, name, HandClock()
        self.trust = at.trust
        self.home = Home(path).create()
        self.home.write_secret(DEPOSIT_KEY, KEYS[name].seed)
        epochs_of(self.home).begin(b"e" * 32, NOW)
        self.random = builders.random_of(name)
        self.fetched = 0
        self.start()

    def start(self) -> None:
        """Start, or start again: all that lived in memory is gone."""
        self.store = Store(self.home)
        self.cosigner = Cosigner(self.store, self.leaves)
        config = Config("auditor", "trust-list", {}, LOG_ORIGIN, f"https://{self.name}", self.name)
        self.custodian = Custodian(
            self.home,
            config,
            self.store,
            self.cosigner,
            trust=lambda: self.trust,
            clock=self.clock,
            random=self.random,
        )
        self.shares = self.custodian.shares

    def leaves(self, start: int, size: int) -> Iterator[bytes]:
        """What the log serves."""
        self.fetched += 1
        yield from self.at.town.log.leaves[start:size]

    def follow(self, note: str | None = None) -> None:
        """Replay up to a checkpoint, the newest by default."""
        note = note or self.at.town.log.publish(self.clock.time)
        self.cosigner.replica.advance(satisfied(granting.POLICY, note, self.clock.time).checkpoint)

    def deposit_request(self, at: Dealt | None = None, **changes: Any) -> DepositRequest:
        """As the wallet sends it; `changes` are members."""
        at = at or self.at
        terms, sealed = at.town.terms, at.town.answer.sealed
        deposit = seal_pieces(KEYS[self.name].public_bytes(), terms, self.name, at.dealing.pieces_of(self.name))
        request = DepositRequest(terms, sealed.slot, sealed.opening_key, sealed.proof, b64u_encode(deposit))
        return change(request, **changes)

    def deposit(self, **changes: Any) -> None:
        """The wallet's deposit."""
        answer = self.custodian.deposit(self.deposit_request(**changes))
        assert answer.lock == self.at.town.terms.lock

    def release_request(self, *places: Any, **changes: Any) -> ReleaseRequest:
        """A READ that is in the log, as the agency hands it on; `changes` are members of the READ."""
        token, released, _ = self.at.read(*places, time=self.clock.time, **changes)
        return ReleaseRequest(token, b64u_encode(REPLY.public_bytes()), released)

    def with_logged(self, request: ReleaseRequest, **changes: Any) -> ReleaseRequest:
        """The same with other members of the log's answer."""
        return change(request, logged=change(request.logged, **changes))

    def release(self, request: ReleaseRequest) -> list[tuple[bytes, ...]]:
        """What the operator gives, opened."""
        sealed = self.custodian.release(request).sealed
        read = parse_read(request.read).read
        note = request.logged.evidence.checkpoint
        return open_pieces_release(
            REPLY,
            b64u_decode(sealed),
            self.at.dealing.operators,
            self.name,
            len(read.claims),
            lock=b64u_decode(read.lock),
            read_id=b64u_decode(read.read_id),
            index=request.logged.index,
            body_hash=satisfied(granting.POLICY, note, self.clock.time, None).checkpoint.body_hash,
        )

    def rows(self) -> tuple[list[Any], list[Any]]:
        """What is stored: shares and releases, to see that nothing changed."""
        with self.store.engine.connect() as connection:
            shares = connection.exec_driver_sql("SELECT lock, wrapped FROM operator_shares").all()
            releases = connection.exec_driver_sql("SELECT read_hash, n FROM operator_releases").all()
        return list(shares), list(releases)

    def files(self) -> bytes:
        """Every byte of the home."""
        return b"".join(path.read_bytes() for path in sorted(self.home.path.rglob("*")) if path.is_file())


def note_of(answer: ReadAnswer) -> str:
    """The checkpoint of an entry's proof."""
    return parse_tlog_proof(answer.proof).checkpoint
