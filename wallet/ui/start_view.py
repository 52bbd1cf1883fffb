"""What the first page counts: rules of values alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from protocol.attributes import FLAG_NAMES
from wallet.card import card_names, claims_of
from wallet.records import Copy
from wallet.ui.book import Book, reads_since

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@dataclass(frozen=True)
class Numbers:
    """`data`: values on cards, each once; `agreements` that run; `reads` known since the month began."""

    cards: int
    data: int
    agreements: int
    reads: int


def count(copies: Mapping[str, Copy], book: Book, now: int) -> Numbers:
    """The numbers of a wallet now."""
    newest: dict[str, Copy] = {}
    for name, card in card_names(copies).items():
        if card not in newest or copies[name].iat > newest[card].iat:
            newest[card] = copies[name]
    data = sum(sum(name not in FLAG_NAMES for name in claims_of(copy)) for copy in newest.values())
    running = sum(not agreement.is_over for agreement in book.agreements.values())
    return Numbers(len(newest), data, running, reads_since(book.lines, month_began(now)))


def month_began(now: int) -> int:
    """Midnight of the first of this month in Amsterdam, POSIX seconds."""
    local = datetime.fromtimestamp(now, _AMSTERDAM)
    return int(local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())
