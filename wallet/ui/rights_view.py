"""What a resident may still ask of an agency, and until when it has to answer. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from protocol.reading import one_month_after, parse_message
from wallet.history import VerifiedEvent
from wallet.records import OutgoingMessage
from wallet.ui.book import Agreement, Book

FINAL = ("erased", "kept")
Answer: TypeAlias = Literal["waiting", "acknowledged", "erased", "kept", "late"]


@dataclass(frozen=True)
class Erasure:
    """One request to erase, and what came of it. Times are POSIX seconds.

    `due`: the agency has to answer by then; `law` and `until`: when it says that it keeps the data. `at_log` and
    `at_agency`: who has the request by now.
    """

    asked_at: int
    due: int
    answer: Answer
    at_log: bool
    at_agency: bool
    answered_at: int | None = None
    law: str | None = None
    until: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether an answer is still to come."""
        return self.answer in ("waiting", "acknowledged", "late")


def erasures_of(agreement: Agreement, messages: Iterable[OutgoingMessage], now: int) -> list[Erasure]:
    """Every erasure asked under an agreement, latest first, each with what the agency said until the next one."""
    sent = {parse_message(message.token).iat: message for message in messages if message.grant == agreement.number}
    events = [event for event in agreement.events if event.kind == "message"]
    starts = [place for place, event in enumerate(events) if event.reason == "erasure_asked"]
    found = []
    for place, following in pairwise([*starts, len(events)]):
        asked = events[place]
        message = sent.pop(asked.time or 0, None)
        at_agency = message.at_agency if message else True
        found.append(_erasure(asked.time or 0, events[place + 1 : following], at_agency, now))
    for time, message in sorted(sent.items()):
        found.append(_erasure(time, (), message.at_agency, now, at_log=message.at_log))
    return found[::-1]


def _erasure(
    asked_at: int, answers: Sequence[VerifiedEvent], at_agency: bool, now: int, *, at_log: bool = True
) -> Erasure:
    due = one_month_after(asked_at)
    final = next((event for event in reversed(answers) if event.reason in FINAL), None)
    if final is not None:
        answer: Answer = "erased" if final.reason == "erased" else "kept"
        return Erasure(asked_at, due, answer, True, True, final.time, final.law, final.until)
    if now > due:
        return Erasure(asked_at, due, "late", at_log, at_agency)
    heard = any(event.reason == "erasure_acknowledged" for event in answers)
    return Erasure(asked_at, due, "acknowledged" if heard else "waiting", at_log, at_agency)


def can_ask_erasure(agreement: Agreement, erasures: Sequence[Erasure]) -> bool:
    """Whether the agency may have something under the agreement, and no earlier request waits for its answer."""
    record = agreement.record
    may_have = record.slot is not None and record.state in ("active", "uncertain", "delivering")
    return may_have and not any(erasure.is_open for erasure in erasures)


def open_erasures(asked: Iterable[tuple[Agreement, Erasure]]) -> list[tuple[Agreement, Erasure]]:
    """Those without a final answer, next to be due first."""
    return sorted((pair for pair in asked if pair[1].is_open), key=lambda pair: pair[1].due)


def letters_of(book: Book) -> list[Agreement]:
    """One agreement of each organisation that may have something, the latest: to write a letter about."""
    latest: dict[str, Agreement] = {}
    for agreement in book.agreements.values():
        if agreement.record.slot is not None and agreement.state != "failed":
            latest.setdefault(agreement.agency, agreement)
    return sorted(latest.values(), key=lambda each: each.agency_name.casefold())
