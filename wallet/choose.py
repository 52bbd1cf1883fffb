"""Which copies stand in a grant: one set, never shown to another agency, holding every credential asked for.

A set is spent as a whole: its id is visible in every copy, so two agencies with copies of one set could link them.
Fresh sets go first; when none is left, one that this very agency has seen before tells it nothing new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from protocol.credential import split_sd_jwt
from protocol.dcql import Candidate, Card, PathElement, Query, match
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from wallet.card import card_of
from wallet.records import Copy


@dataclass(frozen=True)
class Chosen:
    """A copy that answers one credential query: its record's name, and the paths of what it must show."""

    name: str
    copy: Copy
    paths: tuple[tuple[PathElement, ...], ...] = ()


def disclosures_of(copy: Copy) -> dict[str, str]:
    """Encoded disclosures by attribute name."""
    encoded = split_sd_jwt(copy.credential).disclosures
    return {item.name: item.encoded for item in map(parse_disclosure, encoded) if item.name is not None}


def choose_copies(
    copies: Mapping[str, Copy],
    query: Query,
    agency: str,
    now: int,
    *,
    last_second: int | None = None,
    mandate: str | None = None,
) -> dict[str, Chosen]:
    """For each credential query that is answered, the copy that answers it: all of one set.

    1. copies with a set, in force, and until `last_second` when given; under `mandate` (its hash, b64u), or
    without one the resident's own; 2. unspent, or spent on this `agency`; 3. the set with the newest data first,
    unspent before spent; 4. the first that satisfies the whole query.
    Raises `Rejected`: `no_card`, `no_copies_left`, `not_satisfiable`.
    """
    valid = {  # 1.
        name: copy
        for name, copy in copies.items()
        if copy.set_id and copy.exp > (last_second or now) and copy.mandate == mandate
    }
    _check_cards(valid, query)
    usable = {name: copy for name, copy in valid.items() if copy.agency in (None, agency)}  # 2.
    for members in sets_of(usable):  # 3.
        names = list(members)
        try:
            found = match(query, [_card(members[name]) for name in names])  # 4.
        except Rejected:
            continue
        return {query_id: _chosen(candidates, names, members) for query_id, candidates in found.candidates.items()}
    _check_left(usable, query)
    raise Rejected("not_satisfiable", "your cards cannot answer this request; you can decline it")


def _card(copy: Copy) -> Card:
    """By its plain type, also under a mandate, where what the issuer signed names another (`:namens`): who knows
    no mandates then finds no card, but here the mandate goes along.
    """
    return replace(card_of(copy), vct=copy.vct)


def _chosen(candidates: Sequence[Candidate], names: Sequence[str], members: Mapping[str, Copy]) -> Chosen:
    """The newest of the candidates: a reissued copy keeps its set."""
    best = max(candidates, key=lambda candidate: members[names[candidate.index]].received)
    name = names[best.index]
    return Chosen(name, members[name], best.paths)


def sets_of(copies: Mapping[str, Copy]) -> list[dict[str, Copy]]:
    """Copies by set, in the order in which to try them: the newest data first, unspent before spent."""
    sets: dict[tuple[str, str], dict[str, Copy]] = {}
    for name, copy in copies.items():
        sets.setdefault((copy.issuer, copy.set_id), {})[name] = copy

    return sorted(sets.values(), key=rank_of)


def rank_of(members: Mapping[str, Copy]) -> tuple[int, bool, str]:
    """Sorts what could be given by age of the data, then by whether it was given before."""
    newest = max(copy.iat for copy in members.values())
    return -newest, any(copy.agency is not None for copy in members.values()), min(members)


def _wanted_types(query: Query) -> list[str]:
    """Types of the queries that leave no choice."""
    return [item.meta.vct_values[0] for item in query.credentials if len(item.meta.vct_values) == 1]


def _check_cards(valid: Mapping[str, Copy], query: Query) -> None:
    """A clear word for the resident, without naming what the wallet lacks: `inspect` shows that on the screen."""
    held = {copy.vct for copy in valid.values()}
    if not query.credential_sets and not set(_wanted_types(query)) <= held:
        raise Rejected("no_card", "a card that this needs is not here; `regie wallet inspect` shows which one")


def _check_left(usable: Mapping[str, Copy], query: Query) -> None:
    left = {copy.vct for copy in usable.values()}
    if any(vct not in left for vct in _wanted_types(query)):
        raise Rejected(
            "no_copies_left",
            "every copy of a card is in use at another agency; get more from your issuer: `regie wallet refill`",
        )
