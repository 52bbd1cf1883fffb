"""DCQL (OpenID4VP 1.0 section 6): parsing, matching and checking; JSON and Python disagree on what is equal."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dcql import MAX_CLAIMS, MAX_CREDENTIALS, Card, asked_part, check_answer, match, parse_query, select
from protocol.errors import Rejected

ADRES = "urn:regie:nl:adres:1"
PERSOON = "urn:regie:nl:persoon:1"
CARD = Card(
    ADRES, {"postcode": "2511AA", "huisnummer": 1, "bewoond": True, "leeg": None, "woonplaats": "Den Haag"}
)
PERSON = Card(PERSOON, {"leeftijdBoven18": "ja", "nationaliteiten": ["0001", "0052"]})


def credential(query_id: str = "adres", vct: str = ADRES, **members: Any) -> dict[str, Any]:
    return {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **members}


def query(*credentials: dict[str, Any], **members: Any) -> Any:
    return parse_query({"credentials": list(credentials) or [credential()], **members})


def asks(*paths: list[Any], **members: Any) -> dict[str, Any]:
    return credential(claims=[{"path": path} for path in paths], **members)


# --- form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        [],
        "x",
        {},
        {"credentials": []},
        {"credentials": {}},
        {"credentials": [5]},
        {"credentials": [{"id": "a", "format": "dc+sd-jwt"}]},
        {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {}}]},
        {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": []}}]},
        {"credentials": [credential("a b")]},
        {"credentials": [credential("")]},
        {"credentials": [credential("a\n")]},
        {"credentials": [credential("a"), credential("a")]},
        {"credentials": [credential(claims=[])]},
        {"credentials": [credential(claims=None)]},
        {"credentials": [credential(claims=[{"path": []}])]},
        {"credentials": [credential(claims=[{"path": [0]}])]},
        {"credentials": [credential(claims=[{"path": [None]}])]},
        {"credentials": [credential(claims=[{"path": ["a", -1]}])]},
        {"credentials": [credential(claims=[{"path": ["a", 1.5]}])]},
        {"credentials": [credential(claims=[{"path": ["a", True]}])]},
        {"credentials": [credential(claims=[{"path": ["a"], "values": []}])]},
        {"credentials": [credential(claims=[{"path": ["a"], "id": "x"}, {"path": ["b"], "id": "x"}])]},
        {"credentials": [credential(claims=[{"path": ["a"]}], claim_sets=[["x"]])]},
        {"credentials": [credential(claims=[{"path": ["a"], "id": "x"}], claim_sets=[["y"]])]},
        {"credentials": [credential(claims=[{"path": ["a"], "id": "x"}], claim_sets=[[]])]},
        {"credentials": [credential(claim_sets=[["x"]])]},
        {"credentials": [credential()], "credential_sets": []},
        {"credentials": [credential()], "credential_sets": [{"options": []}]},
        {"credentials": [credential()], "credential_sets": [{"options": [[]]}]},
        {"credentials": [credential()], "credential_sets": [{"options": [["other"]]}]},
    ],
)
def test_query_of_bad_form_is_refused(value: Any) -> None:
    with pytest.raises(Rejected) as info:
        parse_query(value)
    assert info.value.code in {"bad_form", "bad_query"}


def test_limits_hold_at_n_and_not_at_one_more() -> None:
    many = [credential(f"c{i}") for i in range(MAX_CREDENTIALS + 1)]
    parse_query({"credentials": many[:-1]})
    with pytest.raises(Rejected):
        parse_query({"credentials": many})
    paths = [{"path": [f"a{i}"]} for i in range(MAX_CLAIMS + 1)]
    parse_query({"credentials": [credential(claims=paths[:-1])]})
    with pytest.raises(Rejected):
        parse_query({"credentials": [credential(claims=paths)]})


def test_unknown_members_are_ignored() -> None:
    assert query(credential(purpose="x"), other=1).credential("adres").id == "adres"
    with pytest.raises(Rejected, match="bad_query"):
        query().credential("other")


# --- paths (section 7) ------------------------------------------------------------------------------------------

CLAIMS = {
    "name": "Arthur",
    "address": {"street": "Beckett"},
    "degrees": [{"type": "BA", "school": "Utrecht"}, {"type": "MA"}, {"school": "Delft"}],
    "mixed": [{"type": "BA"}, "none"],
    "age_equal_or_over": {"18": True},
    "nationalities": ["British", "Betelgeusian"],
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (["name"], ["Arthur"]),
        (["address", "street"], ["Beckett"]),
        (["address"], [{"street": "Beckett"}]),
        (["degrees", None, "type"], ["BA", "MA"]),
        (["degrees", 1, "type"], ["MA"]),
        (["degrees", 2, "type"], []),
        (["mixed", None, "type"], []),
        (["mixed", 0, "type"], ["BA"]),
        (["degrees", "type"], []),
        (["address", 0], []),
        (["address", None], []),
        (["nationalities", 1], ["Betelgeusian"]),
        (["nationalities", 2], []),
        (["nationalities", None], ["British", "Betelgeusian"]),
        (["age_equal_or_over", "18"], [True]),
        (["age_equal_or_over", 18], []),
        (["name", 0], []),
        (["name", None], []),
        (["missing"], []),
        (["name", "x"], []),
    ],
)
def test_path_selects(path: list[Any], values: list[Any]) -> None:
    assert select(CLAIMS, path) == values


# --- matching (wallet) ------------------------------------------------------------------------------------------


def test_query_without_claims_shows_nothing() -> None:
    found = match(query(), [CARD])
    assert found.candidates["adres"][0].names == ()
    assert found.required == ("adres",)


def test_only_what_is_asked_is_shown_parents_included() -> None:
    nested = Card(ADRES, {"adres": {"postcode": "2511AA", "straat": "Spui"}, "soort": "woonadres"})
    (candidate,) = match(query(asks(["adres", "postcode"])), [nested]).candidates["adres"]
    assert candidate.names == ("adres",)
    assert candidate.paths == (("adres", "postcode"),)


def test_every_fitting_card_is_a_candidate() -> None:
    assert [c.index for c in match(query(), [PERSON, CARD, CARD]).candidates["adres"]] == [1, 2]


@pytest.mark.parametrize(
    ("item", "fits"),
    [
        (asks(["postcode"]), True),
        (asks(["leeg"]), True),
        (asks(["onbekend"]), False),
        (credential(vct="urn:other"), False),
        ({**credential(), "format": "mso_mdoc"}, False),
        (credential(claims=[{"path": ["postcode"], "values": ["2511AA", "x"]}]), True),
        (credential(claims=[{"path": ["postcode"], "values": ["x"]}]), False),
        (credential(claims=[{"path": ["huisnummer"], "values": [True]}]), False),
        (credential(claims=[{"path": ["huisnummer"], "values": [1]}]), True),
        (credential(claims=[{"path": ["bewoond"], "values": [1]}]), False),
        (credential(claims=[{"path": ["huisnummer"], "values": ["1"]}]), False),
    ],
)
def test_card_fits(item: dict[str, Any], fits: bool) -> None:
    if fits:
        assert match(query(item), [CARD]).candidates["adres"]
    else:
        with pytest.raises(Rejected, match="not_satisfiable"):
            match(query(item), [CARD])


def test_value_in_an_array_fits() -> None:
    item = credential("p", PERSOON, claims=[{"path": ["nationaliteiten", None], "values": ["0052"]}])
    assert match(query(item), [PERSON]).candidates["p"][0].names == ("nationaliteiten",)


def test_first_satisfiable_claim_set_is_shown_and_no_other() -> None:
    claims = [
        {"id": "a", "path": ["onbekend"]},
        {"id": "b", "path": ["postcode"]},
        {"id": "c", "path": ["woonplaats"]},
    ]
    found = match(query(credential(claims=claims, claim_sets=[["a", "b"], ["b"], ["c"]])), [CARD])
    assert found.candidates["adres"][0].names == ("postcode",)
    with pytest.raises(Rejected):
        match(query(credential(claims=claims, claim_sets=[["a"]])), [CARD])


def test_trusted_authority_must_be_in_the_chain() -> None:
    item = credential(trusted_authorities=[{"type": "aki", "values": ["AAAA"]}])
    with pytest.raises(Rejected):
        match(query(item), [CARD])
    signed = Card(ADRES, CARD.claims, frozenset({"AAAA"}))
    assert match(query(item), [CARD, signed]).candidates["adres"][0].index == 1
    other = credential(trusted_authorities=[{"type": "openid_federation", "values": ["AAAA"]}])
    with pytest.raises(Rejected):
        match(query(other), [signed])


def test_required_set_takes_its_first_satisfiable_option_and_optional_ones_stay_optional() -> None:
    found = match(
        query(
            credential("a"),
            credential("p", PERSOON),
            credential("x", "urn:other"),
            credential_sets=[
                {"options": [["x"], ["a"]]},
                {"options": [["p"], ["a"]], "required": False},
                {"options": [["x"]], "required": False},
            ],
        ),
        [CARD, PERSON],
    )
    assert found.required == ("a",)
    assert found.optional == ("p",)
    assert set(found.candidates) == {"a", "p"}


def test_unanswerable_required_set_gives_nothing_at_all() -> None:
    for sets in ([{"options": [["a", "x"]]}], [{"options": [["a"]]}, {"options": [["x"]]}]):
        with pytest.raises(Rejected) as info:
            match(query(credential("a"), credential("x", "urn:other"), credential_sets=sets), [CARD])
        assert info.value.detail == "the request cannot be answered"


# --- checking (verifier) ----------------------------------------------------------------------------------------


def test_verifier_keeps_only_what_it_asked() -> None:
    assert check_answer(query(asks(["postcode"])), {"adres": [CARD]}) == {"adres": [{"postcode": "2511AA"}]}
    assert check_answer(query(), {"adres": [CARD]}) == {"adres": [{}]}


@pytest.mark.parametrize(
    "presented",
    [
        {},
        {"other": [CARD]},
        {"adres": []},
        {"adres": [CARD, CARD]},
        {"adres": [PERSON]},
        {"adres": [CARD], "other": [CARD]},
        {"adres": [Card(ADRES, {"woonplaats": "x"})]},
    ],
)
def test_verifier_refuses_an_answer_that_does_not_fit(presented: dict[str, list[Card]]) -> None:
    with pytest.raises(Rejected, match="dcql_not_satisfied"):
        check_answer(query(asks(["postcode"])), presented)


NESTED = Card(ADRES, CLAIMS)


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        ([["address", "street"]], {"address": {"street": "Beckett"}}),
        ([["degrees", None, "type"]], {"degrees": [{"type": "BA"}, {"type": "MA"}, {}]}),
        ([["degrees", 0]], {"degrees": [{"type": "BA", "school": "Utrecht"}]}),
        ([["degrees", 0, "type"], ["degrees", 2]], {"degrees": [{"type": "BA"}, {"school": "Delft"}]}),
        ([["nationalities", 1]], {"nationalities": ["Betelgeusian"]}),
        ([["nationalities", None], ["name"]], {"nationalities": ["British", "Betelgeusian"], "name": "Arthur"}),
        ([["age_equal_or_over", "18"], ["age_equal_or_over"]], {"age_equal_or_over": {"18": True}}),
    ],
)
def test_verifier_keeps_of_a_nested_claim_only_the_part_it_asked(paths: list[Any], kept: Any) -> None:
    assert check_answer(query(asks(*paths)), {"adres": [NESTED]}) == {"adres": [kept]}


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.integers(0, 9) | st.text("xy", max_size=2) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=15,
)
PATHS = st.tuples(NAMES, st.lists(NAMES | st.none() | st.integers(0, 2), max_size=3)).map(lambda p: [p[0], *p[1]])


def leaves(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands: the place of each scalar and of each empty object or array."""
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in leaves(inner, (*place, name))]
    if isinstance(value, list) and value:
        return [leaf for number, inner in enumerate(value) for leaf in leaves(inner, (*place, number))]
    return [place]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, VALUES, min_size=1), st.lists(PATHS, min_size=1, max_size=3))
def test_part_that_is_kept_is_all_that_the_paths_select_and_nothing_else(
    claims: dict[str, Any], paths: list[list[Any]]
) -> None:
    found = [path for path in paths if select(claims, path)]
    if not found:
        return
    part = asked_part(claims, found)
    for path in found:
        if not any(isinstance(element, int) for element in path):  # numbers count anew in a shorter array
            assert select(part, path)
            assert len(found) > 1 or select(part, path) == select(claims, path)
    for place in leaves(part):
        assert any(fits(place, path) for path in found)


def fits(place: tuple[Any, ...], path: list[Any]) -> bool:
    """Whether a path leads to a place, or through it; numbers stand for any index, as arrays got shorter."""
    return all(
        element == step or (isinstance(step, int) and not isinstance(element, str))
        for element, step in zip(path, place, strict=False)
    )


def test_query_of_another_format_is_kept_and_fits_no_card() -> None:
    """ISO mdoc is not done here; a verifier may offer it beside what is."""
    mdoc = {"id": "m", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}}
    both = query(credential(), mdoc, credential_sets=[{"options": [["m"], ["adres"]]}])
    assert match(both, [CARD]).required == ("adres",)
    assert check_answer(both, {"adres": [CARD]}) == {"adres": [{}]}
    with pytest.raises(Rejected, match="dcql_not_satisfied"):
        check_answer(both, {"m": [CARD]})


def test_verifier_takes_the_first_claim_set_that_was_shown_and_drops_the_rest() -> None:
    claims = [{"id": "a", "path": ["onbekend"]}, {"id": "b", "path": ["postcode"]}, {"id": "c", "path": ["leeg"]}]
    asked = query(credential(claims=claims, claim_sets=[["a"], ["b"], ["c"]]))
    assert check_answer(asked, {"adres": [CARD]}) == {"adres": [{"postcode": "2511AA"}]}
    assert check_answer(asked, {"adres": [Card(ADRES, {"leeg": None})]}) == {"adres": [{"leeg": None}]}
    with pytest.raises(Rejected, match="dcql_not_satisfied"):
        check_answer(asked, {"adres": [Card(ADRES, {"woonplaats": "x"})]})


def test_verifier_looks_itself_at_values_and_authorities() -> None:
    wanted = query(credential(claims=[{"path": ["postcode"], "values": ["9999ZZ"]}]))
    with pytest.raises(Rejected, match="dcql_not_satisfied"):
        check_answer(wanted, {"adres": [CARD]})
    under = query(credential(trusted_authorities=[{"type": "aki", "values": ["AAAA"]}]))
    with pytest.raises(Rejected, match="dcql_not_satisfied"):
        check_answer(under, {"adres": [CARD]})
    assert check_answer(under, {"adres": [Card(ADRES, CARD.claims, frozenset({"AAAA", "BBBB"}))]})


def test_verifier_takes_several_only_where_it_asked_for_several() -> None:
    found = check_answer(query(asks(["postcode"], multiple=True)), {"adres": [CARD, CARD]})
    assert len(found["adres"]) == 2


def test_verifier_refuses_an_answer_that_lacks_a_required_set() -> None:
    both = query(
        credential("a"),
        credential("p", PERSOON),
        credential_sets=[{"options": [["p"]]}, {"options": [["a"]], "required": False}],
    )
    assert check_answer(both, {"p": [PERSON]}) == {"p": [{}]}
    with pytest.raises(Rejected):
        check_answer(both, {"a": [CARD]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["credentials", "id", "format", "meta", "vct_values", "claims", "path"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_value_raises_anything_but_a_refusal(value: Any) -> None:
    with contextlib.suppress(Rejected):
        parse_query(value)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["postcode", "huisnummer", "onbekend", "leeg"]), min_size=1, max_size=4, unique=True)
)
def test_what_the_wallet_shows_satisfies_the_verifier(names: list[str]) -> None:
    asked = query(asks(*([name] for name in names)))
    try:
        (candidate,) = match(asked, [CARD]).candidates["adres"]
    except Rejected:
        assert "onbekend" in names
        return
    shown = Card(ADRES, {name: CARD.claims[name] for name in candidate.names})
    assert set(check_answer(asked, {"adres": [shown]})["adres"][0]) == set(names)
