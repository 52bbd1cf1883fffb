"""What a resident may still ask of an agency, and until when it has to answer. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

from protocol.reading import one_month_after, parse_message
from protocol.rights import RIGHTS, Right, right_of
from wallet.history import VerifiedEvent
from wallet.records import OutgoingMessage
from wallet.ui.book import Agreement, Book

Answer: TypeAlias = Literal["waiting", "acknowledged", "late", "done", "refused"]


@dataclass(frozen=True)
class AskedRight:
    """One thing asked of a right, and what came of it. Times are POSIX seconds.

    `due`: the agency has to answer by then; `law`: of a refusal; `until`: when it says that it keeps the data.
    `at_log` and `at_agency`: who has the request by now. `attributes`: what is to be corrected; `document`: the
    hash of what the agency says that it gave.
    """

    right: Right
    asked_at: int
    due: int
    answer: Answer
    at_log: bool
    at_agency: bool
    attributes: tuple[str, ...] = ()
    answered_at: int | None = None
    law: str | None = None
    until: int | None = None
    document: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether an answer is still to come."""
        return self.answer in ("waiting", "acknowledged", "late")


def asked_of(agreement: Agreement, messages: Iterable[OutgoingMessage], now: int) -> list[AskedRight]:
    """Everything asked under an agreement, latest first, each with what the agency said until the next one."""
    own = [(message, parse_message(message.token)) for message in messages if message.grant == agreement.number]
    found: list[AskedRight] = []
    for right, kinds in RIGHTS.items():
        sent = {said.iat: message for message, said in own if said.kind == kinds.asked}
        events = [
            event for event in agreement.events if event.kind == "message" and right_of(str(event.reason)) == right
        ]
        starts = [place for place, event in enumerate(events) if event.reason == kinds.asked]
        for place, following in pairwise([*starts, len(events)]):
            asked = events[place]
            message = sent.pop(asked.time or 0, None)
            at_agency = message.at_agency if message else True
            begun = AskedRight(right, asked.time or 0, 0, "waiting", True, at_agency, asked.attributes)
            found.append(_with_answer(begun, events[place + 1 : following], now))
        for time, message in sent.items():
            begun = AskedRight(right, time, 0, "waiting", message.at_log, message.at_agency)
            found.append(_with_answer(begun, (), now))
    return sorted(found, key=lambda each: each.asked_at)[::-1]


def _with_answer(asked: AskedRight, answers: Sequence[VerifiedEvent], now: int) -> AskedRight:
    due, kinds = one_month_after(asked.asked_at), RIGHTS[asked.right]
    final = next((event for event in reversed(answers) if event.reason in kinds.final), None)
    if final is not None:
        answer: Answer = "done" if final.reason == kinds.done else "refused"
        return replace(
            asked, due=due, answer=answer, at_log=True, at_agency=True,
            answered_at=final.time, law=final.law, until=final.until, document=final.document,
        )  # fmt: skip
    if now > due:
        return replace(asked, due=due, answer="late")
    heard = any(event.reason == kinds.acknowledged for event in answers)
    return replace(asked, due=due, answer="acknowledged" if heard else "waiting")


def can_ask(agreement: Agreement, asked: Sequence[AskedRight], right: Right) -> bool:
    """Whether the agency may have something under the agreement, and no earlier request waits for its answer."""
    record = agreement.record
    may_have = record.slot is not None and record.state in ("active", "uncertain", "delivering", "renewing")
    return may_have and not any(each.is_open and each.right == right for each in asked)


def still_open(asked: Iterable[tuple[Agreement, AskedRight]]) -> list[tuple[Agreement, AskedRight]]:
    """Those without a final answer, next to be due first."""
    return sorted((pair for pair in asked if pair[1].is_open), key=lambda pair: pair[1].due)


def letters_of(book: Book) -> list[Agreement]:
    """One agreement of each organisation that may have something, the latest: to write a letter about."""
    latest: dict[str, Agreement] = {}
    for agreement in book.agreements.values():
        if agreement.record.slot is not None and agreement.state != "failed":
            latest.setdefault(agreement.agency, agreement)
    return sorted(latest.values(), key=lambda each: each.agency_name.casefold())
