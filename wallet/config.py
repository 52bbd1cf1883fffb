"""`config.json` of a wallet's home: whom it trusts. Everything else is in the vault."""

from typing import Any

import msgspec

VAULT = "wallet.db"
OUTBOX = "outbox.json"
"""Revocations by paper code that could not be delivered: they need no passphrase."""


class WalletConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`trust_list`: path or URL; `registrar`: the public JWK that signs it, pinned."""

    role: str
    trust_list: str
    registrar: dict[str, Any]


class Outbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For each paper code its secrets r_1, r_2 ... (b64u); they can end its grants and do nothing else."""

    codes: list[list[str]] = []
