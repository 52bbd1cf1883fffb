"""In which state a request or a grant is for an officer, as codes; their words are in `words`. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.attributes import FLAG_NAMES
from protocol.reading import one_month_after
from protocol.rights import MessageKind
from protocol.terms import Context, places_of
from verifier.grants import StoredGrant
from verifier.requests import StoredRequest
from verifier.seen import Asked
from verifier.sessions import StoredSession
from verifier.ui.shown import Card, Datum, by_card
from verifier.verdict import Step, Verdict

RequestState: TypeAlias = Literal[
    "waiting",
    "elsewhere",
    "declined",
    "expired",
    "agreed",
    "ended",
    "copy",
    "taken",
    "coming_back",
    "broken",
    "second",
]
"""`elsewhere`: for the browser on the wallet's device; `ended`: what was agreed is over; `second`: helped, and
a second officer is awaited; `coming_back`, `broken`: of the way back on that device."""
GrantState: TypeAlias = Literal["stands", "not_yet", "expired", "stopped", "unsure"]
"""`unsure`: the log was asked just now, and nobody can tell."""
RightState: TypeAlias = Literal["late", "soon", "in_time"] | MessageKind
"""How long there is to answer, or what was answered."""
SOON = 7 * 86_400
"""Before the end of the month: time to look up what is where."""


@dataclass(frozen=True)
class Known:
    """What the store says besides the request itself."""

    session: StoredSession | None = None
    has_copy: bool = False
    awaits_second: bool = False
    has_ended: bool = False


def state_of_request(stored: StoredRequest, known: Known, now: int) -> RequestState:
    """The first that is so."""
    if stored.state == "declined":
        return "declined"
    if stored.state == "open":
        if now >= stored.request.exp:
            return "expired"
        return "waiting" if known.session is None else "elsewhere"
    if known.session is not None and known.session.state != "returned":
        return "broken" if known.session.state == "broken" else "coming_back"
    if known.awaits_second:
        return "second"
    if stored.request.kind == "standing":
        return "ended" if known.has_ended else "agreed"
    return "copy" if known.has_copy else "taken"


@dataclass(frozen=True)
class ShownGrant:
    """A grant for an officer; `max_reads` is None when there is no limit, `case` whether it is for one case.

    `signers`: how many agreed on behalf of the resident; 0 when the resident agreed.
    """

    id: str
    slot: int
    log: str
    service: str
    service_version: int
    state: GrantState
    cards: tuple[Card, ...]
    received: int
    not_before: int
    not_after: int
    max_reads: int | None
    has_case: bool
    context: Context | None
    mode: Literal["view", "store"]
    version: int
    signers: int

    @property
    def can_be_read(self) -> bool:
        """As far as we know here; the log decides."""
        return self.state == "stands"


def shown_grant(grant: StoredGrant, now: int) -> ShownGrant:
    """The terms that the resident agreed to."""
    terms = grant.answer.terms
    return ShownGrant(
        grant.id,
        grant.slot,
        grant.log,
        terms.service,
        terms.service_version,
        state_of_grant(grant, now),
        by_card(Datum(place.vct, place.name) for place in places_of(terms)),
        grant.received,
        terms.not_before,
        terms.not_after,
        terms.max_reads,
        terms.case is not None,
        terms.context,
        terms.mode,
        terms.version,
        0 if terms.on_behalf_of is None else 1 + len(grant.answer.sealed.cosigned),
    )


def state_of_grant(grant: StoredGrant, now: int) -> GrantState:
    """By what the log last told and by the dates."""
    terms = grant.answer.terms
    if grant.state != "active":
        return "stopped"
    if now < terms.not_before:
        return "not_yet"
    return "expired" if now >= terms.not_after else "stands"


def state_of_asked(asked: Asked, kind: MessageKind | None, now: int) -> RightState:
    """`kind` of the answer, if there is one; else how long the month still lasts."""
    if kind is not None:
        return kind
    due = one_month_after(asked.received)
    if now >= due:
        return "late"
    return "soon" if due - now <= SOON else "in_time"


@dataclass(frozen=True)
class ShownVerdict:
    """The steps of one answer by what they are about: `""` for the whole answer, else a card."""

    at: int
    accepted: bool
    code: str | None
    groups: tuple[tuple[str, tuple[Step, ...]], ...]


def shown_verdict(verdict: Verdict, at: int) -> ShownVerdict:
    """Steps in their order; those of one card stay together where they began."""
    found: dict[str, list[Step]] = {}
    for step in verdict.steps:
        found.setdefault(step.credential or "", []).append(step)
    groups = tuple((name, tuple(steps)) for name, steps in found.items())
    return ShownVerdict(at, verdict.accepted, verdict.code, groups)


def choices(cards: Iterable[Card]) -> dict[str, Datum]:
    """What may be ticked before a reading, by its short name; flags travel by themselves."""
    return {datum.short: datum for card in cards for datum in card.data if datum.name not in FLAG_NAMES}
