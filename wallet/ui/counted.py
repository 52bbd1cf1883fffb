"""The trust list where a page only wants a name of it: without it the page shows a number instead."""

from protocol.errors import Unavailable
from protocol.trust_list import TrustList
from wallet.opened import OpenWallet


def listed(wallet: OpenWallet) -> TrustList | None:
    """The list in force, if it can be had."""
    try:
        return wallet.trust_list()
    except Unavailable:
        return None
