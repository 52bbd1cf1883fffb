"""What cards, attributes, values and services are called on a page, in its language (`nl` or `en`).

Labels come from the vocabulary (`protocol.attributes`), words of a service from the trust list; what a stranger
calls something passes through `names.visible`. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from babel.dates import format_date

from protocol.attributes import CREDENTIAL_TYPES, FLAG_NAMES
from protocol.dcql import PathElement
from protocol.names import visible
from protocol.trust_list import Words
from wallet.consent import path_text
from wallet.records import Activity, GrantRecord

MAX_VALUE = 2000
"""Characters of a value on a page; the vocabulary's longest holds 3071 bytes of JSON, of which signs are many."""
_LOCALES = {"nl": "nl", "en": "en_GB"}
_YES_NO = {"nl": {True: "ja", False: "nee"}, "en": {True: "yes", False: "no"}}
_BY_SHORT = {kind.configuration_id: kind for kind in CREDENTIAL_TYPES.values()}


def in_language(words: Words, language: str) -> str:
    """One of the two texts."""
    return visible(words.nl if language == "nl" else words.en, 2000)


def label(vct: str, path: Sequence[PathElement], language: str) -> str:
    """Of an attribute: "Postcode"; the path where the vocabulary has no word."""
    known = CREDENTIAL_TYPES.get(vct)
    found = known.by_name.get(str(path[0])) if known and len(path) == 1 else None
    if found is None:
        return path_text(path)
    return found.label_nl if language == "nl" else found.label_en


def label_of(short: str, language: str) -> str:
    """The same for the short form of histories and activities: `adres.postcode`. A card alone: its own name."""
    card, _, name = short.partition(".")
    known = _BY_SHORT.get(card)
    if known is None:
        return visible(name or card)
    return label(known.vct, (name,), language) if name else card_label(known.vct, "", language)


def card_label(vct: str, title: str, language: str) -> str:
    """Of a card: "Adres"; what the issuer calls it where the vocabulary does not know its type."""
    known = CREDENTIAL_TYPES.get(vct)
    if known is None:
        return visible(title or vct)
    return known.label_nl if language == "nl" else known.label_en


def card_label_of(short: str, language: str) -> str:
    """Of the card that `adres.postcode` stands on."""
    known = _BY_SHORT.get(short.partition(".")[0])
    return card_label(known.vct, "", language) if known else visible(short.partition(".")[0])


def is_flag(short: str) -> bool:
    """Whether `adres.geheimhouding` is one of the register's warnings, which go with every attribute."""
    return short.rpartition(".")[2] in FLAG_NAMES


def service_name(record: GrantRecord | Activity, language: str) -> str:
    """What something was given for. Records of before this was kept have the English name only."""
    if record.about is not None:
        return in_language(record.about.name, language)
    return visible(record.service or "")


def purpose(record: GrantRecord | Activity, language: str) -> str:
    """The purpose as it was listed; empty in records of before."""
    return in_language(record.about.purpose, language) if record.about else ""


def value_lines(value: Any, language: str) -> tuple[str, ...]:
    """A value as a person reads it, an entry for each line; nothing for what the register leaves empty."""
    if value is None or value == [] or value == {}:
        return ()
    if isinstance(value, list):
        return tuple(_one_line(item, language) for item in value)
    return (_one_line(value, language),)


def _one_line(value: Any, language: str) -> str:
    if isinstance(value, bool):
        return _YES_NO[language][value]
    if isinstance(value, Mapping):
        parts = [_one_line(item, language) for item in value.values() if item not in (None, [], {})]
        return visible(", ".join(parts), MAX_VALUE)
    if isinstance(value, list):
        return visible(", ".join(_one_line(item, language) for item in value), MAX_VALUE)
    return visible(_long_date(value, language) if isinstance(value, str) else str(value), MAX_VALUE)


def _long_date(text: str, language: str) -> str:
    """`1987-04-12` as 12 april 1987; anything else as it is, for of an unknown day none is made up."""
    if len(text) != 10 or text[4] != "-":
        return text
    try:
        return str(format_date(date.fromisoformat(text), "d MMMM y", locale=_LOCALES[language]))
    except ValueError:
        return text
