"""A person in the register becomes attributes: our fourteen, RvIG's 715, and what is no person."""

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.brp import MAX_PERSON_BYTES, Coded, Name, Person, parse_bsn, parse_person
from issuer.names import full_name
from issuer.register import (
    ADDRESS_VCT,
    AUTHORITY_VCT,
    FAMILY_VCT,
    PERSON_VCT,
    attributes_of,
    check_person,
    sized_attributes,
)
from protocol.attributes import CREDENTIAL_TYPES, fits
from protocol.disclosure import make_disclosure
from protocol.errors import Rejected
from tests.issuer.desk import PERSONS

TODAY = datetime.date(2026, 11, 22)
OURS = {json.loads(line)["burgerservicenummer"]: line for line in PERSONS.read_text("utf-8").splitlines()}


def attributes(bsn: str, vct: str, today: datetime.date = TODAY) -> dict[str, Any]:
    return dict(attributes_of(vct, parse_person(OURS[bsn]), today))


def changed(bsn: str, **members: Any) -> Person:
    """One of ours with members replaced or left out (...)."""
    record = {**json.loads(OURS[bsn]), **members}
    return parse_person(json.dumps({name: value for name, value in record.items() if value is not ...}))


def check_everything(person: Person) -> None:
    """Every type has exactly its attributes, and every disclosure fits its size."""
    for vct, kind in CREDENTIAL_TYPES.items():
        found = attributes_of(vct, person, TODAY)
        assert set(found) == set(kind.names)
        for name, value in found.items():
            assert fits(vct, name, make_disclosure(name, value, bytes(16)).encoded)


# ---- all of them


@pytest.mark.parametrize("bsn", OURS)
def test_every_person_of_ours_becomes_every_credential(bsn: str) -> None:
    check_everything(parse_person(OURS[bsn]))


@pytest.mark.shared
def test_every_person_of_rvig_becomes_every_credential(shared: Path) -> None:
    lines = (shared / "data/brp/personen.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 715
    for line in lines:
        check_everything(parse_person(line))


def test_full_names_of_our_persons_can_be_composed() -> None:
    for line in OURS.values():
        person = parse_person(line)
        assert person.naam is not None
        without = msgspec.structs.replace(person.naam, volledigeNaam=None)
        assert full_name(without, person.geslacht) == person.naam.volledigeNaam


@pytest.mark.shared
def test_full_names_are_composed_as_rvig_does(shared: Path) -> None:
    lines = (shared / "data/brp/personen.jsonl").read_text("utf-8").splitlines()
    for person in map(parse_person, lines):
        assert person.naam is not None
        without = msgspec.structs.replace(person.naam, volledigeNaam=None)
        assert full_name(without, person.geslacht) == person.naam.volledigeNaam


@pytest.mark.shared
def test_worked_examples_of_full_names_come_out(shared: Path) -> None:
    count = 0
    for line in (shared / "data/brp/voorbeelden-afleidingen.jsonl").read_text("utf-8").splitlines():
        example = json.loads(line)
        given_ = example["voorbeeld"]
        if example["feature"] != "naam/volledigeNaam.feature" or "volledigeNaam" not in given_:
            continue
        title = given_.get("adellijkeTitelPredicaat")
        name = Name(
            voornamen=given_.get("voornamen") or None,
            voorvoegsel=given_.get("voorvoegsel") or None,
            geslachtsnaam=given_.get("geslachtsnaam") or None,
            adellijkeTitelPredicaat=Coded(code=title) if title else None,
        )
        expected = given_["volledigeNaam"] or None
        assert full_name(name, Coded(code=given_.get("geslacht"))) == expected, example["scenario"]
        count += 1
    assert count > 25


@pytest.mark.shared
def test_numbers_of_our_persons_are_not_rvigs(shared: Path) -> None:
    known = (shared / "data/brp/personen.jsonl").read_text("utf-8")
    for bsn in OURS:
        assert bsn not in known


def test_numbers_of_our_persons_are_test_numbers() -> None:
    assert len(OURS) >= 12
    for bsn in OURS:
        assert bsn.startswith("999")
        assert parse_bsn(bsn) == bsn


# ---- persoon


def test_plain_person() -> None:
    found = attributes("999100002", PERSON_VCT)
    assert found["volledigeNaam"] == "Noor Elisabeth Verhulst"
    assert found["voorvoegsel"] is None
    assert found["geboortedatum"] == "1987-04-12"
    assert found["geboorteplaats"] == "Lindehaven"
    assert found["geslacht"] == "vrouw"
    assert found["nationaliteiten"] == [{"type": "Nationaliteit", "code": "0001", "omschrijving": "Nederlandse"}]
    assert (found["geheimhouding"], found["inOnderzoek"], found["opschorting"]) == (False, [], False)


def test_minor_of_seventeen() -> None:
    found = attributes("999103477", PERSON_VCT)
    ages = [found[f"leeftijdBoven{years}"] for years in (12, 16, 18, 21, 65)]
    assert ages == ["ja", "ja", "nee", "nee", "nee"]


def test_birth_year_alone_answers_what_it_can() -> None:
    found = attributes("999106934", PERSON_VCT)
    assert found["geboortedatum"] == "1971"
    assert found["leeftijdBoven18"] == "ja"
    assert attributes("999106934", PERSON_VCT, datetime.date(2036, 6, 1))["leeftijdBoven65"] == "onbekend"
    assert attributes("999106934", PERSON_VCT, datetime.date(2037, 1, 1))["leeftijdBoven65"] == "ja"


def test_unknown_day_in_the_very_month_is_unknown() -> None:
    def age(month: int, day: int) -> Any:
        return attributes("999108669", PERSON_VCT, datetime.date(2026, month, day))["leeftijdBoven18"]

    assert [age(10, 31), age(11, 1), age(11, 29), age(11, 30), age(12, 1)] == [
        "nee", "onbekend", "onbekend", "ja", "ja",
    ]  # fmt: skip


def test_nothing_known_about_birth() -> None:
    found = attributes("999122538", PERSON_VCT)
    assert found["geboortedatum"] == "onbekend"
    assert found["geboorteplaats"] is None
    assert found["leeftijdBoven12"] == "onbekend"
    assert found["nationaliteiten"] == [{"type": "Staatloos"}]
    assert "geboortedatum" in found["inOnderzoek"]
    assert "leeftijdBoven18" in found["inOnderzoek"]
    without = dict(attributes_of(PERSON_VCT, changed("999100002", geboorte=...), TODAY))
    assert without["geboortedatum"] is None
    assert without["leeftijdBoven18"] == "onbekend"


def test_the_deceased_have_no_age() -> None:
    found = attributes("999119072", PERSON_VCT)
    assert {found[f"leeftijdBoven{years}"] for years in (12, 16, 18, 21, 65)} == {"onbekend"}
    assert found["opschorting"] == {"reden": "overlijden", "datum": "2023-10-06"}
    suspended = changed("999119072", overlijden=...)
    assert attributes_of(PERSON_VCT, suspended, TODAY)["leeftijdBoven65"] == "onbekend"


def test_emigrated_people_keep_their_age() -> None:
    assert attributes("999113872", PERSON_VCT)["leeftijdBoven65"] == "ja"


def test_person_without_surname_and_one_without_first_names() -> None:
    assert attributes("999112132", PERSON_VCT)["geslachtsnaam"] is None
    assert attributes("999112132", PERSON_VCT)["volledigeNaam"] == "Melati Kusuma"
    assert attributes("999122538", PERSON_VCT)["voornamen"] is None
    assert attributes_of(PERSON_VCT, changed("999100002", naam=...), TODAY)["volledigeNaam"] is None


def test_secrecy_is_a_flag_of_every_credential() -> None:
    for vct in CREDENTIAL_TYPES:
        assert attributes("999110408", vct)["geheimhouding"] is True


def test_code_without_text_stands_for_itself() -> None:
    """RvIG's table of countries is newer than its API in two test persons."""
    person = changed("999100002", geboorte={"land": {"code": "5113"}})
    assert attributes_of(PERSON_VCT, person, TODAY)["geboorteland"] == "5113"


def test_values_that_break_the_pattern_of_the_specification_are_taken() -> None:
    person = changed("999100002", naam={"voornamen": 'A+B/C @ "D" <E> & ?', "geslachtsnaam": "°"})
    assert attributes_of(PERSON_VCT, person, TODAY)["volledigeNaam"] == 'A+B/C @ "D" <E> & ? °'


# ---- adres


def test_address() -> None:
    found = attributes("999100002", ADDRESS_VCT)
    assert (found["straat"], found["huisnummer"], found["huisletter"]) == ("Kersenlaan", 12, "B")
    assert (found["toevoeging"], found["postcode"], found["woonplaats"]) == (None, "9901SA", "Lindehaven")
    assert found["adresregel1"] == "Kersenlaan 12B"
    assert (found["land"], found["soort"], found["datumVan"]) == ("Nederland", "woonadres", "2026-09-01")


def test_correspondence_address_is_said_to_be_one() -> None:
    assert attributes("999110408", ADDRESS_VCT)["soort"] == "briefadres"


def test_houseboat_has_lines_and_no_street() -> None:
    found = attributes("999115601", ADDRESS_VCT)
    assert found["straat"] is None
    assert found["huisnummer"] is None
    assert found["adresregel1"] == "Woonboot De Waterlelie, Rietkade"
    assert (found["land"], found["datumVan"]) == ("Nederland", "1998-07")


def test_foreign_address() -> None:
    found = attributes("999113872", ADDRESS_VCT)
    assert (found["land"], found["soort"], found["postcode"]) == ("Portugal", "buitenland", None)
    assert found["adresregel2"] == "8000-994 Faro"


def test_unknown_residence_and_none_at_all() -> None:
    found = attributes("999122538", ADDRESS_VCT)
    assert (found["soort"], found["land"], found["adresregel1"]) == ("onbekend", None, None)
    none = attributes_of(ADDRESS_VCT, changed("999100002", verblijfplaats=..., adressering=...), TODAY)
    assert (none["soort"], none["land"], none["datumVan"]) == (None, None, None)


def test_address_where_nobody_was_found_says_so() -> None:
    assert attributes("999112132", ADDRESS_VCT)["soort"] == "woonadres, vastgesteld verblijft niet op adres"


def test_investigation_names_the_attributes_of_this_credential() -> None:
    record = json.loads(OURS["999100002"])
    residence = record["verblijfplaats"]
    residence["inOnderzoek"] = {"datumVan": True, "type": True, "iets": True, "postcode": False}
    residence["verblijfadres"]["inOnderzoek"] = {"postcode": True, "huisnummer": True}
    person = changed("999100002", verblijfplaats=residence, inOnderzoek={"burgerservicenummer": True})
    found = attributes_of(ADDRESS_VCT, person, TODAY)["inOnderzoek"]
    assert found == ["adresregel1", "adresregel2", "datumVan", "huisnummer", "postcode", "soort"]
    assert attributes_of(PERSON_VCT, person, TODAY)["inOnderzoek"] == ["burgerservicenummer"]
    assert attributes_of(FAMILY_VCT, person, TODAY)["inOnderzoek"] == []


def test_everything_under_investigation_still_fits() -> None:
    record = json.loads(OURS["999100002"])
    everything = dict.fromkeys(("burgerservicenummer", "geslacht", "leeftijd", "gemeenteVanInschrijving"), True)
    names = dict.fromkeys(("voornamen", "voorvoegsel", "geslachtsnaam", "volledigeNaam"), True)
    birth = dict.fromkeys(("datum", "plaats", "land"), True)
    record["naam"]["inOnderzoek"] = names
    record["geboorte"]["inOnderzoek"] = birth
    record["nationaliteiten"][0]["inOnderzoek"] = {"type": True}
    record["verblijfplaats"]["inOnderzoek"] = {"datumVan": True, "functieAdres": True}
    address = ("officieleStraatnaam", "huisnummer", "huisletter", "huisnummertoevoeging", "postcode", "woonplaats")
    record["verblijfplaats"]["verblijfadres"]["inOnderzoek"] = dict.fromkeys((*address, "regel3", "land"), True)
    for group in ("partners", "kinderen", "ouders"):
        record[group][0]["inOnderzoek"] = {"burgerservicenummer": True}
    person = parse_person(json.dumps({**record, "inOnderzoek": everything}))
    check_everything(person)
    assert len(attributes_of(PERSON_VCT, person, TODAY)["inOnderzoek"]) == 15  # type: ignore[arg-type]
    assert attributes_of(FAMILY_VCT, person, TODAY)["inOnderzoek"] == [
        "burgerlijkeStaat", "kinderen", "ouders", "partner",
    ]  # fmt: skip


# ---- gezin


def test_family_refers_to_each_other_without_numbers() -> None:
    found = attributes("999100002", FAMILY_VCT)
    assert found["burgerlijkeStaat"] == "gehuwd"
    assert found["partner"] == {
        "naam": "Jelle Brandsma", "geboortedatum": "1985-11-03", "soortVerbintenis": "huwelijk",
    }  # fmt: skip
    assert [child["naam"] for child in found["kinderen"]] == ["Tijn Hidde Brandsma", "Wende Brandsma"]
    assert [parent["geboortedatum"] for parent in found["ouders"]] == ["1956-01-17", "1954"]
    assert "999" not in json.dumps(found)
    assert attributes("999101742", FAMILY_VCT)["partner"]["naam"] == "Noor Elisabeth Verhulst"
    assert attributes("999103477", FAMILY_VCT)["ouders"][0]["naam"] == "Noor Elisabeth Verhulst"


def test_ended_partnership_is_no_partner() -> None:
    found = attributes("999110408", FAMILY_VCT)
    assert found["partner"] is None
    assert found["burgerlijkeStaat"] == "huwelijk of partnerschap beëindigd"


def test_registered_partner_with_a_predicate() -> None:
    found = attributes("999115601", FAMILY_VCT)
    assert found["burgerlijkeStaat"] == "geregistreerd partnerschap"
    assert found["partner"]["naam"] == "jonkheer Anton Marius de Loof"


def test_person_without_relatives_has_empty_lists() -> None:
    found = attributes("999117336", FAMILY_VCT)
    assert (found["partner"], found["kinderen"], found["ouders"]) == (None, [], [])


def test_parent_of_whom_nothing_is_known_is_counted() -> None:
    person = changed("999117336", ouders=[{"ouderAanduiding": "1"}])
    assert attributes_of(FAMILY_VCT, person, TODAY)["ouders"] == [{"naam": None, "geboortedatum": None}]


# ---- gezag


def test_parental_responsibility_is_told_from_both_sides_without_numbers() -> None:
    child = attributes("999105206", AUTHORITY_VCT)
    assert child["gezag"] == [
        {
            "type": "GezamenlijkOuderlijkGezag",
            "wie": [
                {"rol": "ouder", "naam": "Noor Elisabeth Verhulst", "geboortedatum": "1987-04-12"},
                {"rol": "ouder", "naam": "Jelle Brandsma", "geboortedatum": "1985-11-03"},
            ],
        }
    ]
    assert (child["gezagOver"], child["curatele"]) == ([], False)
    mother = attributes("999100002", AUTHORITY_VCT)
    assert mother["gezag"] == []
    assert mother["gezagOver"][1] == {
        "type": "GezamenlijkOuderlijkGezag", "naam": "Wende Brandsma", "geboortedatum": "2014-09-30",
    }  # fmt: skip
    assert "999" not in json.dumps([child, mother])


def test_undetermined_and_guardianship_are_values_and_no_errors() -> None:
    minor = {"burgerservicenummer": "999105206", "naam": {"volledigeNaam": "Wende Brandsma"}}
    person = changed(
        "999105206",
        gezag=[
            {
                "type": "GezagNietTeBepalen",
                "minderjarige": minor,
                "toelichting": "buitenland",
                "inOnderzoek": True,
            },
            {"type": "Voogdij", "minderjarige": minor, "derden": [{"type": "BekendeDerde"}]},
        ],
        indicatieCurateleRegister=True,
        inOnderzoek={"indicatieCurateleRegister": True},
    )
    found = attributes_of(AUTHORITY_VCT, person, TODAY)
    assert found["gezag"] == [
        {"type": "GezagNietTeBepalen", "wie": [], "toelichting": "buitenland"},
        {"type": "Voogdij", "wie": [{"rol": "voogd", "naam": None, "geboortedatum": None}]},
    ]
    assert (found["curatele"], found["inOnderzoek"]) == (True, ["curatele", "gezag"])


# ---- refusals


@pytest.mark.parametrize(
    "bsn",
    [
        "",
        "123456789",
        "999100003",
        "99910000",
        "9991000022",
        "000000000",
        "99910000a",
        "９９９１００００２",
        "-99100002",
    ],
)
def test_number_that_is_no_bsn_is_refused_and_not_repeated(bsn: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_bsn(bsn)
    assert caught.value.code == "bad_bsn"
    assert not bsn or bsn not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "{}", '{"burgerservicenummer":999100002}', "[" * 5000])
def test_line_that_is_no_object_with_a_bsn_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_person(text)
    assert caught.value.code == "bad_person"


@pytest.mark.parametrize(
    "member",
    [
        '"naam":[]',
        '"naam":{"voornamen":5}',
        '"kinderen":{}',
        '"partners":[1]',
        '"naam":{},"naam":{}',
        '"geheimhoudingPersoonsgegevens":"ja"',
        '"nationaliteiten":[{}]',
        '"verblijfplaats":{"type":"Adres","verblijfadres":{"huisnummer":"12"}}',
    ],
)
def test_person_of_another_form_is_refused_and_not_repeated(member: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_person(f'{{"burgerservicenummer":"999100002",{member}}}')
    assert caught.value.code == "bad_person"
    assert "999100002" not in str(caught.value)


def test_person_is_read_up_to_its_limit() -> None:
    line = OURS["999100002"].encode()
    fits_ = line + b" " * (MAX_PERSON_BYTES - len(line))
    assert parse_person(fits_)
    with pytest.raises(Rejected) as caught:
        parse_person(fits_ + b" ")
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    "date",
    [{"type": "Datum"}, {"type": "Datum", "datum": "2021-02-30"}, {"type": "JaarDatum"}, {"type": "Eeuw"},
     {"type": "JaarMaandDatum", "jaar": 2000}, {"type": "JaarMaandDatum", "jaar": 2000, "maand": 13},
     {"type": "JaarDatum", "jaar": 12345}, {"type": "JaarDatum", "jaar": 9007199254740991}],
)  # fmt: skip
def test_date_that_is_none_is_refused(date: dict[str, Any]) -> None:
    person = changed("999100002", geboorte={"datum": date})
    with pytest.raises(Rejected) as caught:
        check_person(person, TODAY)
    assert caught.value.code == "bad_date"


def test_unknown_credential_type_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        attributes_of("urn:regie:nl:rijbewijs:1", parse_person(OURS["999100002"]), TODAY)
    assert caught.value.code == "unknown_vct"


def test_attribute_fills_its_size_and_no_more() -> None:
    def street(length: int) -> Person:
        record = json.loads(OURS["999100002"])
        record["verblijfplaats"]["verblijfadres"]["officieleStraatnaam"] = "s" * length
        return parse_person(json.dumps(record))

    longest = max(length for length in range(100, 200) if _fits(street(length)))
    assert sized_attributes(ADDRESS_VCT, street(longest), TODAY)["straat"] == "s" * longest
    with pytest.raises(Rejected) as caught:
        check_person(street(longest + 1), TODAY)
    assert caught.value.code == "attribute_too_large"
    assert "straat" in caught.value.detail


def _fits(person: Person) -> bool:
    try:
        sized_attributes(ADDRESS_VCT, person, TODAY)
    except Rejected:
        return False
    return True


def test_family_that_is_too_large_for_its_size_is_refused() -> None:
    child = {
        "naam": {"voornamen": "Aafke", "geslachtsnaam": "Brandsma"},
        "geboorte": {"datum": {"type": "DatumOnbekend"}},
    }
    check_person(changed("999100002", kinderen=[child] * 40), TODAY)
    with pytest.raises(Rejected) as caught:
        check_person(changed("999100002", kinderen=[child] * 60), TODAY)
    assert caught.value.code == "attribute_too_large"


_leaf = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
_tree = st.recursive(
    _leaf,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "datum", "land", "code", "omschrijving", "naam", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(json.loads(OURS["999100002"]))), _tree)
def test_register_that_answers_nonsense_is_refused_and_never_more(member: str, value: Any) -> None:
    record = {**json.loads(OURS["999100002"]), member: value}
    try:
        check_person(parse_person(json.dumps(record)), TODAY)
    except Rejected:
        return
