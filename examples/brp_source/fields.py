"""`fields`: which paths a request may name, and what of a person an answer then holds. Pure.

A path may end inside a date or a coded value; the whole of it is given. A group gives all of its members. What
nobody may ask for goes along by itself: secrecy, the suspension of the record, RNI, verification, what of the
asked fields is under investigation, and that somebody was found not to live at the address.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Tree = Mapping[str, "Tree"]
_LEAF: Tree = {}
_DATE: Tree = dict.fromkeys(("langFormaat", "type", "datum", "onbekend", "jaar", "maand"), _LEAF)
_CODED: Tree = dict.fromkeys(("code", "omschrijving"), _LEAF)
_BIRTH: Tree = {"datum": _DATE, "land": _CODED, "plaats": _CODED}
_RELATIVE_NAME: Tree = {
    "adellijkeTitelPredicaat": {**_CODED, "soort": _LEAF},
    **dict.fromkeys(("geslachtsnaam", "voorletters", "voornamen", "voorvoegsel"), _LEAF),
}
_RELATIVE: Tree = {"burgerservicenummer": _LEAF, "geboorte": _BIRTH, "naam": _RELATIVE_NAME}
_FORMS: Tree = {
    "aanhef": _LEAF,
    "aanschrijfwijze": {"aanspreekvorm": _LEAF, "naam": _LEAF},
    "gebruikInLopendeTekst": _LEAF,
}
_DOMESTIC: Tree = {
    "aanduidingBijHuisnummer": _CODED,
    **dict.fromkeys(
        (
            "huisletter",
            "huisnummer",
            "huisnummertoevoeging",
            "korteStraatnaam",
            "officieleStraatnaam",
            "postcode",
            "woonplaats",
            "locatiebeschrijving",
        ),
        _LEAF,
    ),
}
_RESIDENCE: Tree = {
    "type": _LEAF,
    "datumIngangGeldigheid": _DATE,
    "datumVan": _DATE,
    "adresseerbaarObjectIdentificatie": _LEAF,
    "functieAdres": _CODED,
    "nummeraanduidingIdentificatie": _LEAF,
}
_BY_BSN: Tree = {"burgerservicenummer": _LEAF}
PERSON: Tree = {
    "aNummer": _LEAF,
    "adressering": {
        **dict.fromkeys(("adresregel1", "adresregel2", "adresregel3"), _LEAF),
        "land": _CODED,
        **_FORMS,
    },
    "adresseringBinnenland": {"adresregel1": _LEAF, "adresregel2": _LEAF, **_FORMS},
    "burgerservicenummer": _LEAF,
    "datumEersteInschrijvingGBA": _DATE,
    "datumInschrijvingInGemeente": _DATE,
    "europeesKiesrecht": {"aanduiding": _CODED, "einddatumUitsluiting": _DATE},
    "geboorte": _BIRTH,
    "gemeenteVanInschrijving": _CODED,
    "geslacht": _CODED,
    "gezag": {"type": _LEAF, **dict.fromkeys(("minderjarige", "ouders", "ouder", "derde", "derden"), _BY_BSN)},
    "immigratie": {
        "datumVestigingInNederland": _DATE,
        "indicatieVestigingVanuitBuitenland": _LEAF,
        "landVanwaarIngeschreven": _CODED,
        "vanuitVerblijfplaatsOnbekend": _LEAF,
    },
    "indicatieCurateleRegister": _LEAF,
    "indicatieGezagMinderjarige": _CODED,
    "kinderen": _RELATIVE,
    "leeftijd": _LEAF,
    "naam": {**_RELATIVE_NAME, "volledigeNaam": _LEAF, "aanduidingNaamgebruik": _CODED},
    "nationaliteiten": {
        "type": _LEAF,
        "redenOpname": _CODED,
        "datumIngangGeldigheid": _DATE,
        "nationaliteit": _CODED,
    },
    "ouders": {
        **_RELATIVE,
        "datumIngangFamilierechtelijkeBetrekking": _DATE,
        "geslacht": _CODED,
        "ouderAanduiding": _LEAF,
    },
    "overlijden": _BIRTH,
    "partners": {
        **_RELATIVE,
        "aangaanHuwelijkPartnerschap": _BIRTH,
        "geslacht": _CODED,
        "ontbindingHuwelijkPartnerschap": {"datum": _DATE},
        "soortVerbintenis": _CODED,
    },
    "uitsluitingKiesrecht": {"einddatum": _DATE, "uitgeslotenVanKiesrecht": _LEAF},
    "verblijfplaats": {
        **_RESIDENCE,
        "verblijfadres": {**_DOMESTIC, "land": _CODED, **dict.fromkeys(("regel1", "regel2", "regel3"), _LEAF)},
    },
    "verblijfplaatsBinnenland": {**_RESIDENCE, "verblijfadres": _DOMESTIC},
    "verblijfstitel": {"aanduiding": _CODED, "datumEinde": _DATE, "datumIngang": _DATE},
}
AUTOMATIC = ("geheimhoudingPersoonsgegevens", "opschortingBijhouding", "rni", "verificatie")
_FOUND_AWAY = "indicatieVastgesteldVerblijftNietOpAdres"
_ABROAD = ("VerblijfplaatsBuitenland", "VerblijfplaatsOnbekend")
_ALIASES = {"verblijfplaatsBinnenland": "verblijfplaats", "adresseringBinnenland": "adressering"}
_WHOLE = (_LEAF, _DATE, _CODED, _RELATIVE_NAME["adellijkeTitelPredicaat"])


def _paths(tree: Tree, before: str = "") -> Iterator[str]:
    for name, below in tree.items():
        yield before + name
        yield from _paths(below, f"{before}{name}.")


PATHS = frozenset(_paths(PERSON))


def is_automatic(path: str) -> bool:
    """Whether this is given without being asked for, and so may not be."""
    parts = path.split(".")
    return parts[0] in AUTOMATIC or "inOnderzoek" in parts or parts[-1] == _FOUND_AWAY


def select(person: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """What an answer holds of `person` when `fields`, all of them in `PATHS`, were asked for."""
    wanted: dict[str, Any] = {}
    for path in fields:
        _want(wanted, PERSON, path.split("."))
    answer = {name: person[name] for name in AUTOMATIC if name in person}
    is_abroad = (person.get("verblijfplaats") or {}).get("type") in _ABROAD
    for alias, name in _ALIASES.items():
        asked = wanted.pop(alias, None)
        if asked is not None:
            wanted[name] = _domestic(name, _merged(wanted.get(name), asked), is_abroad=is_abroad)
    answer.update(_part(person, wanted, PERSON))
    return answer


def _domestic(name: str, asked: Any, *, is_abroad: bool) -> Any:
    """What an alias gives: of an address abroad only that it is one, and of the lines of one nothing."""
    if not is_abroad:
        return asked
    if name == "verblijfplaats":
        return {"type": True}
    asked = dict.fromkeys(PERSON["adresseringBinnenland"], True) if asked is True else asked
    return {member: part for member, part in asked.items() if not member.startswith("adresregel")}


def _merged(one: Any, other: Any) -> Any:
    return True if one is True or other is True else {**(one or {}), **other}


def _want(wanted: dict[str, Any], tree: Tree, parts: list[str]) -> None:
    """Note one path in a tree of what is wanted: True for the whole of something."""
    name, below = parts[0], tree[parts[0]]
    if wanted.get(name) is True:
        return
    # Who asks for one member of a relation of gezag gets the relation: a name without its role would mislead.
    if len(parts) == 1 or any(below is whole for whole in _WHOLE) or name == "gezag":
        wanted[name] = True
    else:
        _want(wanted.setdefault(name, {}), below, parts[1:])


def _part(record: dict[str, Any], wanted: dict[str, Any], tree: Tree) -> dict[str, Any]:
    """The wanted members of a group that it has, and what of them is under investigation."""
    answer = {}
    for name, asked in wanted.items():
        if name in record:
            value = record[name] if asked is True else _inside(record[name], asked, tree[name])
            # A group without the member that was asked for is left out; of forms of address it is given empty.
            if value != {} or name == "adressering":
                answer[name] = value
    if "type" in record:  # which of several kinds of address or nationality this is
        answer["type"] = record["type"]
    if _FOUND_AWAY in record:
        answer[_FOUND_AWAY] = record[_FOUND_AWAY]
    investigated = _investigated(record.get("inOnderzoek"), wanted)
    return {**answer, "inOnderzoek": investigated} if investigated else answer


def _inside(value: Any, wanted: dict[str, Any], tree: Tree) -> Any:
    if isinstance(value, list):
        return [_part(item, wanted, tree) for item in value]
    return _part(value, wanted, tree)


def _investigated(found: dict[str, Any] | None, wanted: dict[str, Any]) -> dict[str, Any]:
    """Of the wanted members, with the dates on which the investigation began."""
    flags = {name: value for name, value in (found or {}).items() if value is True and name in (*wanted, "type")}
    dates = {name: value for name, value in (found or {}).items() if name.startswith("datumIngang")}
    return {**flags, **dates} if flags else {}
