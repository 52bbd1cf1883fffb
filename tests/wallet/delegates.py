"""A wallet that holds a mandate, put into its vault as `take_mandate` does it."""

from typing import Any

from msgspec.structs import replace

from protocol.canonical import b64u_encode, sha256
from protocol.mandate import VerifiedMandate, mandate_hash, verify_mandate
from protocol.status_list import StatusReference
from tests.protocol import builders, mandates
from tests.protocol.builders import ADRES, ISSUER_ID, NOW, PERSOON
from wallet.opened import OpenWallet
from wallet.records import Copy
from wallet.records_mandate import MandateRecord
from wallet.seed import holder_key

NAME = "Sem Verhulst"
CARDS = {"adres": ADRES, "persoon": PERSOON}


def verified(token: str, now: int = NOW) -> VerifiedMandate:
    return verify_mandate(token, builders.TRUST, now)


def record_of(token: str, *, party: int = 1, **changes: Any) -> MandateRecord:
    mandate = verified(token).mandate
    made = MandateRecord(
        number=1,
        token=token,
        issuer=ISSUER_ID,
        id=mandate.id,
        seed=b64u_encode(mandates.SEED),
        party=party,
        kind="ouder",
        name=NAME,
        until=mandate.until,
        taken_at=NOW,
    )
    return replace(made, **changes)


def hold(wallet: OpenWallet, token: str, *, party: int = 1, copies: int = 3, **changes: Any) -> str:
    """Keep the mandate and copies of both cards under it; its hash, b64u. `changes`: of the credentials."""
    key = b64u_encode(mandate_hash(token))
    number = len(wallet.mandates()) + 1
    with wallet.vault.transaction():
        wallet.keep_mandate(key, record_of(token, party=party, number=number))
        for card, vct in CARDS.items():
            for index in range(copies):
                _keep_copy(wallet, token, key, card, vct, index, party, changes)
    return key


def _keep_copy(
    wallet: OpenWallet, token: str, key: str, card: str, vct: str, index: int, party: int, changes: dict[str, Any]
) -> None:
    batch = b64u_encode(sha256(f"batch {key} {card} {party}".encode())[:16])
    members: dict[str, Any] = {
        "holder": holder_key(wallet.secrets(), batch, index).public,
        "set_id": builders.set_id(f"set {key} {party} {index}"),
        "random": builders.random_of(f"{key} {card} {party} {index}"),
        "status": StatusReference(idx=90_000 + 10 * index + party, uri=builders.STATUS_URI),
    }
    credential = mandates.card(token, vct, party=party, **{**members, **changes})
    name = f"{batch}.{index}"
    copy = Copy(
        issuer=ISSUER_ID,
        configuration=card,
        vct=vct,
        set_id=members["set_id"],
        batch=batch,
        number=index,
        credential=credential,
        iat=NOW,
        exp=NOW + 365 * builders.DAY,
        received=NOW,
        mandate=key,
    )
    wallet.vault.put("copies", name, copy)
