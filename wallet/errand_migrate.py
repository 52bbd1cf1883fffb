"""Moving to a wallet of any maker and from one: the migration object of EUDI TS10, out and in.

Going out it holds the list of cards, those bound to no key, and the transaction log, under a password. Coming in,
cards that are bound to nobody are verified as on the day they were issued; the others the resident asks for anew;
the log is kept apart, as what another wallet said. Agreements do not move: their codes are keys of this wallet, so
they are stopped by its stop paper, or go along in a backup to a wallet of this kind.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.formats import FORMATS, VerifiedContent, credential_format
from wallet.card import claims_of
from wallet.errand_transactions import transaction_log
from wallet.jwe_password import decrypt, encrypt
from wallet.migration import IssuerOf, NonDeviceBoundCredential, Wanted, make_migration, read_migration
from wallet.opened import OpenWallet
from wallet.receive import find_source
from wallet.records import Access, Copy
from wallet.seed import BATCH_BYTES

_LOG, _SETTINGS, _WANTED = "moved", "settings", "moved_wanted"


class WantedCards(msgspec.Struct, frozen=True):
    """What migration objects named and this wallet had to ask for. `moved_at`: the last import, POSIX seconds."""

    cards: list[Wanted]
    moved_at: int


@dataclass(frozen=True)
class Moved:
    """What came of an import. `refused`: codes of cards that were not taken; `transactions`: how many are new."""

    wanted: tuple[Wanted, ...]
    copied: int
    refused: tuple[str, ...]
    transactions: int


def export_migration(wallet: OpenWallet, password: bytes) -> str:
    """The migration object of this wallet, a compact JWE. Raises `Rejected`: `weak_passphrase`, `too_large`."""
    copies = list(wallet.copies().values())
    transactions = [*imported_transactions(wallet), *transaction_log(wallet)]
    data = make_migration(copies, _claim_names(copies), _issuers(wallet, copies), transactions)
    return encrypt(msgspec.json.encode(data), password, wallet.random)


def _claim_names(copies: list[Copy]) -> dict[str, list[str]]:
    """Of our vocabulary every attribute; of a stranger's type what its first card shows. Never a value."""
    names: dict[str, list[str]] = {}
    for copy in copies:
        known = CREDENTIAL_TYPES.get(copy.vct)
        names.setdefault(copy.vct, list(known.names) if known else sorted(claims_of(copy)))
    return names


def _issuers(wallet: OpenWallet, copies: list[Copy]) -> dict[str, IssuerOf]:
    """Names by the trust list of now; an issuer that has left it goes by its host, as nobody's word."""
    trust = wallet.trust_list()
    points = {
        iss: access.issuer for access in wallet.vault.all("accesses", Access).values() for iss in access.signed_by
    }
    found = {}
    for iss in {copy.issuer for copy in copies}:
        point = points.get(iss, iss)
        try:
            source = find_source(point, trust)
            found[iss] = IssuerOf(source.name, point, source.is_listed)
        except Rejected:
            found[iss] = IssuerOf(urlsplit(iss).netloc or iss, point, is_listed=False)
    return found


def import_migration(wallet: OpenWallet, token: str, password: bytes) -> Moved:
    """Take in what another wallet wrote, all of it in one transaction, and again without doubling anything.

    Nothing of it is believed: a card counts by its issuer's signature, and one that is bound to some key, which
    can only be another wallet's, is refused.
    Raises `Rejected`: `bad_migration`, `too_large`, `wrong_passphrase`; `Unavailable`: `trust_list`.
    """
    migration = read_migration(decrypt(token, password))
    known = wallet.vault.all(_LOG, msgspec.Raw)
    fresh = {str(each["transactionIdentifier"]): each for each in migration.transactions}
    copies, refused = _take(wallet, migration.unbound)
    cards = list(dict.fromkeys([*wanted_cards(wallet), *migration.wanted]))
    with wallet.vault.transaction():
        for copy in copies:
            wallet.vault.put("copies", f"{copy.batch}.0", copy)
        for name, transaction in fresh.items():
            if name not in known:
                wallet.vault.put(_LOG, name, msgspec.Raw(msgspec.json.encode(transaction)))
        wallet.vault.put(_SETTINGS, _WANTED, WantedCards(cards, wallet.now()))
    return Moved(migration.wanted, len(copies), tuple(refused), len(fresh.keys() - known.keys()))


def _take(wallet: OpenWallet, found: tuple[NonDeviceBoundCredential, ...]) -> tuple[list[Copy], list[str]]:
    held = {copy.credential for copy in wallet.copies().values()}
    copies, refused = [], []
    for each in {one.credential: one for one in found}.values():
        if each.credential in held:
            continue
        try:
            copies.append(_copy_of(wallet, each))
        except Rejected as error:
            refused.append(error.code)
    return copies, refused


def _copy_of(wallet: OpenWallet, found: NonDeviceBoundCredential) -> Copy:
    """A card that is its issuer's word and nobody's own. Raises `Rejected`: `bad_format`, `bound_credential` and
    those of `verify_issued`.
    """
    if found.format not in FORMATS:
        raise Rejected("bad_format", "this wallet does not know the format of this card")
    content = credential_format(found.format).verify_issued(found.credential, wallet.trust_list(), wallet.now())
    if content.holder is not None or content.mandate is not None or content.vct in CREDENTIAL_TYPES:
        raise Rejected("bound_credential", "this card belongs to the keys of another wallet; ask for it anew")
    return Copy(
        issuer=content.iss,
        configuration=_short_name(content),
        vct=content.vct,
        set_id="",
        batch=b64u_encode(wallet.random(BATCH_BYTES)),
        number=0,
        credential=found.credential,
        iat=content.iat,
        exp=content.exp,
        received=wallet.now(),
        format=found.format,
        is_bound=False,
    )


def _short_name(content: VerifiedContent) -> str:
    """What the card is called by: the issuer's own name for it is not in the file."""
    words = [word for word in re.split(r"[^a-z0-9]+", content.vct.lower()) if word and not word.isdigit()]
    return (words[-1] if words else "card")[:64]


def wanted_cards(wallet: OpenWallet) -> list[Wanted]:
    """Cards that a former wallet had, as its migration object says."""
    kept = wallet.vault.get(_SETTINGS, _WANTED, WantedCards)
    return kept.cards if kept else []


def missing_cards(wallet: OpenWallet) -> list[Wanted]:
    """Those of them that are not here yet."""
    held = {copy.vct for copy in wallet.copies().values() if copy.mandate is None}
    return [each for each in wanted_cards(wallet) if each.vct not in held]


def imported_transactions(wallet: OpenWallet) -> list[Mapping[str, Any]]:
    """The log of former wallets, oldest first: what they said, which no log of ours proves."""
    found = [msgspec.json.decode(raw) for raw in wallet.vault.all(_LOG, msgspec.Raw).values()]
    return sorted(found, key=lambda each: (each["time"], each["transactionIdentifier"]))
