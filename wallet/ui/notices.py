"""What the resident should know: what happened since they last said that they had seen it, and what needs doing.

Pure: made of the book, the cards and what was told. A notice about an event is new until it was seen; one about a
state (an end that comes near, a stop that is not confirmed) stays for as long as the state does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from protocol.issuer_jwt import NO_END
from protocol.names import visible
from protocol.rights import RESIDENT_KINDS
from wallet.card import card_names
from wallet.folding import is_odd
from wallet.history import VerifiedEvent
from wallet.records import Copy
from wallet.ui.book import Agreement, Book

NoticeKind: TypeAlias = Literal[
    "problem", "search", "refused", "unsure", "waiting", "odd", "read", "answered", "stopped", "ended", "ending",
    "card_over", "card_ending", "backup",
]  # fmt: skip
ORDER: tuple[NoticeKind, ...] = (
    "problem", "search", "refused", "unsure", "waiting", "stopped", "odd", "answered", "read", "ended", "ending",
    "card_over", "card_ending", "backup",
)  # fmt: skip
"""What has to be seen first comes first."""
IMPORTANT: frozenset[NoticeKind] = frozenset(
    {"problem", "search", "refused", "unsure", "waiting", "stopped", "odd", "answered", "card_over"}
)
"""What the first page reports to who wants to hear what is important only."""
_NEWS: Mapping[str, NoticeKind] = {"read": "read", "refusal": "refused", "revocation": "stopped"}
DAY = 24 * 3600
ENDING_DAYS = 14
CARD_DAYS = 30
BACKUP_DAYS = 90


class Told(msgspec.Struct, frozen=True):
    """What the resident said they had seen: when (POSIX seconds), and how many events of each agreement."""

    at: int = 0
    events: dict[str, int] = {}


@dataclass(frozen=True)
class Notice:
    """One thing. `number` and `agency_name` of an agreement, or `card`: the name of a card; `count`: how often.

    `time`: when it last happened or will, POSIX seconds. `is_new`: goes once it was seen.
    """

    kind: NoticeKind
    number: str | None = None
    agency_name: str = ""
    card: str | None = None
    copy: Copy | None = None
    count: int = 1
    time: int | None = None
    is_new: bool = False


def find_notices(
    book: Book, copies: Mapping[str, Copy], told: Told, now: int, *, must_search: bool, backed_up_at: int | None
) -> list[Notice]:
    """All notices, the most pressing first, and of one kind the newest first."""
    found = [notice for agreement in book.agreements.values() for notice in _about(agreement, told, now)]
    found += _about_cards(copies, now)
    if must_search:
        found.append(Notice("search"))
    if _needs_backup(book, copies, backed_up_at, now):
        found.append(Notice("backup", time=backed_up_at))
    return sorted(found, key=lambda notice: (ORDER.index(notice.kind), -(notice.time or 0)))


def now_told(book: Book, now: int) -> Told:
    """What the resident knows after having seen everything."""
    return Told(now, {number: len(agreement.events) for number, agreement in book.agreements.items()})


def _about(agreement: Agreement, told: Told, now: int) -> Iterable[Notice]:
    """1. what contradicts itself; 2. what is not certain; 3. events not seen yet; 4. its end."""
    number, name = agreement.number, visible(agreement.agency_name)
    if agreement.problems:  # 1.
        yield Notice("problem", number, name, count=len(agreement.problems))
    if agreement.state in ("delivering", "uncertain"):  # 2.
        yield Notice("unsure", number, name, time=agreement.record.made_at)
    if agreement.state == "stopping":
        stop = agreement.record.stop
        yield Notice("waiting", number, name, time=stop.asked_at if stop else None)
    yield from _news(agreement, agreement.events[told.events.get(number, 0) :])  # 3.
    if agreement.state == "ended" and agreement.end > told.at:  # 4.
        yield Notice("ended", number, name, time=agreement.end, is_new=True)
    if not agreement.is_over and now >= agreement.end - min(
        ENDING_DAYS * DAY, (agreement.end - agreement.start) // 4
    ):
        yield Notice("ending", number, name, time=agreement.end)


def _news(agreement: Agreement, events: Iterable[VerifiedEvent]) -> Iterable[Notice]:
    """One notice for each kind of event. A message of the resident's own is no news.

    What an officer read outside usual hours is told apart, and counts as important.
    """
    by_kind: dict[NoticeKind, list[VerifiedEvent]] = {}
    for event in events:
        kind: NoticeKind | None = _NEWS.get(event.kind)
        if event.kind == "message" and event.reason not in RESIDENT_KINDS:
            kind = "answered"
        if is_odd(event):
            kind = "odd"
        if kind is not None:
            by_kind.setdefault(kind, []).append(event)
    for kind, some in by_kind.items():
        time = max((event.time for event in some if event.time), default=None)
        yield Notice(
            kind, agreement.number, visible(agreement.agency_name), count=len(some), time=time, is_new=True
        )


def _about_cards(copies: Mapping[str, Copy], now: int) -> Iterable[Notice]:
    """Cards whose newest copy is over, or soon will be."""
    newest: dict[str, Copy] = {}
    for name, card in card_names(copies).items():
        copy = copies[name]
        if card not in newest or copy.exp > newest[card].exp:
            newest[card] = copy
    for card, copy in newest.items():
        if copy.exp >= NO_END or copy.exp > now + CARD_DAYS * DAY:
            continue
        yield Notice("card_over" if copy.exp <= now else "card_ending", card=card, copy=copy, time=copy.exp)


def _needs_backup(book: Book, copies: Mapping[str, Copy], backed_up_at: int | None, now: int) -> bool:
    """Whether something was received or given that no backup of the last months holds."""
    if not copies and not book.agreements:
        return False
    if backed_up_at is None:
        return True
    newest = max((agreement.record.made_at for agreement in book.agreements.values()), default=0)
    return now > backed_up_at + BACKUP_DAYS * DAY or newest > backed_up_at
