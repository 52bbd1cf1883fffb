"""Our DCQL and npm's `dcql` find the same cards and the same claims, whatever is asked and whatever is held.

But for three things that 3.0.0 does otherwise than OpenID4VP 1.0 section 7: to it a claim that is null is not
there, an empty array satisfies a path into it, and a path goes past elements of another kind, where it should end.
Values here have none of these.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.dcql import Card, match, parse_query
from protocol.errors import Rejected
from tests.interop import node
from tests.interop.node import Peer

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
NAMES, TYPES = ("a", "b", "c"), ("urn:t:1", "urn:t:2")
SCALARS = st.sampled_from(["x", "y", 1, 2, True, False])
LISTS = st.lists(SCALARS, min_size=1, max_size=3)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), SCALARS, max_size=3)
VALUES = st.one_of(
    SCALARS,
    LISTS,
    OBJECTS,
    st.lists(LISTS, min_size=1, max_size=2),
    st.lists(OBJECTS, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from(NAMES), st.one_of(SCALARS, LISTS, OBJECTS), max_size=2),
)
CARDS = st.lists(
    st.fixed_dictionaries(
        {"vct": st.sampled_from(TYPES), "claims": st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)}
    ),
    max_size=4,
)
PATHS = st.tuples(st.sampled_from(NAMES), *2 * [st.sampled_from([*NAMES, 0, 1, None, "end", "end"])]).map(
    lambda path: list(path[: path.index("end")] if "end" in path else path)
)


def paths_into(value: Any) -> list[list[Any]]:
    """Every path to something, elements of arrays by number and by null."""
    found: list[list[Any]] = []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        names = [step, None] if isinstance(value, list) else [step]
        found += [[name, *rest] for name in names for rest in [[], *paths_into(inner)]]
    return found


@st.composite
def credential_queries(draw: st.DrawFn, number: int, cards: list[dict[str, Any]]) -> dict[str, Any]:
    """One, with or without claims, values and claim sets; most often for a card that is there."""
    card = draw(st.sampled_from([*cards, {"vct": TYPES[0], "claims": {}}]))
    types = [card["vct"], *draw(st.lists(st.sampled_from(TYPES), max_size=1))]
    query: dict[str, Any] = {"id": f"q{number}", "format": "dc+sd-jwt", "meta": {"vct_values": types}}
    there = paths_into(card["claims"])
    one = st.sampled_from(there) if there and draw(st.integers(0, 3)) else PATHS
    paths = draw(st.lists(one, max_size=3, unique_by=repr))
    if not paths:
        return query
    query["claims"] = [{"id": f"c{index}", "path": path} for index, path in enumerate(paths)]
    for claim in query["claims"]:
        if draw(st.integers(0, 3)) == 0:
            claim["values"] = draw(st.lists(SCALARS, min_size=1, max_size=3, unique_by=repr))
    if draw(st.booleans()):
        ids = [claim["id"] for claim in query["claims"]]
        option = st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True)
        query["claim_sets"] = draw(st.lists(option, min_size=1, max_size=3))
    return query


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One to three credential queries, with or without credential sets, and the cards they meet."""
    cards = draw(CARDS)
    asked = [draw(credential_queries(number, cards)) for number in range(draw(st.integers(1, 3)))]
    query: dict[str, Any] = {"credentials": asked}
    if draw(st.booleans()):
        option = st.lists(st.sampled_from([one["id"] for one in asked]), min_size=1, max_size=3, unique=True)
        one = st.fixed_dictionaries(
            {"options": st.lists(option, min_size=1, max_size=3), "required": st.booleans()}
        )
        query["credential_sets"] = draw(st.lists(one, min_size=1, max_size=2))
    return query, cards


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with node.running("holder", tmp_path_factory.mktemp("theirs")) as running:
        yield running


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_we_and_npm_find_the_same(peer: Peer, case: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    query, cards = case
    theirs = peer.tell("match", dcql=query, cards=cards)
    try:
        ours = match(parse_query(query), [Card(card["vct"], card["claims"]) for card in cards])
    except Rejected:
        assert not theirs["canBeSatisfied"]
        return
    assert theirs["canBeSatisfied"]
    for name, candidates in ours.candidates.items():
        found = [[candidate.index, [list(path) for path in candidate.paths]] for candidate in candidates]
        assert found == theirs["found"][name]
