"""Choice among cards: what fits a query, what is given of it, and the resident's word (OpenID4VP section 6)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from protocol.dcql import parse_query
from protocol.errors import Rejected
from protocol.formats import credential_format
from protocol.issuer_jwt import NO_END
from tests.conformance.foreign_verifier import VERIFIER, ForeignVerifier
from tests.conformance.held_cards import COPIES, Holder, fill, put, put_diplomas
from tests.protocol import builders as b
from tests.protocol import strangers
from tests.protocol.builders import ADRES, DAY, ISSUER_ID, NOW, PERSOON
from tests.protocol.strangers import DIPLOMA, UNIVERSITY_ID
from wallet.card import card_names
from wallet.errand_request import share_once
from wallet.opened import OpenWallet
from wallet.pick import Picked, pick_cards
from wallet.records import Copy, ShareChoice
from wallet.show import cards_data, cards_text

ASKER = "x509_san_dns:localhost"
SECOND_UNIVERSITY = "https://tweede.vreemd.example"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wallet with persoon and adres of the register, two diplomas of one university and one of another."""
    folder = tmp_path_factory.mktemp("filled")
    made = Holder(folder)
    made.create()
    fill(made)
    with made.open() as wallet, wallet.vault.transaction():
        put_diplomas(wallet, "2", received=NOW, courses=("Muziek",))
        put(wallet, strangers.diploma(b.HOLDER.public, seed="x", iss=SECOND_UNIVERSITY), "diploma", "B" * 22, 0,
            SECOND_UNIVERSITY, received=NOW + 1)  # fmt: skip
    return folder


@pytest.fixture
def opened(tmp_path: Path, filled: Path) -> Iterator[OpenWallet]:
    made = Holder(tmp_path).copy_of(filled)
    made.trust_strangers(VERIFIER)
    with made.open() as wallet:
        yield wallet


@pytest.fixture
def copies(opened: OpenWallet) -> dict[str, Copy]:
    return opened.copies()


def item(query_id: str, vct: str, *paths: list[Any], **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **changes}
    if paths:
        made["claims"] = [{"path": path} for path in paths]
    return made


def pick(
    copies: dict[str, Copy], *items: dict[str, Any], sets: Any = None, asker: str = ASKER, **choice: Any
) -> Picked:
    query: dict[str, Any] = {"credentials": list(items)}
    if sets is not None:
        query["credential_sets"] = sets
    return pick_cards(copies, parse_query(query), asker, NOW, ShareChoice(**choice))


def cards(picked: Picked, query_id: str = "q") -> list[str]:
    """The names of the cards that would be given."""
    names = {option.chosen.name: option.card for option in picked.options[query_id]}
    return [names[chosen.name] for chosen in picked.given[query_id]]


def refused(code: str, copies: dict[str, Copy], *items: dict[str, Any], **options: Any) -> None:
    with pytest.raises(Rejected) as refusal:
        pick(copies, *items, **options)
    assert refusal.value.code == code


FIRST, LATER, ELSEWHERE = (
    "diploma@uni.vreemd.example",
    "diploma@uni.vreemd.example#2",
    "diploma@tweede.vreemd.example",
)
ANY_DIPLOMA = item("q", DIPLOMA, ["degree"])


def test_each_card_has_a_name_of_its_own(copies: dict[str, Copy]) -> None:
    assert set(card_names(copies).values()) == {"persoon", "adres", FIRST, LATER, ELSEWHERE}
    assert sorted(card["card"] for card in cards_data(copies, NOW, values=False)) == sorted(
        ["persoon", "adres", FIRST, LATER, ELSEWHERE]
    )
    alone = {name: copy for name, copy in copies.items() if copy.issuer != UNIVERSITY_ID}
    assert set(card_names(alone).values()) == {"persoon", "adres", "diploma"}


def test_cards_are_listed_with_their_values_and_ends(copies: dict[str, Copy]) -> None:
    endless = {
        name: changed(copy, exp=NO_END) if copy.issuer == SECOND_UNIVERSITY else copy
        for name, copy in copies.items()
    }
    data = cards_data(endless, NOW, values=True)
    told = {card["card"]: card for card in data}
    assert told[LATER]["values"]["courses"] == ["Muziek"]
    assert (told[FIRST]["copies"], told[FIRST]["unspent"]) == (COPIES, COPIES)
    text = cards_text(data)
    assert "without an end" in text
    assert f"{FIRST}: Diploma, from {UNIVERSITY_ID}" in text


def test_newest_card_answers_unless_the_resident_names_another(copies: dict[str, Copy]) -> None:
    picked = pick(copies, ANY_DIPLOMA)
    assert [option.card for option in picked.options["q"]] == [ELSEWHERE, LATER, FIRST]
    assert cards(picked) == [ELSEWHERE]
    for wish in (FIRST, f"q={FIRST}"):
        assert cards(pick(copies, ANY_DIPLOMA, cards=(wish,))) == [FIRST]


def test_card_is_called_the_same_when_the_others_are_used_up(copies: dict[str, Copy]) -> None:
    left = {
        name: copy if copy.received < NOW else changed(copy, agency="x509_san_dns:other.example")
        for name, copy in copies.items()
    }
    assert cards(pick(left, ANY_DIPLOMA)) == [FIRST]
    assert cards(pick(left, ANY_DIPLOMA, cards=(FIRST,))) == [FIRST]


@pytest.mark.parametrize("wish", ["nowhere", "q=nowhere", "q=adres", "adres", "q=", "", "other=diploma"])
def test_card_that_cannot_answer_is_refused(copies: dict[str, Copy], wish: str) -> None:
    refused("bad_card_choice", copies, ANY_DIPLOMA, cards=(wish,))


def test_only_fitting_cards_are_offered(copies: dict[str, Copy]) -> None:
    assert cards(pick(copies, item("q", DIPLOMA, ["courses", 1]))) == [ELSEWHERE]
    values = item("q", DIPLOMA, claims=[{"path": ["courses", None], "values": ["Muziek"]}])
    assert cards(pick(copies, values)) == [LATER]
    refused(
        "not_satisfiable", copies, item("q", DIPLOMA, claims=[{"path": ["courses", None], "values": ["Latijn"]}])
    )
    refused("not_satisfiable", copies, item("q", DIPLOMA, ["courses", 7]))
    refused("no_card", copies, item("q", "urn:vreemd:nowhere:1"))


def test_several_cards_are_given_only_where_asked_and_chosen(copies: dict[str, Copy]) -> None:
    many = item("q", DIPLOMA, ["degree"], multiple=True)
    assert cards(pick(copies, many)) == [ELSEWHERE]
    assert cards(pick(copies, many, cards=(FIRST, f"q={LATER}"))) == [LATER, FIRST]
    refused("bad_card_choice", copies, ANY_DIPLOMA, cards=(FIRST, LATER))


def test_trusted_authorities_choose_the_issuer(copies: dict[str, Copy]) -> None:
    (one,) = (copy for copy in copies.values() if copy.issuer == SECOND_UNIVERSITY)
    (aki,) = credential_format("dc+sd-jwt").read_card(one.credential).authorities
    asked = item("q", DIPLOMA, trusted_authorities=[{"type": "aki", "values": [aki]}])
    assert len(pick(copies, asked).options["q"]) == 3  # one root in these tests
    refused(
        "not_satisfiable", copies, item("q", DIPLOMA, trusted_authorities=[{"type": "aki", "values": ["AAAA"]}])
    )
    refused(
        "not_satisfiable", copies, item("q", DIPLOMA, trusted_authorities=[{"type": "etsi_tl", "values": [aki]}])
    )


def test_claim_sets_are_answered_by_the_first_that_fits(copies: dict[str, Copy]) -> None:
    paths = {"s": ["shoe"], "d": ["degree"], "f": ["person", "family_name"]}
    claims = [{"id": name, "path": path} for name, path in paths.items()]
    asked = item("q", DIPLOMA, claims=claims, claim_sets=[["s", "d"], ["f"], ["d"]])
    (chosen,) = pick(copies, asked).given["q"]
    assert chosen.paths == (("person", "family_name"),)


def test_cards_of_the_register_and_of_strangers_answer_together(copies: dict[str, Copy]) -> None:
    """All of the register's copies come from one set."""
    picked = pick(copies, item("a", ADRES, ["postcode"]), item("p", PERSOON, ["geslachtsnaam"]), ANY_DIPLOMA)
    (adres,), (persoon,) = picked.given["a"], picked.given["p"]
    assert adres.copy.set_id == persoon.copy.set_id != ""
    assert picked.given["q"][0].copy.set_id == ""


def test_two_listed_issuers_each_answer_from_a_set_of_their_own(copies: dict[str, Copy]) -> None:
    other = {
        f"other {name}": changed(copy, issuer="https://other.example", set_id=b.set_id(f"other {copy.number}"))
        for name, copy in copies.items()
        if copy.vct == PERSOON
    }
    mine = {name: copy for name, copy in copies.items() if copy.vct != PERSOON}
    picked = pick({**mine, **other}, item("a", ADRES, ["postcode"]), item("p", PERSOON, ["geslachtsnaam"]))
    assert picked.given["a"][0].copy.issuer == ISSUER_ID
    assert picked.given["p"][0].copy.issuer == "https://other.example"


OPTIONS = [{"options": [["p"], ["q"]]}, {"options": [["a"]], "required": False}]
THREE = (item("p", PERSOON, ["geslachtsnaam"]), item("a", ADRES, ["postcode"]), ANY_DIPLOMA)


def test_option_that_the_asker_likes_best_is_taken(copies: dict[str, Copy]) -> None:
    picked = pick(copies, *THREE, sets=OPTIONS)
    assert set(picked.given) == {"p"}
    assert picked.optional == ("a",)
    without = {name: copy for name, copy in copies.items() if copy.vct != PERSOON}
    assert set(pick(without, *THREE, sets=OPTIONS).given) == {"q"}


def test_resident_may_choose_another_option(copies: dict[str, Copy]) -> None:
    assert set(pick(copies, *THREE, sets=OPTIONS, cards=(f"q={FIRST}",)).given) == {"q"}


def test_optional_queries_are_answered_on_the_residents_word_only(copies: dict[str, Copy]) -> None:
    assert set(pick(copies, *THREE, sets=OPTIONS, optional=True).given) == {"p", "a"}
    assert set(pick(copies, *THREE, sets=OPTIONS, cards=("a=adres",)).given) == {"p", "a"}


def test_set_that_cannot_be_satisfied_refuses_all(copies: dict[str, Copy]) -> None:
    nowhere = item("n", "urn:vreemd:nowhere:1")
    refused(
        "not_satisfiable", copies, *THREE, nowhere, sets=[{"options": [["p"]]}, {"options": [["n"], ["n", "q"]]}]
    )


def test_format_that_we_do_not_know_is_answered_by_another_option(copies: dict[str, Copy]) -> None:
    mdoc = {"id": "m", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"},
            "claims": [{"path": ["org.iso.18013.5.1", "family_name"]}]}  # fmt: skip
    assert set(pick(copies, mdoc, ANY_DIPLOMA, sets=[{"options": [["m"], ["q"]]}]).given) == {"q"}
    refused("no_card", copies, mdoc)


def test_card_that_is_bound_to_no_key_answers_only_who_does_without(copies: dict[str, Copy]) -> None:
    loose = {name: changed(copy, is_bound=False) for name, copy in copies.items() if copy.vct == DIPLOMA}
    refused("not_satisfiable", loose, ANY_DIPLOMA)
    assert pick(loose, {**ANY_DIPLOMA, "require_cryptographic_holder_binding": False}).given["q"]


def test_expired_card_answers_nothing(copies: dict[str, Copy]) -> None:
    old = {name: changed(copy, exp=NOW) for name, copy in copies.items()}
    refused("no_card", old, ANY_DIPLOMA)
    assert pick({name: changed(copy, exp=NOW + 1) for name, copy in copies.items()}, ANY_DIPLOMA)


def test_copies_are_used_up_before_one_is_shown_again(copies: dict[str, Copy]) -> None:
    mine = {name: copy for name, copy in copies.items() if copy.vct == DIPLOMA and copy.received < NOW}
    for _ in range(COPIES):
        (chosen,) = pick(mine, ANY_DIPLOMA).given["q"]
        assert mine[chosen.name].agency is None
        mine[chosen.name] = changed(mine[chosen.name], agency=ASKER)
    (again,) = pick(mine, ANY_DIPLOMA).given["q"]
    assert mine[again.name].agency == ASKER
    refused("no_copies_left", mine, ANY_DIPLOMA, asker="x509_san_dns:other.example")


def test_copy_of_somebody_else_is_shown_on_the_residents_word_only_and_last(copies: dict[str, Copy]) -> None:
    mine = {name: copy for name, copy in copies.items() if copy.vct == DIPLOMA and copy.received < NOW}
    names = sorted(mine)
    mine |= {name: changed(mine[name], agency="x509_san_dns:other.example") for name in names}
    refused("no_copies_left", mine, ANY_DIPLOMA)
    assert pick(mine, ANY_DIPLOMA, reuse=True).given["q"][0].name in names
    mine[names[-1]] = changed(mine[names[-1]], agency=ASKER)
    assert pick(mine, ANY_DIPLOMA, reuse=True).given["q"][0].name == names[-1]
    own = {name: changed(copy, agency="00000099000000009999") for name, copy in copies.items() if copy.set_id}
    refused("no_copies_left", own, item("q", ADRES, ["postcode"]), reuse=True)


def test_newer_data_goes_before_older(copies: dict[str, Copy]) -> None:
    newer = {
        f"new {name}": changed(copy, set_id=b.set_id(f"new {copy.number}"), batch="C" * 22, iat=copy.iat + DAY)
        for name, copy in copies.items()
        if copy.vct == ADRES
    }
    (chosen,) = pick({**copies, **newer}, item("q", ADRES, ["postcode"])).given["q"]
    assert chosen.name.startswith("new ")


# --- over the wire ---------------------------------------------------------------------------------------


@pytest.fixture
def shop() -> Iterator[ForeignVerifier]:
    with ForeignVerifier() as running:
        yield running


REGISTERED = strangers.registration(
    credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": [vct]}} for vct in (DIPLOMA, ADRES, PERSOON)]
)


def test_mixed_answer_shows_of_each_card_what_was_asked(opened: OpenWallet, shop: ForeignVerifier) -> None:
    query = {
        "credentials": [
            item("a", ADRES, ["postcode"]),
            item("q", DIPLOMA, ["person", "family_name"], multiple=True),
        ]
    }
    choice = ShareChoice(cards=(FIRST, LATER))
    shared = share_once(opened, shop.ask(query, registration=REGISTERED), choice=choice)
    assert shared.attributes == ["adres.postcode", "diploma.person.family_name", "diploma.faculty"]
    answer = shop.open_answer()
    assert {name: len(texts) for name, texts in answer.items()} == {"a": 1, "q": 2}
    opened_texts = [shop.open_presentation(text)[1] for text in answer["q"]]
    assert [sorted(str(one[1]) for one in shown) for shown in opened_texts] == [["family_name", "person"]] * 2
    spent = [copy for copy in opened.copies().values() if copy.agency == ASKER]
    assert sorted(copy.vct for copy in spent) == sorted([ADRES, PERSOON, DIPLOMA, DIPLOMA])
    salts = [one[0] for text in answer["q"] for one in shop.open_presentation(text)[1]]
    assert len(set(salts)) == len(salts)


def test_unbound_card_is_shown_without_a_key_binding(opened: OpenWallet, shop: ForeignVerifier) -> None:
    with opened.vault.transaction():
        for name in [name for name, copy in opened.copies().items() if copy.vct == DIPLOMA]:
            opened.vault.delete("copies", name)
        put(opened, strangers.diploma(None), "diploma", "D" * 22, 0, UNIVERSITY_ID, is_bound=False)
    query = {"credentials": [{**ANY_DIPLOMA, "require_cryptographic_holder_binding": False}]}
    share_once(opened, shop.ask(query, registration=REGISTERED))
    (text,) = shop.open_answer()["q"]
    assert text.endswith("~")


# --- whatever is asked of whatever is held ----------------------------------------------------------------------

PATHS = {
    DIPLOMA: [["degree"], ["person"], ["person", "family_name"], ["courses", None], ["courses", 1], ["nowhere"]],
    ADRES: [["postcode"], ["huisnummer"], ["geheimhouding"]],
    PERSOON: [["geslachtsnaam"], ["burgerservicenummer"]],
}


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    items = []
    for number in range(draw(st.integers(1, 3))):
        vct = draw(st.sampled_from(sorted(PATHS)))
        paths = draw(st.lists(st.sampled_from(PATHS[vct]), max_size=2, unique_by=str))
        items.append(item(f"q{number}", vct, *paths, multiple=draw(st.booleans())))
    query: dict[str, Any] = {"credentials": items}
    ids = [one["id"] for one in items]
    if draw(st.booleans()):
        options = st.lists(st.lists(st.sampled_from(ids), min_size=1, unique=True), min_size=1, max_size=3)
        sets = st.fixed_dictionaries({"options": options, "required": st.booleans()})
        query["credential_sets"] = draw(st.lists(sets, min_size=1, max_size=2))
    return query


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries(), spent=st.data(), optional=st.booleans())
def test_whatever_is_picked_keeps_the_rules(
    copies: dict[str, Copy], query: dict[str, Any], spent: st.DataObject, optional: bool
) -> None:
    """Nothing of another asker's, one set for an issuer, the paths asked, and every required query answered."""
    askers = st.sampled_from([None, None, ASKER, "x509_san_dns:other.example"])
    taken: dict[tuple[str, str], str | None] = {}
    held = {}
    for name, copy in copies.items():
        key = (copy.issuer, copy.set_id or name)
        taken.setdefault(key, spent.draw(askers))
        held[name] = changed(copy, agency=taken[key])
    parsed = parse_query(query)
    try:
        picked = pick_cards(held, parsed, ASKER, NOW, ShareChoice(optional=optional))
    except Rejected as refusal:
        assert refusal.code in ("no_card", "no_copies_left", "not_satisfiable")  # noqa: PT017
        return
    chosen = [one for many in picked.given.values() for one in many]
    assert {one.copy.agency for one in chosen} <= {None, ASKER}
    for issuer in {one.copy.issuer for one in chosen if one.copy.set_id}:
        assert len({one.copy.set_id for one in chosen if one.copy.issuer == issuer}) == 1
    for query_id, many in picked.given.items():
        asked = parsed.credential(query_id)
        assert len(many) == 1
        for one in many:
            assert one.copy.vct in asked.meta.vct_values
            assert one.paths == tuple(tuple(claim.path) for claim in asked.claims or ())
    if "credential_sets" not in query:
        assert set(picked.given) == {one["id"] for one in query["credentials"]}
    for one in query.get("credential_sets", ()):
        if one["required"]:
            assert any(set(option) <= set(picked.given) for option in one["options"])
