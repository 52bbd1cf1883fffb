"""Whether the cards still count: verified anew under today's trust list, looked up in their issuers' status lists.

A status list is one file for half a million copies: who fetches it tells the issuer nothing about whom. What was
revoked is revoked for ever (VCR_04), so copies that nobody has seen are thrown away and `refill` brings new ones.
A list that cannot be had or trusted says nothing, and nothing is thrown away for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import RegieError, Rejected
from protocol.formats import VerifiedContent, credential_format
from protocol.status_list import INVALID, SUPERSEDED, VALID, StatusList, verify_status_token
from protocol.trust_list import TrustList
from wallet.opened import OpenWallet
from wallet.records import Copy

Standing: TypeAlias = Literal["valid", "superseded", "revoked", "suspended", "untrusted", "unknown"]
"""`superseded`: good, but the register has changed since (`errand_renew`);
`untrusted`: expired, or of an issuer that is not trusted (any more); `unknown`: the list says nothing."""


@dataclass(frozen=True)
class CheckedCard:
    """The copies of one card by what was found. `thrown`: revoked copies that were thrown away unspent.

    `mandate`: the hash of the mandate that the card may be used under; None for the resident's own.
    """

    card: str
    issuer: str
    copies: Mapping[Standing, int]
    thrown: int
    mandate: str | None = None


def check_cards(wallet: OpenWallet) -> list[CheckedCard]:
    """Every copy in the vault: 1. verified as on the day it came; 2. its place in a list that its issuer signed;
    3. revoked copies that nobody has seen leave the vault.

    Raises `Unavailable` without a trust list.
    """
    copies, found = wallet.copies(), find_standings(wallet)  # 1., 2.
    thrown = [name for name, standing in found.items() if standing == "revoked" and copies[name].agency is None]
    with wallet.vault.transaction():  # 3.
        for name in thrown:
            wallet.vault.delete("copies", name)
    cards: dict[tuple[str, str, str], list[str]] = {}
    for name, copy in copies.items():
        cards.setdefault((copy.configuration, copy.issuer, copy.mandate or ""), []).append(name)
    return [
        CheckedCard(
            card,
            issuer,
            _count([found[name] for name in names]),
            sum(name in thrown for name in names),
            mandate or None,
        )
        for (card, issuer, mandate), names in sorted(cards.items())
    ]


def find_standings(wallet: OpenWallet) -> dict[str, Standing]:
    """How every copy stands, by record name; each status list is fetched once. Raises `Unavailable`."""
    trust = wallet.trust_list()
    lists: dict[tuple[str, tuple[bytes, ...]], StatusList | None] = {}
    return {name: _standing(wallet, copy, trust, lists) for name, copy in wallet.copies().items()}


def is_revoked(wallet: OpenWallet, copies: Iterable[Copy]) -> bool:
    """Whether one of them is known to be taken back; a list that cannot be had says nothing. Raises `Unavailable`
    without a trust list.
    """
    trust = wallet.trust_list()
    lists: dict[tuple[str, tuple[bytes, ...]], StatusList | None] = {}
    return any(_standing(wallet, copy, trust, lists) == "revoked" for copy in copies)


def _count(standings: list[Standing]) -> dict[Standing, int]:
    return {standing: standings.count(standing) for standing in dict.fromkeys(standings)}


def _standing(
    wallet: OpenWallet,
    copy: Copy,
    trust: TrustList,
    lists: dict[tuple[str, tuple[bytes, ...]], StatusList | None],
) -> Standing:
    try:
        content = credential_format(copy.format).verify_issued(copy.credential, trust, wallet.now())
    except Rejected:
        return "untrusted"
    if content.status is None:
        return "valid"
    place = (content.status.uri, content.status_roots)
    if place not in lists:
        lists[place] = _fetch(wallet, content)
    listed = lists[place]
    try:
        status = None if listed is None else listed.status(content.status.idx)
    except Rejected:
        status = None
    if status is None:
        return "unknown"
    if status == SUPERSEDED and content.is_listed:
        return "superseded"
    return "valid" if status == VALID else "revoked" if status == INVALID else "suspended"


def _fetch(wallet: OpenWallet, content: VerifiedContent) -> StatusList | None:
    """The list of one address, signed under the issuer's roots; None when it cannot be had or trusted."""
    if content.status is None:
        return None
    uri = content.status.uri
    try:
        token = wallet.peers.status_token(uri)
        return verify_status_token(token, uri=uri, roots=content.status_roots, now=wallet.now())
    except RegieError:
        return None
