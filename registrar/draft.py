"""The draft of the trust list, and what every entry of it has to be."""

import unicodedata
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from protocol.errors import Rejected
from protocol.names import check_name
from protocol.trust_list import Agency, TrustedIssuer, TrustedLog, TrustedWitness, WalletProvider
from registrar.roots import check_root
from service.address import parse_url

E = TypeVar("E")


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the next list will say; `version` is that of the list signed last, 0 for none."""

    name: str
    version: int = 0
    issuers: list[TrustedIssuer] = []
    agencies: list[Agency] = []
    logs: list[TrustedLog] = []
    witnesses: list[TrustedWitness] = []
    wallet_providers: list[WalletProvider] = []
    registration_roots: list[str] = []


def new_draft(name: str) -> Draft:
    """An empty draft of the registrar called `name`. Raises `Rejected`: `bad_text`."""
    check_text(name, "the registrar's name")
    return Draft(name)


def put(entries: Iterable[E], entry: E, key: Callable[[E], str]) -> list[E]:
    """With `entry` in the place of the one of the same key, or at the end."""
    found = {key(old): old for old in entries}
    found[key(entry)] = entry
    return list(found.values())


def check_text(text: str, what: str) -> None:
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise Rejected("bad_text", f"{what} is blank, or has control characters or spaces around it")


def check_party_name(name: str) -> None:
    """What residents are shown of a party. Raises `Rejected`: `bad_text`, `misleading_name`."""
    check_text(name, "the name of a party")
    if unicodedata.normalize("NFKC", check_name(name)) != name:
        raise Rejected("bad_text", "the name of a party has one spelling, that of Unicode's NFKC")


def check_url(url: str) -> None:
    # Loopback is right on a developer's machine; whoever fetches it decides again.
    parse_url(url, loopback=True)


def check_roots(draft: Draft, owner: str, roots: list[str], now: int) -> None:
    """Each root signs itself, is a CA in force, and belongs to one party: else one could pose as the other.

    `owner`: kind and id. Raises `Rejected`: `bad_root`, `root_taken` and those of `check_root`.
    """
    taken = {root for party, theirs in owned_roots(draft) if party != owner for root in theirs}
    if len(set(roots)) != len(roots):
        raise Rejected("bad_root", "a root is named twice")
    for root in roots:
        if root in taken:
            raise Rejected("root_taken", "this root belongs to another party of the list")
        check_root(root, now)


def owned_roots(draft: Draft) -> list[tuple[str, list[str]]]:
    """(kind and id, roots) of everybody who is recognised by a root."""
    return [
        *((f"issuer {entry.id}", entry.roots) for entry in draft.issuers),
        *((f"agency {entry.id}", entry.roots) for entry in draft.agencies),
        *((f"wallet-provider {entry.id}", entry.roots) for entry in draft.wallet_providers),
        ("registration", draft.registration_roots),
    ]
