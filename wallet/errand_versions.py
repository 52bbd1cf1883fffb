"""Versions of one grant in the vault: the newer one takes the place of the one before, which is kept."""

from msgspec.structs import replace

from wallet.opened import OpenWallet
from wallet.records import GrantRecord
from wallet.records_refresh import EarlierVersion, RefreshIntent
from wallet.refresh import renewed_record


def earlier_versions(wallet: OpenWallet, grant_id: str) -> list[EarlierVersion]:
    """The versions of a grant that refreshes replaced, the first one first."""
    found: list[EarlierVersion] = []
    while (each := wallet.vault.get("versions", f"{grant_id}/{len(found) + 1}", EarlierVersion)) is not None:
        found.append(each)
    return found


def take_newer(
    wallet: OpenWallet,
    grant_id: str,
    intent: RefreshIntent,
    *,
    slot: int,
    index: int | None,
    proof: str | None = None,
) -> GrantRecord:
    """From now on the newer version is the agreement; the one before is kept for its entries."""
    record = wallet.grant(grant_id)
    earlier = EarlierVersion(
        grant=grant_id,
        terms=record.body.terms,
        slot=record.slot or 0,
        index=record.index,
        opening_key=record.body.opening_key,
        copies=record.copies,
        ended_at=wallet.now(),
    )
    renewed = replace(renewed_record(record, intent, slot=slot, index=index), proof=proof)
    with wallet.vault.transaction():
        wallet.vault.put("versions", earlier.name, earlier)
        wallet.vault.put("grants", grant_id, renewed)
        wallet.vault.delete("refreshes", grant_id)
    return renewed


def drop_intent(wallet: OpenWallet, grant_id: str) -> None:
    """The log will never take it, so there is no newer version."""
    with wallet.vault.transaction():
        wallet.vault.delete("refreshes", grant_id)
