"""From a resident's stop to the first refused READ, while 64 clients read that very grant over HTTP.

Every client sends READs of the same grant one after the other over a kept connection; then its resident revokes
it, as one more client. All clocks are one clock: the clients' process. A READ that was sent after the answer to
the revocation and still got its shares makes the measurement fail. Log, witness and auditing cosigner share the
machine with the clients, and the witness quorum is on loopback.
"""

import http.client
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.load import Load, LoadGrant
from examples.founding import Teller, found_town
from protocol.canonical import b64u_encode, canonical_bytes
from protocol.consent_api import ReadRequest

CLIENTS = 64
REVOCATIONS = 120
WARM_SECONDS = 0.5
"""How long all clients read a grant before it is revoked."""
PATIENCE_SECONDS = 20.0
_JSON = {"Content-Type": "application/json"}


@dataclass
class Target:
    """The grant that everybody reads, and what came of it. Lists are appended to by all clients."""

    grant: LoadGrant
    released: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    others: list[int] = field(default_factory=list)


class Reader(threading.Thread):
    """Reads `target` until it is refused, then waits for the next one."""

    def __init__(self, load: Load, url: str) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._load = load
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self.target: Target | None = None
        self.is_ending = False

    def run(self) -> None:
        """Until `is_ending`."""
        while not self.is_ending:
            target = self.target
            if target is None:
                time.sleep(0.001)
            elif self._read(target):
                self.target = None
        self._connection.close()

    def _read(self, target: Target) -> bool:
        """Send one READ; whether the grant is over."""
        read = self._load.make_read(target.grant)
        body = canonical_bytes(ReadRequest(read.token, b64u_encode(read.reply.public_bytes())))
        sent = time.perf_counter()
        self._connection.request("POST", "/v1/reads", body, _JSON)
        response = self._connection.getresponse()
        response.read()
        moment = (sent, time.perf_counter())
        if response.status == 200:
            target.released.append(moment)
        elif response.status == 410:
            target.refused.append(moment)
        else:
            target.others.append(response.status)
        return response.status == 410


def measure() -> dict[str, Any]:
    """Milliseconds at p50 and p99 (aim: p99 of `sent_to_refused_ms` below 1000)."""
    with tempfile.TemporaryDirectory(prefix="regie-bench-") as folder:
        town = found_town(Path(folder) / "town", Teller(quiet=True))
        readers: list[Reader] = []
        try:
            load = Load(town)
            readers += [Reader(load, town.urls["log"]) for _ in range(CLIENTS)]
            for reader in readers:
                reader.start()
            rounds = [_round(load, readers) for _ in range(REVOCATIONS)]
        finally:
            for reader in readers:
                reader.is_ending = True
            town.close()
    return _summary(rounds)


@dataclass(frozen=True)
class Round:
    """Seconds from sending a revocation; `last_release`: to the arrival of the last shares, sealed before it."""

    acknowledged: float
    first_refused: float
    last_release: float
    reads: int
    unavailable: int


def _round(load: Load, readers: list[Reader]) -> Round:
    target = Target(load.grant())
    for reader in readers:
        reader.target = target
    time.sleep(WARM_SECONDS)
    sent = time.perf_counter()
    load.revoke(target.grant)
    acknowledged = time.perf_counter()
    while any(reader.target is target for reader in readers):
        if time.perf_counter() > sent + PATIENCE_SECONDS:
            raise RuntimeError("a client was never refused after the revocation")
        time.sleep(0.002)
    if any(start > acknowledged for start, _ in target.released):
        raise RuntimeError("a READ that was sent after the acknowledged revocation got its shares")
    return Round(
        acknowledged - sent,
        min(end for _, end in target.refused) - sent,
        max((end - sent for _, end in target.released if end > sent), default=0.0),
        len(target.released) + len(target.refused),
        len(target.others),
    )


def _summary(rounds: list[Round]) -> dict[str, Any]:
    return {
        "revocations": len(rounds),
        "clients": CLIENTS,
        "reads": sum(each.reads for each in rounds),
        "unavailable": sum(each.unavailable for each in rounds),
        "released_after_acknowledgement": 0,
        "sent_to_acknowledged_ms": _percentiles([each.acknowledged for each in rounds]),
        "sent_to_refused_ms": _percentiles([each.first_refused for each in rounds]),
        "acknowledged_to_refused_ms": _percentiles(
            [max(0.0, each.first_refused - each.acknowledged) for each in rounds]
        ),
        "sent_to_last_shares_ms": _percentiles([each.last_release for each in rounds]),
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(ordered[len(ordered) // 2] * 1000, 1),
        "p99": round(ordered[len(ordered) * 99 // 100] * 1000, 1),
        "max": round(ordered[-1] * 1000, 1),
    }
