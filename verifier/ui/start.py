"""The first page: what waits, the oldest first."""

from dataclasses import dataclass

from flask import Blueprint, render_template

from protocol.reading import one_month_after
from service.ui.staff import has_role
from verifier.book import Helped
from verifier.lists import Counts, GrantLine, RequestLine
from verifier.seen import Asked
from verifier.ui.room import desk

pages = Blueprint("start", __name__)
SHOWN = 5
"""Lines of each kind; the lists have all of them."""


@dataclass(frozen=True)
class Work:
    """What waits for whoever has signed in; lists that are not for this role are empty."""

    now: int
    is_officer: bool
    is_overseer: bool
    counts: Counts
    open: list[RequestLine]
    copies: list[RequestLine]
    unread: list[GrantLine]
    unconfirmed: list[Helped]
    rights: list[Asked]

    @property
    def next_due(self) -> int | None:
        """Until when the first request of a resident is answered."""
        return one_month_after(self.rights[0].received) if self.rights else None

    @property
    def is_done(self) -> bool:
        """Whether nothing waits."""
        return not (self.open or self.copies or self.unread or self.unconfirmed or self.rights)


def work() -> Work:
    """As the store has it now."""
    store, now = desk().store, desk().now()
    asks, oversees = has_role("clerk", "manager"), has_role("manager", "privacy")
    return Work(
        now,
        asks,
        oversees,
        store.lists.counts(now),
        store.lists.open_requests(now, SHOWN) if asks else [],
        store.lists.copies(SHOWN) if asks else [],
        store.lists.unread(now, SHOWN) if asks else [],
        store.book.unconfirmed(SHOWN) if asks else [],
        [each for each in store.seen.asked() if each.answer is None] if oversees else [],
    )


@pages.get("/")
def index() -> str:
    """Numbers, then what waits."""
    return render_template("verifier/start.html", work=work())


@pages.get("/numbers")
def numbers() -> str:
    """The part of the page that changes."""
    return render_template("verifier/start_work.html", work=work())
