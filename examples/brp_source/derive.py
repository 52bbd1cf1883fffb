"""A person as kept -> a person as BRP API Personen 2.7.0 answers on a day. Pure.

Kept are persons of the API, or of the GBA as RvIG keeps them for its own mock: dates `YYYYMMDD`, nationalities
without a type. What is derived is made anew, so that it cannot be out of date: types and words of dates, kinds of
nationality, initials, full names, the age, and the three forms of address.
"""

import datetime
from typing import Any

from examples.brp_source.dates import age_on, date_of, gba_of
from examples.brp_source.names import full_name, initials, party_of
from examples.brp_source.salutation import address_name, naming_of, opening, running_text

_SPECIAL = {
    "0000": "NationaliteitOnbekend",
    "0002": "BehandeldAlsNederlander",
    "0499": "Staatloos",
    "0500": "VastgesteldNietNederlander",
}
_SPECIAL_DUTCH = {"B": "BehandeldAlsNederlander", "V": "VastgesteldNietNederlander"}


def person_of(kept: dict[str, Any], today: datetime.date) -> dict[str, Any]:
    """Everything about one person. `kept` is not changed; unknown values (`.`) and what is false are left out."""
    person = {name: value for name, value in _dated(kept).items() if name != "leeftijd"}
    if "nationaliteiten" in person:
        person["nationaliteiten"] = [_nationality(item) for item in person["nationaliteiten"]]
    _name(person, is_whole=True)
    for relative in (*person.get("partners", ()), *person.get("kinderen", ()), *person.get("ouders", ())):
        _name(relative, is_whole=False)
    age = _age(person, today)
    if age is not None:
        person["leeftijd"] = age
    naming = naming_of(person)
    words = {
        "aanhef": opening(naming),
        "aanschrijfwijze": address_name(naming),
        "gebruikInLopendeTekst": running_text(naming),
    }
    lines = person.get("adressering") or {}
    person["adressering"] = {**lines, **{name: value for name, value in words.items() if value is not None}}
    return person


def _dated(value: Any, name: str = "") -> Any:
    """The same, with every GBA date as a date of the API."""
    if isinstance(value, dict):
        return {member: _dated(part, member) for member, part in value.items() if part is not False}
    if isinstance(value, list):
        return [_dated(item) for item in value]
    is_date = "datum" in name.lower() and isinstance(value, str) and len(value) == 8 and value.isdigit()
    return date_of(value) if is_date else value


def _name(record: dict[str, Any], *, is_whole: bool) -> None:
    """The derived members of a name; only a person's own has a full name."""
    if "naam" not in record:
        return
    name = {member: value for member, value in record["naam"].items() if value not in (".", "")}
    party = party_of(record)
    derived = {"voorletters": initials(party.first), "volledigeNaam": full_name(party) if is_whole else ""}
    record["naam"] = {**name, **{member: value for member, value in derived.items() if value}}


def _age(person: dict[str, Any], today: datetime.date) -> int | None:
    """None also for the dead."""
    reason = ((person.get("opschortingBijhouding") or {}).get("reden") or {}).get("code")
    if "overlijden" in person or reason == "O":
        return None
    return age_on(gba_of((person.get("geboorte") or {}).get("datum")), today)


def _nationality(item: dict[str, Any]) -> dict[str, Any]:
    """One nationality with its type; one of the special codes is told by the type alone."""
    if "type" in item:
        return item
    rest = {
        member: value
        for member, value in item.items()
        if member not in ("nationaliteit", "aanduidingBijzonderNederlanderschap")
    }
    code = (item.get("nationaliteit") or {}).get("code") or ""
    special = (item.get("aanduidingBijzonderNederlanderschap") or {}).get("code") or ""
    kind = _SPECIAL_DUTCH.get(special) or _SPECIAL.get(code)
    if kind:
        return {"type": kind, **rest}
    return {"type": "Nationaliteit", **rest, "nationaliteit": item.get("nationaliteit")}
