"""Everything that happened, in one order: what the log showed, what the wallet did itself, what ended by itself.

Pure: made of records of the vault and the time. Nothing here is fetched; how fresh each part is stands with it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import Any, Literal, TypeAlias, TypeVar, cast

import msgspec

from protocol.attributes import short_name
from protocol.reading import parse_message
from protocol.terms import places_of
from wallet.history import VerifiedEvent
from wallet.kept_history import HistoryPart, KeptHistory, by_grant, history_of
from wallet.records import Activity, Evidence, GrantRecord, OutgoingMessage
from wallet.state import State, state_of

LineKind: TypeAlias = Literal[
    "given", "begun", "unsure", "failed", "copy", "maybe_copy", "declined",
    "read", "refused", "renewed", "stopped", "ended",
    "erasure_asked", "access_asked", "rectification_asked", "answered",
    "reported", "deletion_begun",
]  # fmt: skip
"""What a line is about; `unsure` and `maybe_copy`: it is not certain that the agency has it."""
F = TypeVar("F")
G = TypeVar("G", OutgoingMessage, Evidence)
MAX_FOUND = 16
"""Answers that a book remembers: as many as somebody turns pages of."""
_GIVEN: Mapping[str, LineKind] = {
    "intended": "begun",
    "logged": "begun",
    "delivering": "unsure",
    "uncertain": "unsure",
    "failed": "failed",
}
_DONE: Mapping[str, LineKind] = {
    "shared": "copy",
    "maybe_shared": "maybe_copy",
    "declined": "declined",
    "reported": "reported",
    "deletion_begun": "deletion_begun",
}
_ASKED: Mapping[str, LineKind] = {
    "erasure_asked": "erasure_asked",
    "access_asked": "access_asked",
    "rectification_asked": "rectification_asked",
}
"""What a resident's message makes a line of."""


class Line(msgspec.Struct, frozen=True):
    """One thing that happened. `id` is unique and fit for a path; `time` in POSIX seconds.

    `number`: of the agreement, if there is one. `is_proven`: verified in the log; `event`: that entry of it.
    `record`: what it belongs to. `count` readings by programs since `since` are folded into this line.
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
    record: GrantRecord | Activity | None = None
    count: int = 1
    since: int | None = None


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

    @cached_property
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
class Chapter:
    """One agreement with its lines, newest first, and all that they were made of."""

    made_of: tuple[object, ...]
    agreement: Agreement
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Book:
    """All agreements, newest first, and all lines, newest first; as they are until `valid_until`."""

    chapters: Mapping[str, Chapter]
    lines: tuple[Line, ...]
    valid_until: int | None
    _found: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def remember(self, what: Hashable, find: Callable[[], F]) -> F:
        """What `find` found in this book the first time: a long book is searched once for each question."""
        if what not in self._found:
            if len(self._found) >= MAX_FOUND:
                self._found.clear()
            self._found[what] = find()
        return cast(F, self._found[what])

    @cached_property
    def agreements(self) -> Mapping[str, Agreement]:
        """By number."""
        return {number: chapter.agreement for number, chapter in self.chapters.items()}

    @cached_property
    def line_of(self) -> Mapping[str, Line]:
        """Every line by its id."""
        return {line.id: line for line in self.lines}

    @cached_property
    def agencies(self) -> tuple[tuple[str, str], ...]:
        """(id, name) of everybody who occurs, by name; the latest name."""
        names = {line.agency: line.agency_name for line in reversed(self.lines)}
        return tuple(sorted(names.items(), key=lambda pair: pair[1].casefold()))

    @cached_property
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
    before: Book | None = None,
) -> Book:
    """The records of a vault as one book. `before`: chapters of it in which nothing has changed are taken over."""
    histories, sent, problems = by_grant(parts), _by_grant(messages), _by_grant(evidence)
    known = before.chapters if before else {}
    chapters = {}
    for number, record in reversed(list(grants.items())):
        made_of = (
            record,
            state_of(record, now),
            histories.get(number, []),
            sent.get(number, []),
            problems.get(number, []),
        )
        chapter = known.get(number)
        same = chapter is not None and chapter.made_of == made_of
        chapters[number] = chapter if chapter is not None and same else _chapter(number, *made_of)
    others = (_activity_line(name, activity) for name, activity in activities.items())
    lines = chain(chain.from_iterable(chapter.lines for chapter in chapters.values()), others)
    ordered = sorted(lines, key=attrgetter("time"), reverse=True)
    ends = [each.agreement.end for each in chapters.values() if not each.agreement.is_over]
    return Book(chapters, tuple(ordered), min((end for end in ends if end > now), default=None))


def _by_grant(found: Iterable[G]) -> dict[str, list[G]]:
    sorted_out: dict[str, list[G]] = {}
    for each in found:
        sorted_out.setdefault(each.grant, []).append(each)
    return sorted_out


def _chapter(
    number: str,
    record: GrantRecord,
    state: State,
    parts: list[HistoryPart],
    messages: list[OutgoingMessage],
    problems: list[Evidence],
) -> Chapter:
    places = tuple(f"{short_name(place.vct)}.{place.name}" for place in places_of(record.body.terms))
    agreement = Agreement(number, record, state, places, history_of(parts), tuple(problems))
    lines = tuple(lines_of(agreement, messages))
    return Chapter((record, state, parts, messages, problems), agreement, lines)


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
    known = {(event.reason, event.time) for event in agreement.events}
    for message in messages:  # 3.
        asked = parse_message(message.token)
        if asked.kind in _ASKED and (asked.kind, asked.iat) not in known:
            name = f"{agreement.number}-m-{asked.jti}"
            lines.append(_line(agreement, name, _ASKED[asked.kind], asked.iat))
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
        kind: LineKind = _ASKED.get(str(event.reason), "answered")
        return _line(agreement, name, kind, time, attributes=event.attributes, event=event)
    if event.kind == "refresh":
        return _line(agreement, name, "renewed", time, attributes=event.attributes, event=event)
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
    names = activity.asked if kind in ("declined", "reported") else activity.given
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
