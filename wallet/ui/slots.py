"""The cards that could answer a request for a copy, as places to fill: what goes there, and what else could. Pure.

A place is one credential query or, where the asker takes one of several kinds of card, all of those together
(OpenID4VP 1.0 section 6.4.2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from protocol.dcql import Query
from wallet.card import always_shown
from wallet.choose import Chosen
from wallet.pick import Option, Picked
from wallet.ui.names import card_label


@dataclass(frozen=True)
class CardOption:
    """One card for one place. `value`: `QUERY=CARD`, as the form sends it; `is_given`: goes as things stand."""

    value: str
    label: str
    is_given: bool


@dataclass(frozen=True)
class Slot:
    """One place. `is_optional`: may stay empty; `is_multiple`: takes several cards.

    `going`: what is shown of cards of which copies, or would be if one went there; `always`: names of what those
    show besides, asked or not.
    """

    id: str
    title: str
    options: tuple[CardOption, ...]
    is_optional: bool
    is_multiple: bool
    going: tuple[Chosen, ...]
    always: tuple[str, ...]

    @property
    def is_choice(self) -> bool:
        """Whether there is anything to choose."""
        return self.is_optional or len(self.options) > 1

    @property
    def is_given(self) -> bool:
        """Whether a card goes there as things stand."""
        return any(option.is_given for option in self.options)


def find_slots(query: Query, picked: Picked, language: str) -> tuple[Slot, ...]:
    """The places of a query that can be answered, in the asker's order."""
    return tuple(_slot(queries, query, picked, language) for queries in _places(query, picked))


def _places(query: Query, picked: Picked) -> Iterator[tuple[str, ...]]:
    """Queries that fill one place, the one that is answered first."""
    seen: set[str] = set()
    for queries in _alternatives(query):
        found = [name for name in queries if name in picked.options and name not in seen]
        found.sort(key=lambda name: name not in picked.given)
        seen |= set(found)
        if found and (found[0] in picked.given or found[0] in picked.optional):
            yield tuple(found)


def _alternatives(query: Query) -> Iterator[Sequence[str]]:
    """Where every option of a set is one query they stand for each other; else each query stands alone."""
    if query.credential_sets is not UNSET:
        for one in query.credential_sets:
            if all(len(option) == 1 for option in one.options):
                yield [option[0] for option in one.options]
    for item in query.credentials:
        yield [item.id]


def _slot(queries: Sequence[str], query: Query, picked: Picked, language: str) -> Slot:
    first = query.credential(queries[0])
    given = {item.name for name in queries for item in picked.given.get(name, ())}
    found = [(name, option) for name in queries for option in picked.options[name]]
    options = tuple(
        CardOption(f"{name}={option.card}", option_label(option, language), option.chosen.name in given)
        for name, option in found
    )
    going = [option for _, option in found if option.chosen.name in given] or [found[0][1]]
    chosen = tuple(option.chosen for option in going)
    return Slot(
        id=queries[0],
        title=card_label(chosen[0].copy.vct, chosen[0].copy.title, language),
        options=options,
        is_optional=queries[0] in picked.optional or not _is_needed(queries, query),
        is_multiple=first.multiple,
        going=chosen,
        always=tuple(dict.fromkeys(name for one in chosen for name in always_shown(one.copy))),
    )


def _is_needed(queries: Sequence[str], query: Query) -> bool:
    if query.credential_sets is UNSET:
        return True
    return any(
        one.required and any(not set(queries).isdisjoint(option) for option in one.options)
        for one in query.credential_sets
    )


def option_label(option: Option, language: str) -> str:
    """A card by its label and, where the resident has more than one like it, by its own name."""
    copy = option.chosen.copy
    name = card_label(copy.vct, copy.title, language)
    return name if option.card == copy.configuration else f"{name} ({option.card})"
