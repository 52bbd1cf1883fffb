"""Load on a log, and an account of what was acknowledged and when: residents and an agency in one.

A client repeats byte for byte what got no answer, as wallets and agencies do: the retry must find its own entry.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from bench.load import Load, LoadGrant, LoadRead, shares_of
from examples.founding import Town
from protocol.errors import Rejected, Unavailable
from protocol.presentation import claim_shares
from protocol.reading import READ_SKEW
from protocol.receipt import parse_tlog_proof

T = TypeVar("T")
CLIENTS = 6
STEP_SECONDS = 0.08
"""Between two steps of a client. The load is to be there at every moment of a failover, not to be heavy."""
RETRY_SECONDS = 0.05
JOIN_SECONDS = 60


@dataclass(frozen=True)
class ToldRead:
    """An acknowledged READ: what was asked, where it stands, its number, the checkpoint of its receipt."""

    read: LoadRead
    index: int
    n: int
    checkpoint: str


@dataclass
class Account:
    """What one client was told. Lists only grow."""

    grants: list[LoadGrant] = field(default_factory=list)
    reads: list[ToldRead] = field(default_factory=list)
    revocations: list[tuple[LoadGrant, int]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each acknowledgement came, monotonic seconds."""
    retries: int = 0
    surprises: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Grants, reads and revokes until `ending`."""

    def __init__(self, town: Town, seed: int) -> None:
        super().__init__(daemon=True)
        self.account, self.ending = Account(), threading.Event()
        self._load, self._dice = Load(town), random.Random(seed)
        self._live: list[LoadGrant] = []

    def run(self) -> None:
        """Until told to stop; a refusal that nobody expects ends it, and is told."""
        while not self.ending.wait(STEP_SECONDS):
            try:
                self._step()
            except Unavailable:
                continue  # told to stop while it was trying
            except (Rejected, AssertionError) as error:
                self.account.surprises.append(f"{type(error).__name__}: {error}")
                return

    def _step(self) -> None:
        if not self._live or self._dice.random() < 0.15:
            intent = self._load.make_grant()
            grant = self._insist(lambda: self._load.send_grant(intent))
            self.account.grants.append(grant)
            self._live.append(grant)
        elif self._dice.random() < 0.15:
            grant = self._live.pop(self._dice.randrange(len(self._live)))
            answer = self._insist(lambda: self._load.revoke(grant))
            self.account.revocations.append((grant, answer.index))
            self._read_revoked(grant)
        else:
            self._read(self._dice.choice(self._live))

    def _read(self, grant: LoadGrant) -> None:
        read = self._load.make_read(grant)
        try:
            answer = self._insist(lambda: self._load.send(read))
        except Rejected as error:
            # READs of an outage that lasted too long; only then.
            if error.code == "stale" and time.time() - read.read.iat >= READ_SKEW:
                return
            raise
        claims = {claim.digest: claim for claim in grant.terms.claims}
        if shares_of(read, answer) != claim_shares([claims[digest] for digest in read.read.claims], grant.b):
            raise AssertionError("the shares of an answered read open nothing")
        told = ToldRead(read, answer.index, answer.n, parse_tlog_proof(answer.proof).checkpoint)
        self.account.reads.append(told)

    def _read_revoked(self, grant: LoadGrant) -> None:
        """The attack: to read after the resident was told that it is over."""
        read = self._load.make_read(grant)
        try:
            self._insist(lambda: self._load.send(read))
        except Rejected:
            return
        raise AssertionError("a read after the acknowledged revocation was answered")

    def _insist(self, call: Callable[[], T]) -> T:
        """Repeat until there is an answer. Raises `Rejected`; `Unavailable` when told to stop meanwhile."""
        while True:
            try:
                answer = call()
            except Unavailable:
                self.account.retries += 1
                if self.ending.wait(RETRY_SECONDS):
                    raise
            else:
                self.account.times.append(time.monotonic())
                return answer


class Crowd:
    """All clients of one test."""

    def __init__(self, town: Town) -> None:
        self._clients = [Client(town, seed) for seed in range(CLIENTS)]

    @property
    def accounts(self) -> list[Account]:
        """Of every client."""
        return [client.account for client in self._clients]

    def acknowledged(self) -> int:
        """How many answers there were so far."""
        return sum(len(account.times) for account in self.accounts)

    def longest_silence(self, start: float, end: float) -> float:
        """Seconds without any acknowledgement that end or begin between two moments."""
        times = sorted(moment for account in self.accounts for moment in list(account.times))
        inside = [moment for moment in times if start < moment < end]
        before = max((moment for moment in times if moment <= start), default=start)
        edges = [before, *inside, end]
        return max(later - earlier for earlier, later in itertools.pairwise(edges))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within the block the clients run."""
        for client in self._clients:
            client.start()
        try:
            yield
        finally:
            for client in self._clients:
                client.ending.set()
            for client in self._clients:
                client.join(JOIN_SECONDS)
