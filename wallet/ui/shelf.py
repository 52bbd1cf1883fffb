"""The book of the open wallet: made of its vault, and kept in memory until something in the vault changes."""

from typing import cast

from wallet.kept_history import HistoryPart
from wallet.opened import OpenWallet
from wallet.records import Activity, Evidence, OutgoingMessage
from wallet.ui import book
from wallet.ui.book import Agreement, Book
from wallet.ui.rights_view import AskedRight, asked_of
from wallet.ui.session import Keeper, keeper

_BOOK = "book"


def read_book(wallet: OpenWallet, before: Book | None = None) -> Book:
    """Out of the vault; what has not changed since `before` is taken from there."""
    vault = wallet.vault
    return book.make_book(
        wallet.grants(),
        vault.all("histories", HistoryPart),
        vault.all("activities", Activity),
        vault.all("messages", OutgoingMessage).values(),
        vault.all("evidence", Evidence).values(),
        wallet.now(),
        before,
    )


def book_of(wallet: OpenWallet, holder: Keeper | None = None) -> Book:
    """The same, remembered: with hundreds of agreements and thousands of reads too pages open at once."""
    memory = (holder or keeper()).memory
    known = cast(tuple[int, Book] | None, memory.get(_BOOK))
    if known is not None and known[0] == wallet.vault.counter:
        until = known[1].valid_until
        if until is None or wallet.now() < until:
            return known[1]
    made = read_book(wallet, known[1] if known else None)
    memory[_BOOK] = (wallet.vault.counter, made)
    return made


def reads_since(wallet: OpenWallet, since: int) -> int:
    """How many reads this wallet knows of since a moment, POSIX seconds."""
    return book.reads_since(book_of(wallet).lines, since)


def asked(wallet: OpenWallet, agreement: Agreement) -> list[AskedRight]:
    """Everything asked of rights under an agreement, latest first."""
    return asked_of(agreement, wallet.vault.all("messages", OutgoingMessage).values(), wallet.now())


def all_asked(wallet: OpenWallet, book: Book) -> list[tuple[Agreement, AskedRight]]:
    """Everything ever asked of rights, with its agreement."""
    messages = list(wallet.vault.all("messages", OutgoingMessage).values())
    sent = {message.grant for message in messages}
    may_have = [one for number, one in book.agreements.items() if one.record.seen.messages or number in sent]
    return [(one, each) for one in may_have for each in asked_of(one, messages, wallet.now())]
