"""Which cards answer a request for a copy: the resident's and any stranger's, mixed as the query wants (VP 6.4).

Copies of one issuer's types come from one set, as in a grant; of a stranger's card each copy stands alone. What
was given to one asker is given to no other. The asker's preference decides between options, the resident's before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from msgspec import UNSET
from msgspec.structs import replace

from protocol.dcql import Candidate, CredentialQuery, CredentialSetQuery, Query, match
from protocol.errors import Rejected
from wallet.card import CardKey, card_names, card_of, key_of_card
from wallet.choose import Chosen, rank_of, sets_of
from wallet.records import Copy, ShareChoice

MAX_POOLS = 64
"""Combinations of sets tried: one for each issuer and each different age of its cards."""


@dataclass(frozen=True)
class Option:
    """A card that can answer a query: its name to the resident, and the copy that would be given."""

    card: str
    chosen: Chosen


@dataclass(frozen=True)
class Picked:
    """`given`: what answers each query; `options`: what could; `optional`: what could be answered besides."""

    given: Mapping[str, tuple[Chosen, ...]]
    options: Mapping[str, tuple[Option, ...]]
    optional: tuple[str, ...]


def pick_cards(
    copies: Mapping[str, Copy], query: Query, asker: str, now: int, choice: ShareChoice | None = None
) -> Picked:
    """What to give to `asker` (its id), and what else could answer.

    1. copies in force that are the resident's own: one under a mandate is never given as a copy, which the other
    parties could not see or stop; 2. unspent, or spent on this asker, or with `reuse` any of a stranger's card;
    3. a set of each issuer, the newest data first, with one copy of every other card; 4. the first combination
    that satisfies the whole query; 5. of each query the cards that the resident chose, else the newest; of
    optional queries those chosen, or all with `optional`.
    Raises `Rejected`: `no_card`, `no_copies_left`, `not_satisfiable`, `bad_card_choice`.
    """
    choice = choice or ShareChoice()
    valid = {name: copy for name, copy in copies.items() if copy.exp > now and copy.mandate is None}  # 1.
    reusable = {name for name, copy in valid.items() if choice.reuse and not copy.set_id}
    usable = {n: copy for n, copy in valid.items() if copy.agency in (None, asker) or n in reusable}  # 2.
    names = card_names(copies)  # of all, so that a card is called the same whatever is left of others
    for pool in _pools(usable, asker):  # 3.
        options = find_options(pool, query, names)
        if _is_satisfied(query, options):  # 4.
            return _decide(query, options, _Wish(choice, query))  # 5.
    raise _why_not(valid, query, names)


def find_options(
    pool: Mapping[str, Copy], query: Query, titles: Mapping[str, str]
) -> dict[str, tuple[Option, ...]]:
    """The cards of a pool that fit each credential query, the resident's own first, newest first.

    `titles`: the name of its card, for the name of each copy.
    """
    names = list(pool)
    cards = [card_of(pool[name]) for name in names]
    found: dict[str, tuple[Option, ...]] = {}
    for item in query.credentials:
        try:
            candidates = match(Query([item]), cards).candidates[item.id]
        except Rejected:
            continue
        options = [_option(candidate, names, titles, pool) for candidate in candidates]
        fitting = [option for option in options if _is_bound_enough(option, item)]
        fitting.sort(key=lambda option: (not option.chosen.copy.set_id, -option.chosen.copy.received))
        if fitting:
            found[item.id] = tuple(fitting)
    return found


def _option(
    candidate: Candidate, names: Sequence[str], titles: Mapping[str, str], pool: Mapping[str, Copy]
) -> Option:
    name = names[candidate.index]
    return Option(titles[name], Chosen(name, pool[name], candidate.paths))


def _is_bound_enough(option: Option, item: CredentialQuery) -> bool:
    """Section 6.1: unless the asker says otherwise, the holder of the card has to prove that it is theirs."""
    return option.chosen.copy.is_bound or not item.require_cryptographic_holder_binding


def _pools(usable: Mapping[str, Copy], asker: str) -> Iterator[dict[str, Copy]]:
    """Copies to answer from, each card once, in the order in which to try them. Sets that say the same are one.

    A copy that somebody else has comes last.
    """
    by_issuer: dict[str, dict[frozenset[str], dict[str, Copy]]] = {}
    for members in sets_of({name: copy for name, copy in usable.items() if copy.set_id}):
        issuer = next(iter(members.values())).issuer
        contents = frozenset(copy.batch for copy in members.values())
        by_issuer.setdefault(issuer, {}).setdefault(contents, members)
    alone = {name: copy for name, copy in usable.items() if not copy.set_id}
    single: dict[CardKey, str] = {}
    for name in sorted(alone, key=lambda n: (alone[n].agency not in (None, asker), rank_of({n: alone[n]}))):
        single.setdefault(key_of_card(alone[name]), name)
    loose = {name: alone[name] for name in single.values()}
    for combination in islice(product(*(sets.values() for sets in by_issuer.values())), MAX_POOLS):
        pool: dict[str, Copy] = {}
        for members in combination:
            newest = {copy.configuration: name for name, copy in sorted(members.items(), key=_received)}
            pool |= {name: members[name] for name in newest.values()}
        yield pool | loose


def _received(item: tuple[str, Copy]) -> int:
    return item[1].received


# --- what satisfies, and what the resident wants ----------------------------------------------------------------


def _is_satisfied(query: Query, options: Mapping[str, tuple[Option, ...]]) -> bool:
    """Section 6.4.2."""
    if query.credential_sets is UNSET:
        return all(item.id in options for item in query.credentials)
    return all(_open_options(one, options) for one in query.credential_sets if one.required)


def _open_options(one: CredentialSetQuery, options: Mapping[str, tuple[Option, ...]]) -> list[list[str]]:
    """The options of a set of which every query can be answered."""
    return [option for option in one.options if all(name in options for name in option)]


class _Wish:
    """The cards that the resident names, `QUERY=CARD` or `CARD`."""

    def __init__(self, choice: ShareChoice, query: Query) -> None:
        self.optional = choice.optional
        ids = {item.id for item in query.credentials}
        self._for: dict[str, list[str]] = {}
        self._anywhere: list[str] = []
        for text in choice.cards:
            name, sign, card = text.partition("=")
            if sign and name in ids:
                self._for.setdefault(name, []).append(card)
            else:
                self._anywhere.append(text)

    def cards(self, query_id: str, options: Sequence[Option]) -> list[Option]:
        """What was chosen for this query. Raises `Rejected`: `bad_card_choice` for one that cannot answer it."""
        offered = {option.card: option for option in options}
        if any(card not in offered for card in self._for.get(query_id, ())):
            raise _bad_choice("a card that you chose cannot answer this")
        wanted = [*self._for.get(query_id, ()), *(card for card in self._anywhere if card in offered)]
        return [offered[card] for card in dict.fromkeys(wanted)]

    def check_used(self, options: Mapping[str, tuple[Option, ...]]) -> None:
        """Every card that was named can answer something. Raises `Rejected`: `bad_card_choice`."""
        offered = {option.card for fitting in options.values() for option in fitting}
        if any(card not in offered for card in self._anywhere) or any(name not in options for name in self._for):
            raise _bad_choice("a card that you chose cannot answer this")


def _bad_choice(detail: str) -> Rejected:
    return Rejected("bad_card_choice", f"{detail}; `regie wallet inspect` shows which cards can")


def _decide(query: Query, options: Mapping[str, tuple[Option, ...]], wish: _Wish) -> Picked:
    wish.check_used(options)
    wanted, optional = _resolve(query, options, wish)
    given = {}
    for item in query.credentials:
        if item.id in wanted:
            cards = wish.cards(item.id, options[item.id]) or [options[item.id][0]]
            if len(cards) > 1 and not item.multiple:
                raise _bad_choice("only one card can answer a query that you chose several for")
            given[item.id] = tuple(option.chosen for option in cards)
    return Picked(given, options, tuple(optional))


def _resolve(query: Query, options: Mapping[str, tuple[Option, ...]], wish: _Wish) -> tuple[set[str], list[str]]:
    """The queries to answer, and those that could be answered besides (section 6.4.2)."""
    if query.credential_sets is UNSET:
        return {item.id for item in query.credentials}, []
    wanted: set[str] = set()
    optional: dict[str, None] = {}
    for one in query.credential_sets:
        open_options = _open_options(one, options)
        chosen = [option for option in open_options if any(wish.cards(name, options[name]) for name in option)]
        if one.required or chosen or (wish.optional and open_options):
            wanted |= set((chosen or open_options)[0])
        elif open_options:
            optional |= dict.fromkeys(open_options[0])
    return wanted, [name for name in optional if name not in wanted]


def _why_not(valid: Mapping[str, Copy], query: Query, titles: Mapping[str, str]) -> Rejected:
    """A clear word for the resident, without naming what the wallet lacks: `inspect` shows that on the screen."""
    held = {copy.vct for copy in valid.values()}
    if query.credential_sets is UNSET and any(not held & set(i.meta.vct_values) for i in query.credentials):
        return Rejected("no_card", "a card that this needs is not here; `regie wallet inspect` shows which one")
    fresh = {name: replace(copy, agency=None) for name, copy in valid.items()}
    if any(_is_satisfied(query, find_options(pool, query, titles)) for pool in _pools(fresh, "")):
        return Rejected(
            "no_copies_left",
            "every copy of a card is in use at somebody else; get more from your issuer: `regie wallet refill`; "
            "of a stranger's card --reuse shows one again, and those two can recognise you",
        )
    return Rejected("not_satisfiable", "your cards cannot answer this request; you can decline it")
