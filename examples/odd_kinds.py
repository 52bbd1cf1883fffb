"""What is out of the ordinary about somebody, as the register has him: the cases a population must not trip over.

Names are those of the index beside RvIG's test persons, with what kind of parental responsibility there is
(`gezag[]`) and in which part somebody has in it.
"""

import unicodedata
from typing import Any

LONG_NAME = 100
"""Characters."""
_SUSPENDED = {"O": "overleden", "E": "emigratie", "R": "rni"}
_RESIDENCES = {
    "Locatie": "locatie",
    "VerblijfplaatsOnbekend": "verblijfplaats_onbekend",
    "VerblijfplaatsBuitenland": "adres_buitenland",
}
_UNCLEAR = ("GezagNietTeBepalen", "TijdelijkGeenGezag")


def kinds_of(person: dict[str, Any]) -> set[str]:
    """Of one answer of BRP API Personen 2.7.0 ("RaadpleegMetBurgerservicenummer")."""
    return _of_record(person) | _of_name(person.get("naam", {})) | _of_authority(person)


def _of_record(person: dict[str, Any]) -> set[str]:
    residence = person.get("verblijfplaats", {})
    partners = [one for one in person.get("partners", []) if "ontbindingHuwelijkPartnerschap" not in one]
    found = {
        "geheimhouding": person.get("geheimhoudingPersoonsgegevens", False),
        "geboortedatum_onvolledig": person.get("geboorte", {}).get("datum", {}).get("type") != "Datum",
        "curatele": person.get("indicatieCurateleRegister", False),
        "verblijfstitel": "verblijfstitel" in person,
        "briefadres": residence.get("functieAdres", {}).get("code") == "B",
        "meer_nationaliteiten": len(person.get("nationaliteiten", [])) > 1,
        "partner": bool(partners),
        "in_onderzoek": _is_investigated(person),
    }
    suspended = person.get("opschortingBijhouding", {}).get("reden", {}).get("code")
    named = {_SUSPENDED.get(suspended), _RESIDENCES.get(residence.get("type"))} - {None}
    return {kind for kind, is_so in found.items() if is_so} | {str(kind) for kind in named}


def _is_investigated(part: Any) -> bool:
    """Whether anything in the record is under investigation, at any depth."""
    if isinstance(part, dict):
        return "inOnderzoek" in part or any(map(_is_investigated, part.values()))
    return isinstance(part, list) and any(map(_is_investigated, part))


def _of_name(name: dict[str, Any]) -> set[str]:
    whole = name.get("volledigeNaam", "")
    found = {
        "geen_voornamen": not name.get("voornamen"),
        "geen_geslachtsnaam": not name.get("geslachtsnaam"),
        "adellijke_titel_predicaat": "adellijkeTitelPredicaat" in name,
        "zeer_lange_naam": len(whole) > LONG_NAME,
        "diakrieten_of_bijzondere_tekens": not all(map(_is_plain, unicodedata.normalize("NFC", whole))),
    }
    return {kind for kind, is_so in found.items() if is_so}


def _is_plain(letter: str) -> bool:
    return (letter.isascii() and letter.isalpha()) or letter in " -'."


def _of_authority(person: dict[str, Any]) -> set[str]:
    found = set()
    for held in person.get("gezag", []):
        is_minor = held.get("minderjarige", {}).get("burgerservicenummer") == person["burgerservicenummer"]
        found |= {f"{held['type']} ({'minderjarige' if is_minor else 'gezaghebbende'})"}
        if held["type"] in _UNCLEAR:
            found.add("gezag_onduidelijk")
        if held["type"] == "Voogdij":
            found.add("voogdij")
    return found
