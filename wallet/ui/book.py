"""Everything that happened, in one order: what the log showed, what the wallet did itself, what ended by itself.

Pure: made of records of the vault and the time. Nothing here is fetched; how fresh each part is stands with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Literal, TypeAlias

from protocol.attributes import short_name
from protocol.reading import parse_message
from protocol.terms import places_of
from wallet.history import VerifiedEvent
from wallet.kept_history import HistoryPart, KeptHistory, by_grant, history_of
from wallet.records import Activity, Evidence, GrantRecord, OutgoingMessage
from wallet.state import State, state_of

LineKind: TypeAlias = Literal[
    "given", "begun", "unsure", "failed", "copy", "maybe_copy", "declined",
    "read", "refused", "stopped", "ended", "erasure_asked", "answered",
]  # fmt: skip
"""What a line is about; `unsure` and `maybe_copy`: it is not certain that the agency has it."""
NO_TIME = 0
"""Of a line whose time nobody knows any more."""
_GIVEN: Mapping[str, LineKind] = {
    "intended": "begun",
    "logged": "begun",
    "delivering": "unsure",
    "uncertain": "unsure",
    "failed": "failed",
}
_DONE: Mapping[str, LineKind] = {"shared": "copy", "maybe_shared": "maybe_copy", "declined": "declined"}


@dataclass(frozen=True)
class Line:
    """One thing that happened. `id` is unique and fit for a path; times are POSIX seconds.

    `number`: of the agreement, if there is one. `is_proven`: verified in the log; `event`: that entry of it.
    `due`: until when the agency has to answer, or may keep.
    """

    id: str
    kind: LineKind
    time: int
    agency: str
    agency_name: str
    number: str | None = None
    attributes: tuple[str, ...] = ()
    is_proven: bool = False
    event: VerifiedEvent | None = None
    record: GrantRecord | Activity | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Agreement:
    """One grant as its resident looks at it. `history`: what is kept of it; None when it was never looked at."""

    number: str
    record: GrantRecord
    state: State
    attributes: tuple[str, ...]
    history: KeptHistory | None
    problems: tuple[Evidence, ...]

    @property
    def agency(self) -> str:
        """The agency's OIN."""
        return self.record.agency.id

    @property
    def agency_name(self) -> str:
        """As listed when the grant was made."""
        return self.record.agency.name

    @property
    def is_over(self) -> bool:
        """Whether nothing can be read under it any more, as far as it lies with this wallet."""
        return self.state in ("failed", "stopping", "stopped", "ended")

    @property
    def start(self) -> int:
        """POSIX seconds."""
        return self.record.body.terms.not_before

    @property
    def end(self) -> int:
        """When it ends by itself, POSIX seconds."""
        return self.record.body.terms.not_after

    @property
    def reads(self) -> int:
        """How many times the log has shown that it was read."""
        return self.record.seen.reads

    @property
    def last_read(self) -> int | None:
        """When it was last read, as far as known; POSIX seconds."""
        times = [event.time for event in self.events if event.kind == "read" and event.time]
        return max(times, default=None)

    @property
    def events(self) -> tuple[VerifiedEvent, ...]:
        """What the log showed, in its order."""
        return self.history.events if self.history else ()

    @property
    def checked_at(self) -> int | None:
        """When the log was last asked, POSIX seconds."""
        return self.history.checked_at if self.history else None


@dataclass(frozen=True)
class Book:
    """All agreements, newest first, and all lines, newest first; as they are until `valid_until`."""

    agreements: Mapping[str, Agreement]
    lines: tuple[Line, ...]
    valid_until: int | None

    @property
    def checked_at(self) -> int | None:
        """The oldest check among the agreements that run; None when one of them was never held against the log."""
        times = [each.checked_at for each in self.agreements.values() if not each.is_over]
        return None if None in times else min((time for time in times if time is not None), default=None)


def make_book(
    grants: Mapping[str, GrantRecord],
    parts: Mapping[str, HistoryPart],
    activities: Mapping[str, Activity],
    messages: Iterable[OutgoingMessage],
    evidence: Iterable[Evidence],
    now: int,
) -> Book:
    """The records of a vault as one book."""
    histories = by_grant(parts)
    problems: dict[str, list[Evidence]] = {}
    for found in evidence:
        problems.setdefault(found.grant, []).append(found)
    agreements = {
        number: Agreement(
            number,
            record,
            state_of(record, now),
            tuple(f"{short_name(place.vct)}.{place.name}" for place in places_of(record.body.terms)),
            history_of(histories.get(number, ())),
            tuple(problems.get(number, ())),
        )
        for number, record in reversed(list(grants.items()))
    }
    sent: dict[str, list[OutgoingMessage]] = {}
    for message in messages:
        sent.setdefault(message.grant, []).append(message)
    lines = chain(
        chain.from_iterable(lines_of(each, sent.get(number, ())) for number, each in agreements.items()),
        (_activity_line(name, activity) for name, activity in activities.items()),
    )
    ordered = sorted(lines, key=attrgetter("time"), reverse=True)
    ends = [each.end for each in agreements.values() if not each.is_over and each.end > now]
    return Book(agreements, tuple(ordered), min(ends, default=None))


def lines_of(agreement: Agreement, messages: Iterable[OutgoingMessage] = ()) -> list[Line]:
    """What happened with one agreement, newest first: 1. its own beginning; 2. what the log showed; 3. what the
    log does not have yet; 4. its end.
    """
    lines = [_beginning(agreement)]  # 1.
    time = agreement.record.made_at
    for event in agreement.events:  # 2.
        if event.kind == "grant":
            continue
        time = event.time or time  # an entry whose details were erased comes where it stands in the log
        lines.append(_event_line(agreement, event, time))
    known = {event.time for event in agreement.events if event.reason == "erasure_asked"}
    for message in messages:  # 3.
        asked = parse_message(message.token)
        if asked.iat not in known:
            name = f"{agreement.number}-m-{asked.jti}"
            lines.append(_line(agreement, name, "erasure_asked", asked.iat))
    stop = agreement.record.stop
    if stop is not None and stop.confirmed is None:
        lines.append(_line(agreement, f"{agreement.number}-stop", "stopped", stop.asked_at))
    if agreement.state == "ended":  # 4.
        lines.append(_line(agreement, f"{agreement.number}-end", "ended", agreement.end))
    return sorted(lines, key=attrgetter("time"))[::-1]  # of one second: what came last first


def _beginning(agreement: Agreement) -> Line:
    event = next((event for event in agreement.events if event.kind == "grant"), None)
    return _line(
        agreement,
        f"{agreement.number}-given",
        _GIVEN.get(agreement.record.state, "given"),
        agreement.record.made_at,
        attributes=agreement.attributes,
        event=event,
    )


def _event_line(agreement: Agreement, event: VerifiedEvent, time: int) -> Line:
    name = f"{agreement.number}-{event.index}"
    stop = agreement.record.stop
    if event.kind == "revocation":
        return _line(agreement, name, "stopped", stop.asked_at if stop else time, event=event)
    if event.kind == "message":
        kind: LineKind = "erasure_asked" if event.reason == "erasure_asked" else "answered"
        return _line(agreement, name, kind, time, event=event)
    kind = "read" if event.kind == "read" else "refused"
    return _line(agreement, name, kind, time, attributes=event.attributes, event=event)


def _line(
    agreement: Agreement,
    name: str,
    kind: LineKind,
    time: int,
    *,
    attributes: tuple[str, ...] = (),
    event: VerifiedEvent | None = None,
) -> Line:
    return Line(
        name,
        kind,
        time,
        agreement.agency,
        agreement.agency_name,
        agreement.number,
        attributes,
        event is not None,
        event,
        agreement.record,
    )


def _activity_line(name: str, activity: Activity) -> Line:
    kind = _DONE[activity.kind]
    names = activity.asked if kind == "declined" else activity.given
    return Line(
        f"c-{name}",
        kind,
        activity.time,
        activity.agency,
        activity.agency_name,
        attributes=tuple(names),
        record=activity,
    )


def reads_since(lines: Sequence[Line], since: int) -> int:
    """How many reads are known from `since` on."""
    count = 0
    for line in lines:
        if line.time < since:
            break
        count += line.kind == "read"
    return count
