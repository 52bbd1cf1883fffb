"""The transaction log of this wallet, made of what it keeps; for its resident, or for the next wallet."""

from typing import Any

from wallet.config import WalletConfig
from wallet.opened import OpenWallet
from wallet.transactions import activity_transaction, grant_transaction


def transaction_log(wallet: OpenWallet) -> list[dict[str, Any]]:
    """TS10's TransactionLog, oldest first. Works without a network."""
    place = wallet.home.config(WalletConfig).trust_list
    registrar = place if place.startswith(("https://", "http://")) else ""
    found = [grant_transaction(record, registrar) for record in wallet.grants().values()]
    found += [activity_transaction(activity, registrar) for activity in wallet.activities()]
    return sorted(found, key=lambda each: (each["time"], each["transactionIdentifier"]))
