"""The resident's cards: copies of one credential under one name, whoever issued it.

Of a type of our vocabulary a resident has one card from each issuer; copies differ in age only. A stranger may
issue two of one kind (two diplomas), so there a card is what its copies say.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from protocol.dcql import Card
from protocol.formats import credential_format
from wallet.records import Copy


@dataclass(frozen=True)
class CardKey:
    """What makes two copies one card. `contents`: hash of what it says; empty for types of our vocabulary."""

    issuer: str
    configuration: str
    contents: str = ""


def card_of(copy: Copy) -> Card:
    """What a copy could show. It was verified when it was received and sealed since."""
    return credential_format(copy.format).read_card(copy.credential)


def claims_of(copy: Copy) -> Mapping[str, Any]:
    """Values by attribute name, nested ones in their place."""
    return card_of(copy).claims


def key_of_card(copy: Copy) -> CardKey:
    """Which card this is a copy of."""
    if copy.set_id:
        return CardKey(copy.issuer, copy.configuration)
    contents = hashlib.sha256(msgspec.json.encode(claims_of(copy), order="sorted")).hexdigest()
    return CardKey(copy.issuer, copy.configuration, contents)


def card_names(copies: Mapping[str, Copy]) -> dict[str, str]:
    """The name of its card, for the name of each copy: `adres`; `diploma@uni.example` where two issuers have one
    of that kind; `diploma@uni.example#2` for the second of one issuer, by the time at which they came.
    """
    keys = {name: key_of_card(copy) for name, copy in copies.items()}
    since: dict[CardKey, tuple[int, str]] = {}
    for name, copy in copies.items():
        since[keys[name]] = min(since.get(keys[name], (copy.received, name)), (copy.received, name))
    ordered = sorted(since, key=lambda key: since[key])
    kinds = [key.configuration for key in ordered]
    named = {}
    for key in ordered:
        full = f"{key.configuration}@{urlsplit(key.issuer).netloc or key.issuer}"
        alike = [
            other for other in ordered if (other.issuer, other.configuration) == (key.issuer, key.configuration)
        ]
        number = alike.index(key) + 1
        named[key] = (
            key.configuration
            if kinds.count(key.configuration) == 1
            else full
            if number == 1
            else f"{full}#{number}"
        )
    return {name: named[key] for name, key in keys.items()}
