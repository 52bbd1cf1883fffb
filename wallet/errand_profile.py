"""The resident's profile, sealed in the vault, in table `settings`."""

from wallet.opened import OpenWallet
from wallet.profile import AS_AT_FIRST, Profile

_TABLE, _PROFILE = "settings", "profile"


def profile_of(wallet: OpenWallet) -> Profile:
    """As chosen, or as at first."""
    return wallet.vault.get(_TABLE, _PROFILE, Profile) or AS_AT_FIRST


def keep_profile(wallet: OpenWallet, value: Profile) -> None:
    """Durably. What was agreed before stays as it was agreed."""
    with wallet.vault.transaction():
        wallet.vault.put(_TABLE, _PROFILE, value)
