"""What the wallet keeps of a grant's history: so that it can be looked at at once, and without a network.

Kept is what was verified, never what was sent; how fresh it is stands with it. Where the log has erased the
details of an entry since (it may, once a grant has ended), the wallet still has them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import fields, replace

from wallet.history import VerifiedEvent

PART = 256
"""Events of one record of the vault: the largest part, each naming all attributes there are, fits into it."""
_PLAIN = tuple(item.name for item in fields(VerifiedEvent) if item.name != "attributes")


class KeptEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A `VerifiedEvent` whose attributes are entry number `scope` of its part: most reads name the same ones."""

    kind: str
    index: int
    n: int | None = None
    reason: str | None = None
    scope: int | None = None
    officer: str | None = None
    case: str | None = None
    channel: str | None = None
    zone: str | None = None
    time: int | None = None
    law: str | None = None
    until: int | None = None
    erased: bool = False
    document: str | None = None


class HistoryPart(msgspec.Struct, frozen=True):
    """Up to `PART` events of grant `grant`, from event `number * PART` on.

    `checked_at` (POSIX seconds) and `size` of the log's tree: when these were last verified; those of the last
    part count for the whole history.
    """

    grant: str
    number: int
    checked_at: int
    size: int
    scopes: list[list[str]]
    events: list[KeptEvent]

    @property
    def name(self) -> str:
        """Its name in the vault."""
        return f"{self.grant}/{self.number}"


@dataclass(frozen=True)
class KeptHistory:
    """All events of a grant as they were verified at `checked_at` in a tree of `size` leaves."""

    checked_at: int
    size: int
    events: tuple[VerifiedEvent, ...]


def merge_events(before: Sequence[VerifiedEvent], now: Sequence[VerifiedEvent]) -> list[VerifiedEvent]:
    """The events of `now`; of those that were erased in the meantime the details that `before` still has."""
    known = {event.index: event for event in before}
    return [_with_details(event, known.get(event.index)) if event.erased else event for event in now]


def _with_details(event: VerifiedEvent, known: VerifiedEvent | None) -> VerifiedEvent:
    if known is None or (known.kind, known.n) != (event.kind, event.n):
        return event
    return replace(known, erased=True)


def parts_of(grant: str, events: Sequence[VerifiedEvent], checked_at: int, size: int) -> list[HistoryPart]:
    """What lies in the vault of these events; at least one part."""
    count = max(1, -(-len(events) // PART))
    return [
        _part(grant, number, events[number * PART : (number + 1) * PART], checked_at, size)
        for number in range(count)
    ]


def _part(grant: str, number: int, events: Sequence[VerifiedEvent], checked_at: int, size: int) -> HistoryPart:
    scopes = list(dict.fromkeys(event.attributes for event in events))
    place = {scope: index for index, scope in enumerate(scopes)}
    kept = [
        KeptEvent(**{name: getattr(event, name) for name in _PLAIN}, scope=place[event.attributes])
        for event in events
    ]
    return HistoryPart(grant, number, checked_at, size, [list(scope) for scope in scopes], kept)


def changed_parts(before: Iterable[HistoryPart], now: Sequence[HistoryPart]) -> list[HistoryPart]:
    """Of `now` what has to be written: the last part, which says how fresh all is, and those with other events."""
    kept = {part.number: part for part in before}
    return [
        part
        for part in now
        if part is now[-1]
        or part.number not in kept
        or (kept[part.number].events, kept[part.number].scopes) != (part.events, part.scopes)
    ]


def history_of(parts: Sequence[HistoryPart]) -> KeptHistory | None:
    """The history that lies in `parts` of one grant, in any order; None without any."""
    if not parts:
        return None
    ordered = sorted(parts, key=lambda part: part.number)
    events = tuple(event for part in ordered for event in _events(part))
    return KeptHistory(ordered[-1].checked_at, ordered[-1].size, events)


def _events(part: HistoryPart) -> Iterable[VerifiedEvent]:
    scopes = [tuple(scope) for scope in part.scopes]
    for kept in part.events:
        plain = {name: getattr(kept, name) for name in _PLAIN}
        yield VerifiedEvent(**plain, attributes=() if kept.scope is None else scopes[kept.scope])


def by_grant(parts: Mapping[str, HistoryPart]) -> dict[str, list[HistoryPart]]:
    """The parts of a whole vault by grant."""
    found: dict[str, list[HistoryPart]] = {}
    for part in parts.values():
        found.setdefault(part.grant, []).append(part)
    return found
