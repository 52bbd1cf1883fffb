"""What the resident set in the app, and what they have been told: sealed in the vault, in table `settings`."""

import msgspec

from wallet.opened import OpenWallet
from wallet.ui.notices import Told

_TABLE, _PREFERENCES, _TOLD = "settings", "preferences", "told"
IDLE_MINUTES = (5, 15, 30, 60)


class Preferences(msgspec.Struct, frozen=True):
    """`idle_minutes`: before the wallet locks itself; `backed_up_at`: POSIX seconds, None when never here."""

    idle_minutes: int = 15
    backed_up_at: int | None = None


def preferences(wallet: OpenWallet) -> Preferences:
    """As kept, or as at first."""
    return wallet.vault.get(_TABLE, _PREFERENCES, Preferences) or Preferences()


def keep_preferences(wallet: OpenWallet, value: Preferences) -> None:
    """Durably."""
    with wallet.vault.transaction():
        wallet.vault.put(_TABLE, _PREFERENCES, value)


def told(wallet: OpenWallet) -> Told:
    """As kept; nothing at first."""
    return wallet.vault.get(_TABLE, _TOLD, Told) or Told()


def keep_told(wallet: OpenWallet, value: Told) -> None:
    """Durably."""
    with wallet.vault.transaction():
        wallet.vault.put(_TABLE, _TOLD, value)
