"""Which signatures make a checkpoint a log's own, today and looking back (protocol section 6, **ours**).

The rule: of every kind of key that the trust list names for a log (Ed25519, ML-DSA-44) one key has signed. So two
keys of a kind overlap while they rotate, and nobody who breaks one kind alone can speak for the log. A retired key
counts no more; only for a checkpoint that a quorum cosigned while the key was in use.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from protocol.errors import Rejected
from protocol.note import SignatureType, VerifierKey, parse_vkey
from protocol.trust_list import TrustedLog

_REMEMBERED_LOGS = 64


@dataclass(frozen=True)
class LogKeys:
    """The keys of the log `name` (its origin).

    `current`: of each kind one signs every checkpoint. `retired`: (key, until), POSIX seconds. `former`: (policy
    text, until), the policies that were in force before, latest first.
    """

    name: str
    current: tuple[VerifierKey, ...]
    retired: tuple[tuple[VerifierKey, int], ...] = ()
    former: tuple[tuple[str, int], ...] = ()

    @property
    def every(self) -> tuple[VerifierKey, ...]:
        """Current and retired keys: whose lines are looked at when looking back."""
        return self.current + tuple(key for key, _ in self.retired)

    def counted_at(self, time: int) -> tuple[VerifierKey, ...]:
        """The keys that count for what a quorum cosigned at `time`: those in use then, and the present ones."""
        return self.current + tuple(key for key, until in self.retired if time <= until)


LogKey: TypeAlias = VerifierKey | LogKeys
"""A log by its one key, or by all its keys."""


def log_keys(log: TrustedLog) -> LogKeys:
    """The keys of a log as the trust list has them.

    Raises `Rejected`: `bad_vkey` for a key that does not sign checkpoints, or that carries another name.
    """
    retired = tuple((entry.vkey, entry.until) for entry in log.retired)
    former = tuple((entry.policy, entry.until) for entry in log.former)
    listed = (log.vkey, *([log.pq_vkey] if log.pq_vkey else []), *log.also)
    return _parse(log.origin, listed, retired, former)


@lru_cache(maxsize=_REMEMBERED_LOGS)
def _parse(
    origin: str, listed: tuple[str, ...], retired: tuple[tuple[str, int], ...], former: tuple[tuple[str, int], ...]
) -> LogKeys:
    current = tuple(parse_vkey(text) for text in listed)
    if any(key.type is SignatureType.COSIGNATURE or key.name != origin for key in current):
        raise Rejected("bad_vkey", "a key of the log does not sign its checkpoints")
    known = ((parse_vkey(text), until) for text, until in retired)
    # Retired receipt keys are listed there too, under their own name; they count for nothing any more.
    return LogKeys(origin, current, tuple((key, until) for key, until in known if key.name == origin), former)


def keys_of(log: LogKey) -> LogKeys:
    """A log of one key as keys."""
    return log if isinstance(log, LogKeys) else LogKeys(log.name, (log,))


def check_signed(
    signed: Collection[VerifierKey], counted: Sequence[VerifierKey], kinds: Collection[SignatureType]
) -> None:
    """That of each of `kinds` one of the `counted` keys is among those that `signed`.

    Raises `Rejected`: `unknown_key` (the log did not sign), `one_kind_missing` (it did not sign with each kind).
    """
    found = {key.type for key in counted if key in signed}
    if not found:
        raise Rejected("unknown_key", "checkpoint is not signed by its log")
    if not found.issuperset(kinds):
        raise Rejected("one_kind_missing", "checkpoint lacks the log's signature of another kind")
