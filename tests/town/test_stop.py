"""SIGTERM under load: what is under way is answered, and what was acknowledged is there after the next start."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from bench.load import Load, LoadGrant
from examples.founding import Town
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes
from protocol.consent_api import ReadRequest
from protocol.leaf import LeafType, Read, event_tag, parse_leaf
from tests.town.test_kill import leaves_of
from tests.waiting import wait_until

CLIENTS = 8
STOPS = 2
LOAD_SECONDS = 0.8
IN_FLIGHT_SECONDS = 0.5
"""A request sent this long before the signal has arrived at the server, however busy the machine."""


@dataclass
class Client(threading.Thread):
    """READs over kept connections until told to stop. `dropped`: when a request was sent that got no answer."""

    load: Load
    url: str
    grant: LoadGrant
    answered: list[tuple[int, int]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    dropped: list[float] = field(default_factory=list)
    is_ending: bool = False

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        while not self.is_ending:
            read = self.load.make_read(self.grant)
            body = canonical_bytes(ReadRequest(read.token, b64u_encode(read.reply.public_bytes())))
            sent = time.monotonic()
            try:
                connection.request("POST", "/v1/reads", body, {"Content-Type": "application/json"})
                sent = time.monotonic()
                response = connection.getresponse()
                status, answer = response.status, response.read()
            except (HTTPException, OSError):
                self.dropped.append(sent)
                connection.close()
                time.sleep(0.02)
                continue
            if status == 200:
                members = json.loads(answer)
                self.answered.append((members["index"], members["n"]))
            else:
                self.refused.add(status)


def under_load(clients: list[Client]) -> None:
    """For a while, and until each of them has had an answer."""
    answered = [len(client.answered) for client in clients]
    time.sleep(LOAD_SECONDS)
    wait_until(lambda: all(len(client.answered) > n for client, n in zip(clients, answered, strict=True)))


def test_sigterm_under_load_answers_what_is_under_way_and_loses_nothing(own_town: Town) -> None:
    town, server = own_town, own_town.servers["log"]
    load = Load(town)
    clients = [Client(Load(town), town.urls["log"], load.grant()) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    gaps: list[tuple[float, float]] = []
    for _ in range(STOPS):
        under_load(clients)
        assert server.process is not None
        signal = time.monotonic()
        server.process.terminate()
        assert server.process.wait(60) is not None
        server.kill()
        server.start()
        gaps.append((signal - IN_FLIGHT_SECONDS, time.monotonic()))
    under_load(clients)
    for client in clients:
        client.is_ending = True
    for client in clients:
        client.join(60)
    for client in clients:
        assert client.refused <= {503}
        for sent in client.dropped:
            # Nothing that had arrived was dropped: only what was sent at the signal and until the next start.
            assert any(begin < sent < end for begin, end in gaps)
    leaves = [parse_leaf(leaf) for leaf in leaves_of(town)]
    for client in clients:
        assert client.answered
        tag_key = b64u_decode(client.grant.terms.tag_key)
        for index, n in client.answered:
            leaf = leaves[index]
            assert isinstance(leaf, Read)
            assert leaf.tag == event_tag(tag_key, LeafType.READ, n)
    assert town.audit().answer["integrity"] == "ok"
