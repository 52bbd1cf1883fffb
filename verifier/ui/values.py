"""What was read, as lines for a screen: values of a register are texts, numbers, lists and small objects. Pure.

The register's flags are apart: an officer must see them before he uses anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from protocol.attributes import CREDENTIAL_TYPES, FLAG_NAMES
from protocol.canonical import JsonValue
from verifier.ui.shown import Datum
from verifier.verify import Shared


@dataclass(frozen=True)
class ShownValue:
    """`lines`: each a list of texts; no line means that the register has nothing."""

    datum: Datum
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ShownCard:
    """Values of one type of card."""

    vct: str
    values: tuple[ShownValue, ...]


@dataclass(frozen=True)
class Flags:
    """`secret`: the resident asked the register to keep the data from others; `investigated`: which data are in
    doubt; `suspended`: why the record is no longer kept up (`overlijden`, `emigratie`), when it is not."""

    secret: bool = False
    investigated: tuple[Datum, ...] = ()
    suspended: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.secret or bool(self.investigated) or bool(self.suspended)


@dataclass(frozen=True)
class ShownReading:
    """Everything of one reading."""

    cards: tuple[ShownCard, ...]
    flags: Flags


def shown_reading(values: Mapping[str, JsonValue], places: Iterable[tuple[str, str]]) -> ShownReading:
    """What a reading opened; `places`: (vct, name) of each value, in its order."""
    return _shown([(Datum(*place), value) for place, value in zip(places, values.values(), strict=True)])


def shown_copy(shared: Iterable[Shared]) -> ShownReading:
    """What was shared once, card by card."""
    return _shown([(Datum(card.vct, name), value) for card in shared for name, value in card.claims.items()])


def _shown(found: list[tuple[Datum, Any]]) -> ShownReading:
    cards: dict[str, list[ShownValue]] = {}
    for datum, value in found:
        if datum.name not in FLAG_NAMES:
            cards.setdefault(datum.vct, []).append(ShownValue(datum, _lines(value)))
    shown = tuple(ShownCard(vct, tuple(_in_order(vct, values))) for vct, values in cards.items())
    return ShownReading(shown, _flags(found))


def _in_order(vct: str, values: list[ShownValue]) -> list[ShownValue]:
    kind = CREDENTIAL_TYPES.get(vct)
    order = {name: place for place, name in enumerate(kind.names)} if kind else {}
    return sorted(values, key=lambda value: order.get(value.datum.name, len(order)))


def _lines(value: Any) -> tuple[tuple[str, ...], ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, list):
        return tuple(_texts(item) for item in value)
    return (_texts(value),)


def _texts(value: Any) -> tuple[str, ...]:
    """One line: the members of an object in their order, codes left out where there are words."""
    if isinstance(value, dict):
        named = {key: item for key, item in value.items() if item is not None}
        skipped = {"code", "type"} if "omschrijving" in named else set()
        return tuple(text for key, item in named.items() if key not in skipped for text in _texts(item))
    if isinstance(value, list):
        return tuple(text for item in value if item is not None for text in _texts(item))
    return ({True: "ja", False: "nee"}[value] if isinstance(value, bool) else str(value),)


def _flags(found: list[tuple[Datum, Any]]) -> Flags:
    """Of all cards together; a flag that the register left empty says nothing."""
    secret, investigated = False, list[Datum]()
    suspended: tuple[str, ...] = ()
    for datum, value in found:
        if datum.name == "geheimhouding":
            secret = secret or value is True
        elif datum.name == "inOnderzoek" and isinstance(value, list):
            investigated += [Datum(datum.vct, str(name)) for name in value]
        elif datum.name == "opschorting" and isinstance(value, dict):
            suspended = _texts([value.get("reden"), value.get("datum")])
    return Flags(secret, tuple(dict.fromkeys(investigated)), suspended)
