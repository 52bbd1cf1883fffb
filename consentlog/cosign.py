"""The publisher's way to the witnesses: whom to ask, what they keep for us, and a quorum of their cosignatures.

All are asked at once, each by a request of its own; one that has not answered the last request is not asked again.
"""

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import monotonic
from typing import Any

from consentlog.client import WitnessClient
from consentlog.log_time import LogTime
from consentlog.meters import Meters, cosignature_time
from consentlog.tree import Tree
from protocol.checkpoint import VerifiedCheckpoint, add_cosignatures
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.log_keys import log_keys
from protocol.policy import VerifiedQuorum, parse_policy, satisfied
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from service.fetch import Fetcher
from service.journal import log_event

QUORUM_SECONDS = 2.0
"""How long a round waits for its witnesses."""
PENDING_SECONDS = 1.0
"""How long a round waits to hear of kept revocations; who keeps one does not cosign without it anyway."""
MAX_CONCURRENT = 64
"""Requests to witnesses under way at once: two for each of the policy's at most 32."""
Asked = dict[Future[list[bytes]], WitnessClient]


class Witnesses:
    """All witnesses of one log."""

    def __init__(
        self,
        origin: str,
        fetcher: Fetcher,
        tree: Tree,
        time: LogTime,
        meters: Meters,
    ) -> None:
        self._origin = origin
        self._fetcher = fetcher
        self._tree = tree
        self._time = time
        self._meters = meters
        self._clients: dict[str, tuple[TrustedWitness, WitnessClient]] = {}
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="witness")

    def close(self) -> None:
        """Ask nobody any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def listed(self, trust: TrustList) -> list[WitnessClient]:
        """A client for each witness on the trust list, kept as long as its entry stays the same."""
        kept = self._clients
        self._clients = {
            entry.name: known
            if (known := kept.get(entry.name)) is not None and known[0] == entry
            else (entry, WitnessClient(self._fetcher, entry))
            for entry in trust.witnesses
        }
        return [client for _, client in self._clients.values()]

    def ask_pending(self, auditing: Sequence[WitnessClient]) -> Asked:
        """Ask the auditing cosigners what they keep for this log."""
        idle = [client for client in auditing if not client.is_asked]
        return {self._pool.submit(client.pending, self._origin): client for client in idle}

    def heard(self, asked: Asked) -> list[tuple[WitnessClient, list[bytes]]]:
        """Who answered in time, and what it keeps: secrets of revocations."""
        done, _ = wait(asked, timeout=PENDING_SECONDS)
        return [(asked[future], future.result()) for future in done if _foreseen(future) is None]

    def cosign(
        self, checkpoint: VerifiedCheckpoint, clients: Sequence[WitnessClient], log: TrustedLog
    ) -> VerifiedQuorum:
        """As soon as the log's policy is satisfied. Raises `Unavailable`: `no_quorum`."""
        pending = {self._pool.submit(self._ask, client, checkpoint) for client in clients if not client.is_busy}
        note, deadline = checkpoint.note, monotonic() + QUORUM_SECONDS
        while pending and (left := deadline - monotonic()) > 0:
            done, pending = wait(pending, timeout=left, return_when=FIRST_COMPLETED)
            for future in done:
                if _foreseen(future) is None:
                    note = add_cosignatures(note, future.result())
            if (quorum := self.quorum(note, log)) is not None:
                return quorum
        raise Unavailable("no_quorum", "not enough witnesses cosigned in time", retry_after=2)

    def _ask(self, client: WitnessClient, checkpoint: VerifiedCheckpoint) -> tuple[str, ...]:
        try:
            lines = client.add_checkpoint(checkpoint, self._tree)
        except RegieError:
            self._meters.witness(client.name, skew=None)
            raise
        self._meters.witness(client.name, skew=self._time.clock() - cosignature_time(lines[0]))
        return lines

    def quorum(self, note: str, log: TrustedLog) -> VerifiedQuorum | None:
        """The quorum of a note, at a time that it vouches for; None when there is none (yet)."""
        policy, keys = parse_policy(log.policy), log_keys(log)
        for now in self._time.candidates():
            try:
                quorum = satisfied(policy, note, now, log_keys=(keys,))
            except Rejected:
                continue
            self._time.vouch(now)
            return quorum
        return None


def _foreseen(future: Future[Any]) -> BaseException | None:
    """The error of a finished request, if it is one of ours; any other is a mistake and is raised."""
    error = future.exception()
    if error is not None and not isinstance(error, RegieError):
        raise error
    if error is not None:
        log_event("consentlog", "witness_refused", code=error.code)
    return error
