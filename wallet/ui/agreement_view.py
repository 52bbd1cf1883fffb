"""What the pages of agreements show: which ones, how long they still last, what may still happen. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wallet.ui.book import Agreement, Line

PAGE = 12
"""Agreements of one page: as many as fit a phone in a few turns of the thumb."""
LATEST = 5
"""Lines on the page of an agreement; all of them are with the activities."""
DAY = 86400
SOON = 30 * DAY
"""When an agreement is said to end soon, in seconds before."""


@dataclass(frozen=True)
class Listing:
    """One page of agreements: `number` from 1 of `pages`; how many are active, and how many are over."""

    shown: tuple[Agreement, ...]
    number: int
    pages: int
    active: int
    over: int


@dataclass(frozen=True)
class Shown:
    """One agreement on its page. `latest`: what happened last; `more`: how many lines there are besides."""

    agreement: Agreement
    is_running: bool
    is_unsure: bool
    left: int
    ends_soon: bool
    reads_left: int | None
    latest: tuple[Line, ...]
    more: int
    siblings: int

    @property
    def days_left(self) -> int:
        """Seconds in whole days, up, so that the last day counts."""
        return -(-self.left // DAY) * DAY


def listing_of(agreements: Iterable[Agreement], *, over: bool, text: str, page: int, size: int = PAGE) -> Listing:
    """The active ones, next to end first, or those that are over, latest first; with `text` in who or what for."""
    found = [each for each in agreements if _has(each, text)]
    ended = [each for each in found if each.is_over]
    active = sorted((each for each in found if not each.is_over), key=lambda each: each.end)
    chosen = ended if over else active
    pages = max(1, -(-len(chosen) // size))
    number = min(max(1, page), pages)
    return Listing(tuple(chosen[(number - 1) * size : number * size]), number, pages, len(active), len(ended))


def _has(agreement: Agreement, text: str) -> bool:
    if not text:
        return True
    about = agreement.record.about
    names = [agreement.agency_name, agreement.record.service, agreement.number]
    names += [about.name.nl, about.name.en] if about else []
    whole = " ".join(names).casefold()
    return all(word in whole for word in text.casefold().split())


def shown(agreement: Agreement, now: int, *, lines: Sequence[Line] = (), siblings: int = 0) -> Shown:
    """One agreement with its `lines`, newest first; `siblings`: running ones with the same organisation."""
    limit = agreement.record.body.terms.max_reads
    left = max(0, agreement.end - now)
    return Shown(
        agreement,
        is_running=not agreement.is_over,
        is_unsure=agreement.state in ("delivering", "uncertain"),
        left=left,
        ends_soon=not agreement.is_over and left < SOON,
        reads_left=None if limit is None else max(0, limit - agreement.reads),
        latest=tuple(lines[:LATEST]),
        more=max(0, len(lines) - LATEST),
        siblings=siblings,
    )


def running_with(agency: str, agreements: Iterable[Agreement]) -> list[Agreement]:
    """Every agreement with one organisation that is not over; what is stopped by "stop all"."""
    return [each for each in agreements if each.agency == agency and not each.is_over]


def siblings_of(agreement: Agreement, others: Iterable[Agreement]) -> int:
    """How many others with the same organisation still run."""
    return len(running_with(agreement.agency, others)) - (not agreement.is_over)


def confirmed(agreements: Sequence[Agreement]) -> int:
    """How many of these stops the log has confirmed, or never had to."""
    return sum(each.state in ("stopped", "failed") for each in agreements)
