"""A person in the register -> the attributes of each credential type (protocol section 2). Pure.

Every attribute of a type is always there: None when the register has nothing, so that its absence tells nothing.
Values are texts, whole numbers, booleans, and lists or objects of these:

- dates: see `dates`; countries, places and codes: the text of the national table, else the code;
- `leeftijdBovenN`: `ja`, `nee` or `onbekend` on the day of issue; the deceased have no age, so `onbekend`;
- `nationaliteiten`: `[{type, code?, omschrijving?}]`, one a nationality, with RvIG's type names;
- `partner`: `{naam, geboortedatum, soortVerbintenis}`; `kinderen`, `ouders`: `[{naam, geboortedatum}]`. No BSN
  but the resident's own is in a credential;
- `gezag`: `[{type, wie: [{rol, naam, geboortedatum}], toelichting?}]`, who has it over this minor;
  `gezagOver`: `[{type, naam, geboortedatum}]`, the minors; `curatele`: true or false;
- `geheimhouding`: true or false; `inOnderzoek`: names of this credential's attributes under investigation, sorted;
  `opschorting`: `{reden, datum}`, or false: the flags go with every request, and the wallets whose DCQL library
  holds null for absent (npm's dcql) could answer none.
"""

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping

from issuer.brp import Authority, Coded, Datum, Gezagsrelatie, Investigation, Person, Relative, Residence
from issuer.dates import UNKNOWN, ThreeValued, is_of_age, parse_iso_date
from issuer.names import full_name
from issuer.offer import BRP_CREDENTIALS, configuration
from issuer.woz import WozObject
from protocol.attributes import fits
from protocol.canonical import JsonValue
from protocol.disclosure import make_disclosure
from protocol.errors import Rejected

Attributes = dict[str, JsonValue]

PERSON_VCT, ADDRESS_VCT, FAMILY_VCT = "urn:regie:nl:persoon:1", "urn:regie:nl:adres:1", "urn:regie:nl:gezin:1"
AUTHORITY_VCT, WOZ_VCT = "urn:regie:nl:gezag:1", "urn:regie:nl:woz:1"
AGES = (12, 16, 18, 21, 65)
_AGE_NAMES = tuple(f"leeftijdBoven{years}" for years in AGES)
_NO_SALT = bytes(16)


def attributes_of(vct: str, person: Person, today: datetime.date) -> Attributes:
    """Every attribute of the credential type `vct` as the register knows it on `today`.

    Raises `Rejected`: `unknown_vct`, `bad_date`.
    """
    rule = _RULES.get(vct)
    if rule is None:
        raise Rejected("unknown_vct", "this register does not make this type of credential")
    content, investigated = rule(person, today)
    suspension = person.opschortingBijhouding
    flags: Attributes = {
        "geheimhouding": person.geheimhoudingPersoonsgegevens,
        "inOnderzoek": sorted(investigated),
        "opschorting": False
        if suspension is None
        else {"reden": _text(suspension.reden) or UNKNOWN, "datum": _date(suspension.datum)},
    }
    return content | flags


def sized_attributes(vct: str, person: Person, today: datetime.date) -> Attributes:
    """`attributes_of`, once every disclosure fits the padded size of its attribute, whatever the salt (section 4).

    Raises `Rejected`: `attribute_too_large`, which names the attribute and no value, and those of `attributes_of`.
    """
    attributes = attributes_of(vct, person, today)
    for name, value in attributes.items():
        if not fits(vct, name, make_disclosure(name, value, _NO_SALT).encoded):
            raise Rejected("attribute_too_large", f"{name} is longer than a sealed disclosure may be")
    return attributes


def check_person(person: Person, today: datetime.date, made: Collection[str] = BRP_CREDENTIALS) -> None:
    """The credentials that are `made` here can be made of what the register says. Raises as `sized_attributes`."""
    for name in made:
        sized_attributes(configuration(name).vct, person, today)


def _text(value: Coded | None) -> str | None:
    return None if value is None else value.text


def _date(value: Datum | None) -> str | None:
    return None if value is None else str(value.partial())


def _investigated(found: Investigation | None, table: Mapping[str, Iterable[str]]) -> set[str]:
    """Our names for the members that are true in an `inOnderzoek`."""
    members = [member for member, value in (found or {}).items() if value is True]
    return {name for member in members for name in table.get(member, ())}


# ---- persoon

_IN_PERSON = {
    "burgerservicenummer": ("burgerservicenummer",),
    "geslacht": ("geslacht",),
    "leeftijd": _AGE_NAMES,
}
_IN_NAME = {name: (name,) for name in ("voornamen", "voorvoegsel", "geslachtsnaam", "volledigeNaam")}
_IN_BIRTH = {"datum": ("geboortedatum", *_AGE_NAMES), "plaats": ("geboorteplaats",), "land": ("geboorteland",)}


def _person(person: Person, today: datetime.date) -> tuple[Attributes, set[str]]:
    name, birth = person.naam, person.geboorte
    content: Attributes = {
        "burgerservicenummer": person.burgerservicenummer,
        "voornamen": name.voornamen if name else None,
        "voorvoegsel": name.voorvoegsel if name else None,
        "geslachtsnaam": name.geslachtsnaam if name else None,
        "volledigeNaam": full_name(name, person.geslacht),
        "geboortedatum": _date(birth.datum) if birth else None,
        "geboorteplaats": _text(birth.plaats) if birth else None,
        "geboorteland": _text(birth.land) if birth else None,
        "geslacht": _text(person.geslacht),
        "nationaliteiten": _nationalities(person),
    }
    ages: Attributes = {name: _of_age(person, years, today) for name, years in zip(_AGE_NAMES, AGES, strict=True)}
    investigated = (
        _investigated(person.inOnderzoek, _IN_PERSON)
        | _investigated(name.inOnderzoek if name else None, _IN_NAME)
        | _investigated(birth.inOnderzoek if birth else None, _IN_BIRTH)
    )
    if any(_is_investigated(item.inOnderzoek) for item in person.nationaliteiten):
        investigated.add("nationaliteiten")
    return content | ages, investigated


def _of_age(person: Person, years: int, today: datetime.date) -> ThreeValued:
    suspension = person.opschortingBijhouding
    is_dead = person.overlijden is not None or (
        suspension is not None and suspension.reden is not None and suspension.reden.code == "O"
    )
    if is_dead or person.geboorte is None or person.geboorte.datum is None:
        return "onbekend"
    return is_of_age(person.geboorte.datum.partial(), years, today)


def _nationalities(person: Person) -> list[JsonValue]:
    return [_nationality(item.type, item.nationaliteit) for item in person.nationaliteiten]


def _nationality(kind: str, coded: Coded | None) -> JsonValue:
    members = {"code": coded.code, "omschrijving": coded.omschrijving} if coded else {}
    return {"type": kind, **{name: value for name, value in members.items() if value is not None}}


def _is_investigated(found: Investigation | None) -> bool:
    return any(value is True for value in (found or {}).values())


# ---- adres

_IN_RESIDENCE = {
    "datumVan": ("datumVan",),
    "functieAdres": ("soort",),
    "type": ("soort",),
    "indicatieVastgesteldVerblijftNietOpAdres": ("soort",),
}
_IN_ADDRESS = {
    "officieleStraatnaam": ("straat",),
    "korteStraatnaam": ("straat", "adresregel1"),
    "huisnummer": ("huisnummer", "adresregel1"),
    "huisletter": ("huisletter", "adresregel1"),
    "huisnummertoevoeging": ("toevoeging", "adresregel1"),
    "aanduidingBijHuisnummer": ("adresregel1",),
    "locatiebeschrijving": ("adresregel1",),
    "postcode": ("postcode", "adresregel2"),
    "woonplaats": ("woonplaats", "adresregel2"),
    "regel1": ("adresregel1",),
    "regel2": ("adresregel2",),
    "regel3": ("adresregel3",),
    "land": ("land",),
}
_IN_LINES = {name: (name,) for name in ("adresregel1", "adresregel2", "adresregel3", "land")}


def _address(person: Person, today: datetime.date) -> tuple[Attributes, set[str]]:
    residence, lines = person.verblijfplaats, person.adressering
    address = residence.verblijfadres if residence else None
    content: Attributes = {
        "straat": (address.officieleStraatnaam or address.korteStraatnaam) if address else None,
        "huisnummer": address.huisnummer if address else None,
        "huisletter": address.huisletter if address else None,
        "toevoeging": address.huisnummertoevoeging if address else None,
        "postcode": address.postcode if address else None,
        "woonplaats": address.woonplaats if address else None,
        "gemeente": _text(person.gemeenteVanInschrijving),
        "adresregel1": lines.adresregel1 if lines else None,
        "adresregel2": lines.adresregel2 if lines else None,
        "adresregel3": lines.adresregel3 if lines else None,
        "land": _country(residence),
        "datumVan": _date(residence.datumVan) if residence else None,
        "soort": _kind_of_address(residence),
    }
    investigated = (
        _investigated(person.inOnderzoek, {"gemeenteVanInschrijving": ("gemeente",)})
        | _investigated(residence.inOnderzoek if residence else None, _IN_RESIDENCE)
        | _investigated(address.inOnderzoek if address else None, _IN_ADDRESS)
        | _investigated(lines.inOnderzoek if lines else None, _IN_LINES)
    )
    return content, investigated


def _country(residence: Residence | None) -> str | None:
    """An address or location is in the Netherlands, since the BRP names a country for the others only."""
    if residence is None:
        return None
    if residence.type in ("Adres", "Locatie"):
        return "Nederland"
    return _text(residence.verblijfadres.land) if residence.verblijfadres else None


def _kind_of_address(residence: Residence | None) -> str | None:
    """`woonadres` or `briefadres`; `buitenland`; `onbekend`; a warning where nobody was found to live."""
    if residence is None:
        return None
    if residence.type == "VerblijfplaatsBuitenland":
        return "buitenland"
    if residence.type == "VerblijfplaatsOnbekend":
        return UNKNOWN
    kind = _text(residence.functieAdres) or UNKNOWN
    if residence.indicatieVastgesteldVerblijftNietOpAdres:
        return f"{kind}, vastgesteld verblijft niet op adres"
    return kind


# ---- gezin


def _family(person: Person, today: datetime.date) -> tuple[Attributes, set[str]]:
    current = next((item for item in person.partners if item.ontbindingHuwelijkPartnerschap is None), None)
    content: Attributes = {
        "burgerlijkeStaat": _marital_status(person.partners, current),
        "partner": None
        if current is None
        else {**_relative(current), "soortVerbintenis": _text(current.soortVerbintenis) or UNKNOWN},
        "kinderen": [_relative(child) for child in person.kinderen],
        "ouders": [_relative(parent) for parent in person.ouders],
    }
    investigated = set()
    if any(_is_relative_investigated(item) for item in person.partners):
        investigated |= {"burgerlijkeStaat", "partner"}
    if any(_is_relative_investigated(item) for item in person.kinderen):
        investigated.add("kinderen")
    if any(_is_relative_investigated(item) for item in person.ouders):
        investigated.add("ouders")
    return content, investigated


def _marital_status(partners: list[Relative], current: Relative | None) -> str:
    """What the answer shows; the API does not tell why a marriage ended, so neither do we."""
    if current is not None:
        kind = current.soortVerbintenis.code if current.soortVerbintenis else None
        return {"H": "gehuwd", "P": "geregistreerd partnerschap"}.get(
            kind or "", "gehuwd of geregistreerd partnerschap"
        )
    if partners:
        return "huwelijk of partnerschap beëindigd"
    return "geen huwelijk of partnerschap geregistreerd"


def _relative(person: Relative) -> dict[str, JsonValue]:
    return {
        "naam": full_name(person.naam, person.geslacht),
        "geboortedatum": _date(person.geboorte.datum) if person.geboorte else None,
    }


def _is_relative_investigated(person: Relative) -> bool:
    parts = (person, person.naam, person.geboorte)
    return any(_is_investigated(part.inOnderzoek) for part in parts if part is not None)


# ---- gezag

_IN_AUTHORITY = {"indicatieCurateleRegister": ("curatele",)}


def _authority(person: Person, today: datetime.date) -> tuple[Attributes, set[str]]:
    over_me = [
        item for item in person.gezag if item.minderjarige.burgerservicenummer == person.burgerservicenummer
    ]
    of_me = [item for item in person.gezag if item not in over_me]
    births = {
        known.burgerservicenummer: known.geboorte
        for known in (*person.ouders, *person.kinderen)
        if known.burgerservicenummer is not None
    }

    def named(one: Authority) -> dict[str, JsonValue]:
        birth = births.get(one.burgerservicenummer) if one.burgerservicenummer else None
        return {"naam": full_name(one.naam, None), "geboortedatum": _date(birth.datum) if birth else None}

    def holders(relation: Gezagsrelatie) -> list[JsonValue]:
        third = "voogd" if relation.type == "Voogdij" else "derde"
        roles = [("ouder", one) for one in relation.parents] + [(third, one) for one in relation.others]
        return [{"rol": role, **named(one)} for role, one in roles]

    content: Attributes = {
        "gezag": [
            {"type": item.type, "wie": holders(item)}
            | ({} if item.toelichting is None else {"toelichting": item.toelichting})
            for item in over_me
        ],
        "gezagOver": [{"type": item.type, **named(item.minderjarige)} for item in of_me],
        "curatele": person.indicatieCurateleRegister,
    }
    investigated = _investigated(person.inOnderzoek, _IN_AUTHORITY)
    investigated |= {"gezag"} if any(item.inOnderzoek for item in over_me) else set()
    investigated |= {"gezagOver"} if any(item.inOnderzoek for item in of_me) else set()
    return content, investigated


# ---- woz


def _home(person: Person, today: datetime.date) -> tuple[Attributes, set[str]]:
    """What the WOZ register says of the home of somebody with an interest in it; nothing of anybody else's."""
    found = person.woz or WozObject(None)
    return {
        "wozObjectnummer": found.identificatie,
        "adres": found.adres,
        "gemeente": found.gemeente,
        "waarde": found.waarde,
        "waardepeildatum": str(parse_iso_date(found.waardepeildatum)) if found.waardepeildatum else None,
        "hoedanigheid": found.hoedanigheid,
        "bezwaarOfBeroep": found.bezwaarOfBeroep,
        "grondoppervlakte": found.grondoppervlakte,
    }, set()


_RULES: Mapping[str, Callable[[Person, datetime.date], tuple[Attributes, set[str]]]] = {
    PERSON_VCT: _person,
    ADDRESS_VCT: _address,
    FAMILY_VCT: _family,
    AUTHORITY_VCT: _authority,
    WOZ_VCT: _home,
}
