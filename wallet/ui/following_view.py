"""Whether there are newer data than an agreement holds, as its page shows it."""

from dataclasses import dataclass

from wallet.errand_refresh import is_refreshing
from wallet.opened import OpenWallet
from wallet.refresh import is_public_body, is_secret, newer_copies
from wallet.ui.book import Agreement


@dataclass(frozen=True)
class Newer:
    """Newer data for an agreement. `is_secret`: the register keeps them secret, and the receiver is no public
    body, so that it takes a second yes.
    """

    one: Agreement
    is_secret: bool


def newer_of(wallet: OpenWallet, one: Agreement) -> Newer | None:
    """What could be sent under an agreement that runs; None when what was given is the newest."""
    record = one.record
    chosen = None if one.is_over else newer_copies(record, wallet.copies())
    if is_refreshing(wallet, one.number):
        return Newer(one, is_secret=False)
    if chosen is None or record.state != "active" or not record.request or record.body.terms.on_behalf_of:
        return None
    return Newer(one, is_secret(chosen) and not is_public_body(record.agency))
