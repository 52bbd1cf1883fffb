"""A home that trusts one foreign issuer, and what tests of receiving compare before and after."""

from typing import Any

import msgspec
import pytest

from protocol.errors import RegieError
from tests.conformance.foreign_issuer import TX_CODE, ForeignIssuer, browse
from tests.conformance.held_cards import Holder
from wallet.errand_receive import Received, receive
from wallet.loopback import LoopbackBrowser
from wallet.opened import OpenWallet


def trusting(holder: Holder, issuer: ForeignIssuer, **changes: Any) -> None:
    """Write `anchors.json`; `changes` are members of the issuer's entry, `wallet_providers` of the file."""
    providers = changes.pop("wallet_providers", None)
    anchors = issuer.anchors(**changes)
    if providers is not None:
        anchors["wallet_providers"] = providers
    holder.home.file("anchors.json").write_bytes(msgspec.json.encode(anchors))


def fetch(wallet: OpenWallet, link: str, *, seconds: float = 10, show: Any = browse) -> list[Received]:
    """Take up an offer, logging in where that is asked."""
    browser = LoopbackBrowser(show, wallet.random, seconds=seconds)
    try:
        return receive(wallet, link, TX_CODE, browser)
    finally:
        browser.close()


def refuses(wallet: OpenWallet, link: str, code: str, **options: Any) -> RegieError:
    """The refusal; the vault is what it was."""
    before = wallet.vault.export()
    with pytest.raises(RegieError) as refusal:
        fetch(wallet, link, **options)
    assert refusal.value.code == code, refusal.value
    assert wallet.vault.export() == before
    return refusal.value
