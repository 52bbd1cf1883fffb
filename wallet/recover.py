"""After a restore: the grants that were given since the backup was made, found again in the public log.

The seed in the backup makes the same codes, so the locks of later grants are known; the log's public leaves say
where they stand; the events of such a grant, opened by its code, hold the terms. Nothing else is needed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from protocol.canonical import b64u_decode, parse_json
from protocol.consent_api import EventsAnswer
from protocol.errors import Rejected
from protocol.leaf import Grant, parse_leaf
from protocol.revocation_code import LOOK_AHEAD, lock_for
from protocol.terms import Terms, parse_terms
from wallet.records import Secrets
from wallet.revoke import MAX_VERSIONS
from wallet.seed import grant_code


@dataclass(frozen=True)
class FoundGrant:
    """A grant leaf of ours: the number of its code, its place and slot, and which version of the grant it is."""

    number: int
    index: int
    slot: int
    version: int = 1


class Locks:
    """The locks that may stand in the log without this wallet knowing: of each code the first version it does not
    hold, and once that is found the next one. `known`: newest version held, by number of the code.
    """

    def __init__(self, code_of: Callable[[int], bytes], numbers: Iterable[int], known: Mapping[int, int]) -> None:
        self._code_of = code_of
        self._wanted: dict[bytes, tuple[int, int]] = {}
        for number in numbers:
            self._want(number, known.get(number, 0) + 1)

    def _want(self, number: int, version: int) -> None:
        if version <= MAX_VERSIONS:
            self._wanted[lock_for(self._code_of(number), version)] = (number, version)

    def find(self, index: int, leaf: Grant) -> FoundGrant | None:
        """What a grant leaf of the log is, if it is one of ours."""
        found = self._wanted.pop(leaf.lock, None)
        if found is None:
            return None
        self._want(found[0], found[1] + 1)
        return FoundGrant(found[0], index, leaf.slot, found[1])


def own_locks(secrets: Secrets, known: Mapping[int, int]) -> Locks:
    """Of the codes that a restored wallet may have used since, and of later versions of what it holds.

    `known`: newest version of each grant that it holds, by number of its code.
    """
    return Locks(partial(grant_code, secrets), range(secrets.next_code + LOOK_AHEAD), known)


def find_grants(first: int, entries: Iterable[bytes], locks: Locks) -> list[FoundGrant]:
    """Grant leaves of ours among `entries`, which begin at index `first`. Raises: `bad_leaf`."""
    leaves = ((index, parse_leaf(entry)) for index, entry in enumerate(entries, first))
    found = (locks.find(index, leaf) for index, leaf in leaves if isinstance(leaf, Grant))
    return [grant for grant in found if grant is not None]


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
