"""Looking back over all versions of a grant (protocol sections 6 and 9). Pure.

A refresh begins a new slot; its entries count on from those of the version before, for tag_key stays. A version
that is over may still get entries of its own: refused reads, messages. So only all versions together show that no
number is missing, and only as far as the smallest of the trees in which they were shown.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.policy import MAX_AGE
from protocol.trust_list import TrustedLog
from wallet.history import HistoryPage, OwnGrant, VerifiedEvent, VerifiedHistory, verify_history
from wallet.records import Seen

REFRESHED = "refresh"
"""Kind of the entry that began a later version."""


def verify_versions(
    versions: Sequence[tuple[OwnGrant, Iterable[HistoryPage]]],
    log: TrustedLog,
    *,
    seen: Seen = Seen(),  # noqa: B008 - frozen
    max_age: int = MAX_AGE,
) -> VerifiedHistory:
    """One history of a grant whose versions are given in their order, the one in force last.

    1. each version as `verify_history` does; 2. all but the last are over; 3. over all of them the numbers of each
    kind run from 0 without a gap in the log's order; 4. not fewer events than `seen`. The entry that ended an
    earlier version is left out: nobody stopped the agreement then.
    Raises `Rejected`: `not_replaced`, `missing_event`, `fewer_events` and those of `verify_history`.
    """
    if len(versions) == 1:
        ((own, pages),) = versions
        return verify_history(pages, own, log, seen=seen, max_age=max_age)
    found = [verify_history(pages, own, log, max_age=max_age, is_part=True) for own, pages in versions]  # 1.
    if any(part.revocation is None for part in found[:-1]):  # 2.
        raise Rejected("not_replaced", "the log lets an earlier version of your grant stand beside the newer one")
    known_to_all = min(part.status.checkpoint.size for part in found)
    events = sorted((event for part in found for event in part.events), key=lambda event: event.index)
    counts = _check_numbers(events, known_to_all)  # 3.
    now_seen = Seen(*(counts[kind] for kind in ("read", "refusal", "message")))
    if now_seen.reads < seen.reads or now_seen.refusals < seen.refusals or now_seen.messages < seen.messages:
        raise Rejected("fewer_events", "the log hides entries that it showed before; report this to the auditor")
    last, ended = found[-1], {part.revocation for part in found[:-1]}
    told = [_told(event, events[0].index) for event in events if event.index not in ended]
    return VerifiedHistory(last.status, tuple(told), now_seen, last.revocation)


def _check_numbers(events: Iterable[VerifiedEvent], known_to_all: int) -> dict[str, int]:
    """How many there are of each kind."""
    counts = {"read": 0, "refusal": 0, "message": 0}
    for event in events:
        if event.kind not in counts or event.n is None:
            continue
        is_late = event.index >= known_to_all and event.n > counts[event.kind]
        if event.n != counts[event.kind] and not is_late:
            raise Rejected(
                "missing_event",
                f"entry number {counts[event.kind]} of its kind is missing; report this to the auditor",
            )
        counts[event.kind] = event.n + 1
    return counts


def _told(event: VerifiedEvent, first: int) -> VerifiedEvent:
    return replace(event, kind=REFRESHED) if event.kind == "grant" and event.index != first else event
