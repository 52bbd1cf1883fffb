"""SIGKILL of whole process groups at random moments under load: nothing acknowledged is lost or forked.

Log, witness and auditing cosigner are killed in random subsets, each with all its processes, and started again
while the clients go on asking. Every group counts as a kill.
"""

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

from auditor.client import LogReader
from bench.load import Load, LoadGrant, LoadRead, shares_of
from examples.founding import ORIGIN, Town
from examples.processes import Server, is_port_dead
from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import parse_checkpoint_body
from protocol.consent_api import CosignerRevocationRequest
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.leaf import Grant, LeafType, Read, Revocation, event_tag, parse_leaf
from protocol.merkle import Frontier, leaf_hash
from protocol.presentation import check_share, claim_shares
from protocol.reading import READ_SKEW
from protocol.receipt import parse_tlog_proof
from protocol.revocation_code import revocation_secret
from service.fetch import Fetcher
from tests.waiting import wait_until

T = TypeVar("T")
KILLS = int(os.environ.get("REGIE_KILLS", "16"))
CLIENTS = 6
LONGEST_RUN = 0.9
"""Seconds of load between two blows, at most."""
SUBSETS = (
    ("log",),
    ("log",),
    ("witness",),
    ("cosigner",),
    ("log", "witness"),
    ("log", "cosigner"),
    ("witness", "cosigner"),
    ("log", "witness", "cosigner"),
)


@dataclass
class Record:
    """What the clients were told. Lists only grow, and are appended to by one client each."""

    grants: list[LoadGrant] = field(default_factory=list)
    reads: list[tuple[LoadRead, int, int, str]] = field(default_factory=list)  # index, n, checkpoint
    revocations: list[tuple[LoadGrant, int]] = field(default_factory=list)
    handed_over: list[LoadGrant] = field(default_factory=list)  # to the cosigner, which acknowledged
    refused: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Grants, reads and revokes until it is told to stop; repeats byte for byte what got no answer."""

    def __init__(self, town: Town, seed: int) -> None:
        super().__init__(daemon=True)
        self.load, self.dice, self.record = Load(town), random.Random(seed), Record()
        self.cosigner, self.fetcher = town.urls["cosigner"], Fetcher(loopback=True)
        self.ending = threading.Event()
        self.live: list[LoadGrant] = []

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self.step()
            except Unavailable:
                time.sleep(0.05)
            except RegieError as error:
                self.record.surprises.append(str(error))

    def step(self) -> None:
        if not self.live or self.dice.random() < 0.2:
            intent = self.load.make_grant()
            grant = self.insist(lambda: self.load.send_grant(intent))
            self.record.grants.append(grant)
            self.live.append(grant)
        elif self.dice.random() < 0.1:
            grant = self.live.pop()
            if self.dice.random() < 0.3:
                self.hand_over(grant)
                self.read(grant, revoked=True)
            answer = self.insist(lambda: self.load.revoke(grant))
            self.record.revocations.append((grant, answer.index))
            self.read(grant, revoked=True)
        else:
            self.read(self.dice.choice(self.live), revoked=False)

    def read(self, grant: LoadGrant, *, revoked: bool) -> None:
        read = self.load.make_read(grant)
        try:
            answer = self.insist(lambda: self.load.send(read))
        except Unavailable:  # at the end, and the log is not up yet
            raise
        except RegieError as error:
            self.record.refused.append(error.code)
            is_too_late = error.code == "stale" and time.time() - read.read.iat >= READ_SKEW
            if not revoked and not is_too_late:  # repeated for a minute while nobody answered
                self.record.surprises.append(str(error))
            return
        if revoked:
            self.record.surprises.append("a read after the acknowledged revocation was answered")
        claims = {claim.digest: claim for claim in grant.terms.claims}
        shares = shares_of(read, answer)
        for digest, share in zip(read.read.claims, shares, strict=True):
            check_share(claims[digest], share)
        assert shares == claim_shares([claims[digest] for digest in read.read.claims], grant.b)
        self.record.reads.append((read, answer.index, answer.n, parse_tlog_proof(answer.proof).checkpoint))

    def hand_over(self, grant: LoadGrant) -> None:
        """To the auditing cosigner alone, which signs nothing from now on that lacks it."""
        body = CosignerRevocationRequest(ORIGIN, b64u_encode(revocation_secret(grant.code, 1)))
        try:
            self.insist(lambda: self.fetcher.post_json(f"{self.cosigner}/v1/revocations", body))
        except Rejected as error:
            if error.code != "unknown_lock":  # an earlier try was kept, and is in the log by now
                raise
        self.record.handed_over.append(grant)

    def insist(self, call: Callable[[], T]) -> T:
        """Repeat until there is an answer: a retry must find its own entry."""
        while True:
            try:
                return call()
            except Unavailable:
                if self.ending.is_set():
                    raise
                time.sleep(0.05)


def strike(victims: list[Server]) -> None:
    """Kill them as nearly at once as can be, and start them again side by side."""
    for victim in victims:
        assert victim.process is not None
        os.killpg(victim.process.pid, signal.SIGKILL)
    for victim in victims:
        victim.kill()
        assert is_port_dead(victim.url)
    with ThreadPoolExecutor(len(victims)) as hands:
        list(hands.map(Server.start, victims))


def leaves_of(town: Town, at_least: int = 0) -> list[bytes]:
    """All published leaves, once there are `at_least` so many: a witness may be a round ahead of the log."""
    reader = LogReader(town.urls["log"], Fetcher(loopback=True))

    def size() -> int:
        return parse_checkpoint_body(reader.checkpoint().partition("\n\n")[0] + "\n").size

    wait_until(lambda: size() >= at_least, every=0.2)
    return list(reader.leaves(0, size()))


def roots_of(leaves: list[bytes]) -> dict[int, bytes]:
    tree, roots = Frontier(), {}
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
        roots[tree.size] = tree.root()
    return roots


def test_sigkill_at_random_moments_under_load_loses_nothing_and_forks_nothing(own_town: Town) -> None:
    town, dice = own_town, random.Random(20261122)
    clients = [Client(town, seed) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    started, kills, blows = time.monotonic(), 0, 0
    while kills < KILLS:
        time.sleep(dice.uniform(0.05, LONGEST_RUN))
        victims = [town.servers[name] for name in dice.choice(SUBSETS)]
        strike(victims)
        kills, blows = kills + len(victims), blows + 1
    print(f"{kills} groups killed in {blows} blows, {(time.monotonic() - started) / kills:.2f} s a kill")
    records = [client.record for client in clients]
    wait_until(lambda: sum(len(record.reads) for record in records) >= KILLS)
    wait_until(lambda: any(record.revocations for record in records))
    for client in clients:
        client.ending.set()
    for client in clients:
        client.join(60)

    assert [surprise for record in records for surprise in record.surprises] == []
    cosigned = states_of(town, "witness") | states_of(town, "cosigner")
    leaves = leaves_of(town, at_least=max(size for size, _ in cosigned))
    parsed, roots = [parse_leaf(leaf) for leaf in leaves], roots_of(leaves)
    for record in records:
        check_record(record, parsed, roots)
    assert cosigned <= set(roots.items()), "a fork"
    verdict = town.audit().answer
    assert (verdict["integrity"], verdict["completeness"], verdict["policy"]) == ("ok", "ok", "ok")


def states_of(town: Town, name: str) -> set[tuple[int, bytes]]:
    """Size and root of the trees that a witness has cosigned last."""
    found = set()
    for path in town.at(name).glob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            found |= set(connection.execute("SELECT size, root FROM witness_states").fetchall())
    assert found
    return found


def check_record(record: Record, parsed: list, roots: dict[int, bytes]) -> None:
    for grant in record.grants:
        leaf = parsed[grant.index]
        assert isinstance(leaf, Grant)
        assert (leaf.slot, leaf.lock) == (grant.slot, b64u_decode(grant.terms.lock))
    ended = {grant.slot: index for grant, index in record.revocations}
    revoked = {leaf.slot for leaf in parsed if isinstance(leaf, Revocation)}
    assert {grant.slot for grant in record.handed_over} <= revoked
    for grant, index in record.revocations:
        assert parsed[index] == Revocation(grant.index, grant.slot, revocation_secret(grant.code, 1))
    for read, index, n, checkpoint in record.reads:
        leaf = parsed[index]
        assert isinstance(leaf, Read)
        assert leaf.tag == event_tag(b64u_decode(read.grant.terms.tag_key), LeafType.READ, n)
        assert index < ended.get(read.grant.slot, len(parsed))
        seen = parse_checkpoint_body(checkpoint.partition("\n\n")[0] + "\n")
        assert (seen.origin, seen.root) == (ORIGIN, roots[seen.size])
        assert index < seen.size
