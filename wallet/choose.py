"""Which copies answer a request: one set, never shown to another agency, holding every credential asked for.

A set is spent as a whole: its id is visible in every copy, so two agencies with copies of one set could link them.
Fresh sets go first; when none is left, one that this very agency has seen before tells it nothing new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol.credential import split_sd_jwt
from protocol.dcql import Candidate, Card, Query, match
from protocol.disclosure import parse_disclosure
from protocol.errors import Rejected
from wallet.records import Copy


@dataclass(frozen=True)
class Chosen:
    """A copy that answers one credential query: its record's name, and the attributes that it must show."""

    name: str
    copy: Copy
    attributes: tuple[str, ...]


def claims_of(copy: Copy) -> dict[str, object]:
    """Values by attribute name. The credential was verified when it was received and sealed since."""
    disclosures = map(parse_disclosure, split_sd_jwt(copy.credential).disclosures)
    return {item.name: item.value for item in disclosures if item.name is not None}


def disclosures_of(copy: Copy) -> dict[str, str]:
    """Encoded disclosures by attribute name."""
    encoded = split_sd_jwt(copy.credential).disclosures
    return {item.name: item.encoded for item in map(parse_disclosure, encoded) if item.name is not None}


def choose_copies(
    copies: Mapping[str, Copy], query: Query, agency: str, now: int, *, last_second: int | None = None
) -> dict[str, Chosen]:
    """For each credential query that is answered, the copy that answers it: all of one set.

    1. copies in force, and until `last_second` when given; 2. of sets that are unspent or spent on this `agency`;
    3. the set with the newest data first, unspent before spent; 4. the first that satisfies the whole query.
    Raises `Rejected`: `no_card`, `no_copies_left`, `not_satisfiable`.
    """
    valid = {name: copy for name, copy in copies.items() if copy.exp > (last_second or now)}  # 1.
    _check_cards(valid, query)
    usable = {name: copy for name, copy in valid.items() if copy.agency in (None, agency)}  # 2.
    for members in _sets(usable):  # 3.
        names = list(members)
        cards = [Card(members[name].vct, claims_of(members[name])) for name in names]  # type: ignore[arg-type]
        try:
            found = match(query, cards)  # 4.
        except Rejected:
            continue
        return {query_id: _chosen(candidates, names, members) for query_id, candidates in found.candidates.items()}
    _check_left(usable, query)
    raise Rejected("not_satisfiable", "your cards cannot answer this request; you can decline it")


def _chosen(candidates: Sequence[Candidate], names: Sequence[str], members: Mapping[str, Copy]) -> Chosen:
    """The newest of the candidates: a reissued copy keeps its set."""
    best = max(candidates, key=lambda candidate: members[names[candidate.index]].received)
    name = names[best.index]
    return Chosen(name, members[name], best.names)


def _sets(copies: Mapping[str, Copy]) -> list[dict[str, Copy]]:
    """Copies by set, in the order in which to try them."""
    sets: dict[tuple[str, str], dict[str, Copy]] = {}
    for name, copy in copies.items():
        sets.setdefault((copy.issuer, copy.set_id), {})[name] = copy

    def rank(members: dict[str, Copy]) -> tuple[int, bool, str]:
        newest = max(copy.iat for copy in members.values())
        spent = any(copy.agency is not None for copy in members.values())
        return -newest, spent, min(members)

    return sorted(sets.values(), key=rank)


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
            "no_copies_left", "every copy of a card is in use at another agency; get new ones from your issuer"
        )
