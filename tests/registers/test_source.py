"""The example source of BRP API Personen on examples of our own: what it derives, what it gives of what was asked
for, and how it refuses.
"""

import datetime
import json
from typing import Any

import pytest

from examples.brp_source.__main__ import PERSONS
from examples.brp_source.app import Source, make_brp, read_persons
from examples.brp_source.derive import person_of
from examples.brp_source.fields import PATHS, is_automatic, select
from examples.brp_source.problems import BY_BSN, PATH
from tests.conftest import SHARED
from tests.registers.givens import record

TODAY = datetime.date(2026, 7, 15)
NOOR = "999100002"
MEVROUW = record(geslacht="V", voornamen="Lotte Ida", voorvoegsel="ten", geslachtsnaam="Brinke", naamgebruik="E")
LUNDEN = record(voorvoegsel="van", geslachtsnaam="Lunden")


def forms(person: dict[str, Any], *partners: dict[str, Any], use: str = "") -> dict[str, Any]:
    """The three forms of address."""
    person = {**person, "partners": list(partners)}
    if use:
        person["naam"] = {**person["naam"], "aanduidingNaamgebruik": {"code": use}}
    found: dict[str, Any] = person_of(person, TODAY)["adressering"]
    return found


def titled(person: dict[str, Any], title: str, **changes: Any) -> dict[str, Any]:
    return {**person, **changes, "naam": {**person["naam"], "adellijkeTitelPredicaat": {"code": title}}}


@pytest.mark.parametrize(
    ("use", "opening", "address", "sentence"),
    [
        ("E", "Geachte mevrouw Ten Brinke", "L.I. ten Brinke", "mevrouw Ten Brinke"),
        ("P", "Geachte mevrouw Van Lunden", "L.I. van Lunden", "mevrouw Van Lunden"),
        (
            "V",
            "Geachte mevrouw Van Lunden-ten Brinke",
            "L.I. van Lunden-ten Brinke",
            "mevrouw Van Lunden-ten Brinke",
        ),
        (
            "N",
            "Geachte mevrouw Ten Brinke-van Lunden",
            "L.I. ten Brinke-van Lunden",
            "mevrouw Ten Brinke-van Lunden",
        ),
    ],
)
def test_a_woman_is_addressed_as_she_chose(use: str, opening: str, address: str, sentence: str) -> None:
    assert forms(MEVROUW, LUNDEN, use=use) == {
        "aanhef": opening,
        "aanschrijfwijze": {"naam": address},
        "gebruikInLopendeTekst": sentence,
    }


def test_a_choice_for_the_name_of_a_partner_who_never_was_gives_the_own_name() -> None:
    assert forms(MEVROUW, use="P")["aanhef"] == "Geachte mevrouw Ten Brinke"


def test_the_last_of_two_former_partners_gives_the_name() -> None:
    before = record(geslachtsnaam="Eerder", ontbonden="20010203")
    later = record(geslachtsnaam="Later", ontbonden="20110203")
    assert forms(MEVROUW, later, before, use="P")["aanhef"] == "Geachte mevrouw Later"


def test_titles_go_with_the_name_that_they_are_of() -> None:
    baron, countess = titled(LUNDEN, "B"), titled(MEVROUW, "GI")
    assert forms(MEVROUW, baron, use="N") == {
        "aanhef": "Hoogwelgeboren vrouwe",
        "aanschrijfwijze": {
            "naam": "L.I. ten Brinke-barones van Lunden",
            "aanspreekvorm": "De hoogwelgeboren vrouwe",
        },
        "gebruikInLopendeTekst": "mevrouw Ten Brinke-barones van Lunden",
    }
    assert forms(countess)["gebruikInLopendeTekst"] == "gravin ten Brinke"
    assert forms(countess)["aanschrijfwijze"]["aanspreekvorm"] == "De hooggeboren vrouwe"
    married = titled(LUNDEN, "B", geslacht={"code": "V"})
    assert forms(countess, married, use="N")["aanhef"] == "Hooggeboren vrouwe"


def test_a_predicate_stands_before_the_initials_and_a_married_woman_has_none() -> None:
    lady = titled(MEVROUW, "JV")
    assert forms(lady)["aanschrijfwijze"] == {
        "naam": "Jonkvrouw L.I. ten Brinke",
        "aanspreekvorm": "De hoogwelgeboren vrouwe",
    }
    assert forms(lady, LUNDEN)["aanschrijfwijze"] == {"naam": "L.I. ten Brinke"}


def test_a_prince_is_a_highness_in_every_gender_and_a_woman_is_no_ridder() -> None:
    prince = titled(MEVROUW, "P", geslacht={"code": "O"})
    assert forms(prince)["aanschrijfwijze"] == {"naam": "L.I. ten Brinke", "aanspreekvorm": "De hoogheid"}
    assert forms(titled(MEVROUW, "R"))["aanschrijfwijze"] == {"naam": "L.I. ten Brinke"}


def test_nobody_is_addressed_by_a_name_that_is_not_known() -> None:
    nameless = record(geslacht="M", voornamen="Ali", geslachtsnaam=".")
    assert forms(nameless) == {}
    assert forms(nameless, LUNDEN, use="P")["gebruikInLopendeTekst"] == "de heer Van Lunden"
    assert forms(MEVROUW, record(geslachtsnaam="."), use="P")["aanhef"] == "Geachte mevrouw Ten Brinke"


@pytest.mark.parametrize(
    ("first", "initials"), [("Noor Elisabeth", "N.E."), ("Q Ida", "Q I."), ("Ida Q", "I.Q"), ("Jan-Kees", "J.")]
)
def test_initials_of_first_names(first: str, initials: str) -> None:
    assert person_of({"naam": {"voornamen": first}}, TODAY)["naam"]["voorletters"] == initials


@pytest.mark.parametrize(
    ("birth", "age"),
    [("20000715", 26), ("20000716", 25), ("20000600", 26), ("20000700", None), ("20000000", None)],
)
def test_an_age_is_given_where_the_birth_date_leaves_no_doubt(birth: str, age: int | None) -> None:
    person = {"geboorte": {"datum": birth}}
    assert person_of(person, TODAY).get("leeftijd") == age
    assert "leeftijd" not in person_of({**person, "overlijden": {"datum": "20200101"}}, TODAY)


def test_dates_and_nationalities_of_the_gba_become_those_of_the_api() -> None:
    person = person_of(
        {
            "geboorte": {"datum": "19630000"},
            "overlijden": {"datum": "00000000"},
            "nationaliteiten": [{"nationaliteit": {"code": code}} for code in ("0001", "0499", "0000", "0500")],
        },
        TODAY,
    )
    assert person["geboorte"]["datum"] == {"type": "JaarDatum", "jaar": 1963, "langFormaat": "1963"}
    assert person["overlijden"]["datum"]["type"] == "DatumOnbekend"
    kinds = [item["type"] for item in person["nationaliteiten"]]
    assert kinds == ["Nationaliteit", "Staatloos", "NationaliteitOnbekend", "VastgesteldNietNederlander"]


# ---- fields


NOOR_AS_ANSWERED = person_of(read_persons(PERSONS)[NOOR], TODAY)


def test_only_what_was_asked_for_is_given() -> None:
    fields = ["naam.geslachtsnaam", "geboorte.datum.jaar", "geslacht.code", "kinderen.naam.voornamen", "leeftijd"]
    assert select(NOOR_AS_ANSWERED, fields) == {
        "naam": {"geslachtsnaam": "Verhulst"},
        "geboorte": {"datum": {"type": "Datum", "datum": "1987-04-12", "langFormaat": "12 april 1987"}},
        "geslacht": {"code": "V", "omschrijving": "vrouw"},
        "kinderen": [{"naam": {"voornamen": "Tijn Hidde"}}, {"naam": {"voornamen": "Wende"}}],
        "leeftijd": 39,
    }
    assert select(NOOR_AS_ANSWERED, ["naam.adellijkeTitelPredicaat", "overlijden"]) == {}


def test_what_nobody_may_ask_for_goes_along() -> None:
    date = {"type": "Datum", "datum": "2026-02-03", "langFormaat": "3 februari 2026"}
    person = {
        "naam": {"voornamen": "Noor", "inOnderzoek": {"voornamen": True, "datumIngangOnderzoek": date}},
        "geslacht": {"code": "V"},
        "leeftijd": 4,
        "inOnderzoek": {"leeftijd": True, "geslacht": True, "datumIngangOnderzoekPersoon": date},
        "geheimhoudingPersoonsgegevens": True,
        "opschortingBijhouding": {"reden": {"code": "E"}},
        "verblijfplaats": {"type": "Adres", "indicatieVastgesteldVerblijftNietOpAdres": True, "datumVan": date},
    }
    assert select(person, ["geslacht", "naam.voorvoegsel", "verblijfplaats.functieAdres"]) == {
        "geheimhoudingPersoonsgegevens": True,
        "opschortingBijhouding": {"reden": {"code": "E"}},
        "geslacht": {"code": "V"},
        "inOnderzoek": {"geslacht": True, "datumIngangOnderzoekPersoon": date},
        "verblijfplaats": {"type": "Adres", "indicatieVastgesteldVerblijftNietOpAdres": True},
    }
    assert select(person, ["naam.voornamen"])["naam"] == person["naam"]


def test_an_alias_gives_no_address_abroad() -> None:
    home = {"type": "Adres", "verblijfadres": {"huisnummer": 4, "postcode": "9901SA"}}
    away = {"type": "VerblijfplaatsBuitenland", "verblijfadres": {"regel1": "1 Main Street"}}
    lines = {"adresregel1": "Straat 1", "aanhef": "Geachte heer Vis"}
    asked = ["verblijfplaatsBinnenland.verblijfadres.huisnummer", "adresseringBinnenland"]
    assert select({"verblijfplaats": home, "adressering": lines}, asked) == {
        "verblijfplaats": {"type": "Adres", "verblijfadres": {"huisnummer": 4}},
        "adressering": lines,
    }
    assert select({"verblijfplaats": away, "adressering": lines}, asked) == {
        "verblijfplaats": {"type": "VerblijfplaatsBuitenland"},
        "adressering": {"aanhef": "Geachte heer Vis"},
    }


@pytest.mark.shared
def test_the_paths_that_may_be_asked_for_are_those_of_rvig() -> None:
    lines = (SHARED / "data" / "brp" / "fields-persoon.csv").read_text().split()[1:]
    assert len(lines) == 352
    assert frozenset(lines) == PATHS
    assert not any(is_automatic(path) for path in PATHS)


# ---- requests


@pytest.mark.parametrize(
    ("change", "code", "name", "reason"),
    [
        ({"type": "Zoek"}, "value", "type", "Waarde is geen geldig zoek type."),
        ({"fields": []}, "minItems", "fields", "Array bevat minder dan 1 items."),
        ({"fields": ["naam"] * 131}, "maxItems", "fields", "Array bevat meer dan 130 items."),
        ({"fields": "naam"}, "array", "fields", "Parameter is geen array."),
        ({"fields": ["rni"]}, "fields", "fields[0]", "Parameter bevat een niet toegestane veldnaam."),
        ({"fields": ["naam.x"]}, "fields", "fields[0]", "Parameter bevat een niet bestaande veldnaam."),
        (
            {"burgerservicenummer": [NOOR, "99910000a"]},
            "pattern",
            "burgerservicenummer[1]",
            "Waarde voldoet niet aan patroon ^[0-9]{9}$.",
        ),
        (
            {"burgerservicenummer": [NOOR] * 21},
            "maxItems",
            "burgerservicenummer",
            "Array bevat meer dan 20 items.",
        ),
        ({"gemeenteVanInschrijving": "12"}, "pattern", "gemeenteVanInschrijving", None),
        ({"postcode": "9901SA"}, "unknownParam", "postcode", "Parameter is niet verwacht."),
    ],
)
def test_a_wrong_request_is_refused_and_told_why(
    change: dict[str, Any], code: str, name: str, reason: str | None
) -> None:
    source = Source(read_persons(PERSONS))
    body = {"type": BY_BSN, "burgerservicenummer": [NOOR], "fields": ["naam"], **change}
    answer = make_brp(source).test_client().post(PATH, json=body)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (400, "paramsValidation")
    assert problem["detail"] == f"De foutieve parameter(s) zijn: {name}."
    (param,) = problem["invalidParams"]
    assert (param["code"], param["name"], param["reason"] if reason else None) == (code, name, reason)
    assert source.asked == []


def test_a_missing_list_and_a_body_that_is_no_json_are_refused() -> None:
    client = make_brp(Source({})).test_client()
    names = [param["name"] for param in client.post(PATH, json={"type": BY_BSN}).get_json()["invalidParams"]]
    assert names == ["burgerservicenummer", "fields"]
    broken = client.post(PATH, data="{", content_type="application/json").get_json()
    assert broken["invalidParams"][0]["code"] == "required"


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Accept", "text/html", 406),
        ("Accept", "application/json; charset=latin1", 406),
        ("Accept", "text/html, */*;q=0.1", 200),
        ("Content-Type", "text/plain", 415),
        ("Content-Type", "application/json; charset=latin1", 415),
        ("X-API-KEY", "wrong", 401),
    ],
)
def test_headers_decide_before_the_body_does(header: str, value: str, status: int) -> None:
    client = make_brp(Source(read_persons(PERSONS), key="right")).test_client()
    body = json.dumps({"type": BY_BSN, "burgerservicenummer": [NOOR], "fields": ["naam"]})
    headers = {"Content-Type": "application/json", "X-API-KEY": "right", header: value}
    assert client.post(PATH, data=body, headers=headers).status_code == status


def test_who_may_not_see_addresses_abroad_has_to_ask_by_the_alias() -> None:
    client = make_brp(Source(read_persons(PERSONS), is_domestic_only=True)).test_client()
    body = {"type": BY_BSN, "burgerservicenummer": [NOOR], "fields": ["verblijfplaats.datumVan"]}
    assert client.post(PATH, json=body).get_json()["code"] == "unauthorizedField"
    body["fields"] = ["verblijfplaatsBinnenland.datumVan"]
    assert client.post(PATH, json=body).get_json()["personen"][0]["verblijfplaats"]["type"] == "Adres"


def test_persons_come_once_and_only_of_the_municipality_asked_for() -> None:
    client = make_brp(Source(read_persons(PERSONS))).test_client()
    body = {
        "type": BY_BSN,
        "burgerservicenummer": [NOOR, NOOR, "999999990"],
        "fields": ["burgerservicenummer"],
        "gemeenteVanInschrijving": "9901",
    }
    assert client.post(PATH, json=body).get_json() == {
        "type": BY_BSN,
        "personen": [{"burgerservicenummer": NOOR}],
    }
    assert client.post(PATH, json={**body, "gemeenteVanInschrijving": "0599"}).get_json()["personen"] == []


def test_a_source_in_trouble_says_when_to_come_back() -> None:
    client = make_brp(Source(read_persons(PERSONS), trouble=[429, 503])).test_client()
    body = {"type": BY_BSN, "burgerservicenummer": [NOOR], "fields": ["naam"]}
    answers = [client.post(PATH, json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 503, 200]
    assert answers[0].headers["Retry-After"] == "1"


@pytest.mark.shared
def test_rvigs_own_persons_are_answered_as_they_were_derived_before() -> None:
    """Initials, full names and dates of all 715, which were derived elsewhere from the same texts."""
    answered = read_persons(SHARED / "data" / "brp" / "personen.jsonl")
    kept = read_persons(SHARED / "data" / "brp" / "personen-gba.jsonl")
    assert len(kept) == 715
    for bsn, gba in kept.items():
        found, expected = person_of(gba, TODAY), answered[bsn]
        for part in ("naam", "geboorte", "overlijden", "partners", "kinderen", "nationaliteiten"):
            assert not _differences(found.get(part), expected.get(part)), (part, expected["naam"])


def _differences(found: Any, expected: Any) -> list[Any]:
    """Members that are in both and differ; what the source leaves to its file is not compared."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return [
            item for name in found.keys() & expected.keys() for item in _differences(found[name], expected[name])
        ]
    if isinstance(found, list) and isinstance(expected, list):
        return [item for one, other in zip(found, expected, strict=False) for item in _differences(one, other)]
    return [] if found == expected else [(found, expected)]
