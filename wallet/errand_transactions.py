"""The transaction log of this wallet, made of what it keeps; for its resident, or for the next wallet."""

from collections.abc import Iterator
from typing import Any

from wallet.config import WalletConfig
from wallet.opened import OpenWallet
from wallet.records import Activity, GrantRecord, OutgoingMessage
from wallet.transactions import (
    activity_transaction,
    grant_transaction,
    issuance_transactions,
    message_transaction,
    stop_transaction,
)


def transaction_log(wallet: OpenWallet) -> list[dict[str, Any]]:
    """TS10's TransactionLog, oldest first. Works without a network."""
    return sorted(_all(wallet), key=lambda each: (each["time"], each["transactionIdentifier"]))


def _all(wallet: OpenWallet) -> Iterator[dict[str, Any]]:
    grants, registrar = wallet.grants(), _registrar(wallet)
    for record in grants.values():
        yield grant_transaction(record, registrar)
        stop = stop_transaction(record)
        if stop is not None:
            yield stop
    for activity in wallet.activities():
        yield activity_transaction(activity, registrar)
    for sent in wallet.vault.all("messages", OutgoingMessage).values():
        if sent.grant in grants:
            yield message_transaction(sent, grants[sent.grant])
    yield from issuance_transactions(wallet.copies().values())


def transaction_of(wallet: OpenWallet, subject: GrantRecord | Activity) -> dict[str, Any]:
    """The one entry about an agreement, a copy or a request: an excerpt for a complaint (RPT_DPA_04)."""
    if isinstance(subject, GrantRecord):
        return grant_transaction(subject, _registrar(wallet))
    return activity_transaction(subject, _registrar(wallet))


def _registrar(wallet: OpenWallet) -> str:
    """Where the trust list comes from, when that is an address."""
    place = wallet.home.config(WalletConfig).trust_list
    return place if place.startswith(("https://", "http://")) else ""
