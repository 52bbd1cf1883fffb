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

from protocol.attributes import CREDENTIAL_TYPES
from protocol.credential import split_sd_jwt
from protocol.dcql import Card
from protocol.formats import credential_format
from protocol.issuer_jwt import read_payload
from protocol.issuer_payload import base_type
from protocol.names import visible
from wallet.records import Copy


@dataclass(frozen=True)
class CardKey:
    """What makes two copies one card. `contents`: hash of what it says; empty for types of our vocabulary.

    `mandate`: of a card of somebody else, the hash of the mandate that it may be used under.
    """

    issuer: str
    configuration: str
    contents: str = ""
    mandate: str | None = None


def card_of(copy: Copy) -> Card:
    """What a copy could show. It was verified when it was received and sealed since."""
    return credential_format(copy.format).read_card(copy.credential)


def claims_of(copy: Copy) -> Mapping[str, Any]:
    """Values by attribute name, nested ones in their place."""
    return card_of(copy).claims


def assurance_of(copy: Copy) -> str | None:
    """How surely the issuer knew whose card it is: `low`, `substantial` or `high`; None of other vocabularies."""
    if base_type(copy.vct) not in CREDENTIAL_TYPES:
        return None
    payload, _ = read_payload(split_sd_jwt(copy.credential).jwt)
    level = payload.get("loa")
    return level if isinstance(level, str) else None


def always_shown(copy: Copy) -> list[str]:
    """Names of what goes along whenever this card is shown, asked or not; of our own vocabulary none."""
    return [visible(name) for name in credential_format(copy.format).always_shown(copy.credential)]


def key_of_card(copy: Copy) -> CardKey:
    """Which card this is a copy of."""
    if copy.set_id:
        return CardKey(copy.issuer, copy.configuration, mandate=copy.mandate)
    contents = hashlib.sha256(msgspec.json.encode(claims_of(copy), order="sorted")).hexdigest()
    return CardKey(copy.issuer, copy.configuration, contents)


def card_names(copies: Mapping[str, Copy]) -> dict[str, str]:
    """The name of its card, for the name of each copy: `adres`; `diploma@uni.example` where two issuers have one
    of that kind; `diploma@uni.example#2` for the second of one issuer, by the time at which they came. Cards under
    a mandate are called apart: `adres-namens`.
    """
    keys = {name: key_of_card(copy) for name, copy in copies.items()}
    since: dict[CardKey, tuple[int, str]] = {}
    for name, copy in copies.items():
        since[keys[name]] = min(since.get(keys[name], (copy.received, name)), (copy.received, name))
    ordered = sorted(since, key=lambda key: since[key])
    kinds = [visible(key.configuration) + ("-namens" if key.mandate else "") for key in ordered]
    full = [f"{kind}@{_place(key.issuer)}" for kind, key in zip(kinds, ordered, strict=True)]
    named = {}
    for index, key in enumerate(ordered):
        number = full[: index + 1].count(full[index])
        longer = full[index] if number == 1 else f"{full[index]}#{number}"
        named[key] = kinds[index] if kinds.count(kinds[index]) == 1 else longer
    return {name: named[key] for name, key in keys.items()}


def _place(issuer: str) -> str:
    """Where an issuer is, as short as it can be said."""
    return visible(urlsplit(issuer).netloc or issuer)
