"""WOZ bevragen 1.0.0 (Kadaster), seen from an issuer: what to ask of a home, and what is kept of it. Pure.

The register is asked by address, for it knows no residents' numbers to ask by. Only who has an interest in the
object himself, as its owner or its user, is told of it; of other people with an interest nothing is asked but the
number that tells whether it is he, and nothing is kept.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

from protocol.canonical import convert, parse_object
from protocol.errors import Rejected

PATH = "/wozobjecten"
MAX_ANSWER_BYTES = 1024 * 1024
MAX_OBJECTS = 100
"""A page as large as the register gives; a home is one object, seldom two."""
FIELDS = (
    "identificatie",
    "aanduiding",
    "belanghebbendeEigenaar.burgerservicenummer",
    "belanghebbendeGebruiker.burgerservicenummer",
    "waarden",
    "grondoppervlakte",
    "verantwoordelijkeGemeente",
)
_PENDING = frozenset({"bezwaar_ingediend", "beroep_aangetekend", "hoger_beroep_aangetekend", "cassatie_ingesteld"})
_OBJECT_ID, _POSTCODE = re.compile(r"[0-9]{16}"), re.compile(r"[1-9][0-9]{3}[A-Z]{2}")
_LETTER, _ADDITION = re.compile(r"[a-zA-Z]"), re.compile(r"[0-9a-zA-Z]{1,4}")


class WozObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of one object: `waarde` in whole euros on `waardepeildatum` (ISO 8601), `grondoppervlakte` in
    square metres, `hoedanigheid` of the resident."""

    identificatie: str | None
    adres: str | None = None
    gemeente: str | None = None
    waarde: int | None = None
    waardepeildatum: str | None = None
    hoedanigheid: str | None = None
    bezwaarOfBeroep: bool | None = None
    grondoppervlakte: int | None = None


class Place(msgspec.Struct, frozen=True):
    """Where somebody is registered, as far as the WOZ register can be asked about it."""

    object_id: str | None = None
    postcode: str | None = None
    number: int | None = None
    letter: str | None = None
    addition: str | None = None


class _Interested(msgspec.Struct, frozen=True):
    burgerservicenummer: str | None = None


class _Value(msgspec.Struct, frozen=True):
    vastgesteldeWaarde: int | None = None
    waardepeildatum: str | None = None
    indicatieBezwaarBeroep: bool = False
    beschikkingsStatussen: list[str] = []


class _Designation(msgspec.Struct, frozen=True):
    straat: str | None = None
    huisnummer: int | None = None
    huisletter: str | None = None
    huisnummertoevoeging: str | None = None
    postcode: str | None = None
    woonplaats: str | None = None
    locatieomschrijving: str | None = None

    @property
    def line(self) -> str | None:
        """The address in one line, or else the description of the place."""
        number = f"{self.huisnummer or ''}{self.huisletter or ''}"
        if self.huisnummertoevoeging:
            number += f"-{self.huisnummertoevoeging}"
        street = " ".join(part for part in (self.straat, number) if part)
        town = " ".join(part for part in (self.postcode, self.woonplaats) if part)
        return ", ".join(part for part in (street, town) if part) or self.locatieomschrijving


class _Municipality(msgspec.Struct, frozen=True):
    code: str | None = None
    omschrijving: str | None = None


class _Listed(msgspec.Struct, frozen=True):
    """`WozObjectHal`, as far as it was asked for."""

    identificatie: str
    aanduiding: _Designation = _Designation()
    belanghebbendeEigenaar: _Interested = _Interested()
    belanghebbendeGebruiker: _Interested = _Interested()
    waarden: list[_Value] = []
    grondoppervlakte: int | None = None
    verantwoordelijkeGemeente: _Municipality = _Municipality()


class _Embedded(msgspec.Struct, frozen=True):
    wozObjecten: list[_Listed] = []


class _Collection(msgspec.Struct, frozen=True):
    embedded: _Embedded = msgspec.field(default=_Embedded(), name="_embedded")


def query_of(place: Place) -> str | None:
    """The path and query to ask by; None for who has no address that the register knows.

    The identification of the BAG before postcode and house number, which two homes may share.
    """
    if place.object_id and _OBJECT_ID.fullmatch(place.object_id):
        asked = {"adresseerbaarObjectIdentificatie": place.object_id}
    elif place.postcode and _POSTCODE.fullmatch(place.postcode) and place.number:
        asked = {"postcode": place.postcode, "huisnummer": str(place.number)}
        if place.letter and _LETTER.fullmatch(place.letter):
            asked["huisletter"] = place.letter
        if place.addition and _ADDITION.fullmatch(place.addition):
            asked["huisnummertoevoeging"] = place.addition
    else:
        return None
    return f"{PATH}?{urlencode({**asked, 'fields': ','.join(FIELDS), 'pageSize': MAX_OBJECTS})}"


def object_of(body: bytes, bsn: str) -> WozObject | None:
    """The object that this resident has an interest in; of several the one that was valued last.

    Raises `Rejected`: `bad_source_answer`; nothing of the answer is repeated.
    """
    try:
        listed = convert(parse_object(body, max_bytes=MAX_ANSWER_BYTES), _Collection).embedded.wozObjecten
    except Rejected as error:
        raise Rejected(
            "bad_source_answer", "the WOZ register answered with something else than WOZ objects"
        ) from error
    found = list(_of_interest(listed, bsn))
    return max(found, key=lambda one: (one.waardepeildatum or "", one.identificatie or "")) if found else None


def _of_interest(listed: list[_Listed], bsn: str) -> Iterator[WozObject]:
    for one in listed:
        roles = {"eigenaar": one.belanghebbendeEigenaar, "gebruiker": one.belanghebbendeGebruiker}
        role = " en ".join(name for name, somebody in roles.items() if somebody.burgerservicenummer == bsn)
        if role:
            yield _kept(one, role)


def _kept(one: _Listed, role: str) -> WozObject:
    valued = [value for value in one.waarden if value.vastgesteldeWaarde is not None and value.waardepeildatum]
    last = max(valued, key=lambda value: value.waardepeildatum or "", default=_Value())
    pending = last.indicatieBezwaarBeroep or bool(_PENDING.intersection(last.beschikkingsStatussen))
    municipality = one.verantwoordelijkeGemeente
    return WozObject(
        identificatie=one.identificatie,
        adres=one.aanduiding.line,
        gemeente=municipality.omschrijving or municipality.code,
        waarde=last.vastgesteldeWaarde,
        waardepeildatum=last.waardepeildatum,
        hoedanigheid=role,
        bezwaarOfBeroep=pending,
        grondoppervlakte=one.grondoppervlakte,
    )
