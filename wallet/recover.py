"""After a restore: the grants that were given since the backup was made, found again in the public log.

The seed in the backup makes the same codes, so the locks of later grants are known; the log's public leaves say
where they stand; the events of such a grant, opened by its code, hold the terms. Nothing else is needed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from protocol.canonical import b64u_decode, parse_json
from protocol.consent_api import EventsAnswer
from protocol.errors import Rejected
from protocol.leaf import Grant, parse_leaf
from protocol.revocation_code import lock_for
from protocol.terms import Terms, parse_terms
from wallet.records import Secrets
from wallet.seed import grant_code

LOOK_AHEAD = 64
"""Codes tried beyond the last one known: more grants than that are not given between two backups."""


@dataclass(frozen=True)
class FoundGrant:
    """A grant leaf of ours: the number of its code, its place and slot."""

    number: int
    index: int
    slot: int


def missing_locks(secrets: Secrets, known: Collection[int]) -> dict[bytes, int]:
    """Locks of version 1 of the codes that a restored wallet may have used since, with their numbers.

    `known`: numbers of the codes whose grants the wallet holds.
    """
    numbers = (number for number in range(secrets.next_code + LOOK_AHEAD) if number not in known)
    return {lock_for(grant_code(secrets, number), 1): number for number in numbers}


def find_grants(first: int, entries: Iterable[bytes], locks: Mapping[bytes, int]) -> list[FoundGrant]:
    """Grant leaves with one of `locks` among `entries`, which begin at index `first`. Raises: `bad_leaf`."""
    found = []
    for index, entry in enumerate(entries, first):
        leaf = parse_leaf(entry)
        if isinstance(leaf, Grant) and leaf.lock in locks:
            found.append(FoundGrant(locks[leaf.lock], index, leaf.slot))
    return found


def recover_terms(answer: EventsAnswer, lock: bytes) -> tuple[Terms, bytes]:
    """Terms and opening key of a grant of ours, out of its events; `verify_history` MUST then be run with them.

    Raises `Rejected`: `missing_event`, `bad_event`, `bad_terms`.
    """
    grants = [event for event in answer.events if event.type == "grant"]
    if len(grants) != 1 or grants[0].opening is None or grants[0].opening_key is None:
        raise Rejected("missing_event", "the log does not show your grant itself")
    terms = parse_terms(parse_json(grants[0].opening))
    if b64u_decode(terms.lock) != lock:
        raise Rejected("bad_event", "the log shows another grant as yours")
    return terms, b64u_decode(grants[0].opening_key)
