"""The forms of a person in an answer of BRP API Personen 2.7.0, as far as we make attributes of it.

Structure and types are checked; the `pattern`s of the specification are **not**, because RvIG's own data
break them (`/`, `+`, `°` and others in 62 of its 715 test persons). What we make nothing of is
ignored, and kept as it came.
"""

from typing import Any, NewType

import msgspec

from issuer.dates import PartialDate, parse_iso_date
from issuer.woz import WozObject
from protocol.canonical import convert, parse_object
from protocol.errors import Rejected

Bsn = NewType("Bsn", str)
"""Nine digits that pass the eleven test."""
MAX_PERSON_BYTES = 64 * 1024
"""The largest test person takes a tenth of it."""
_BSN_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


class Coded(msgspec.Struct, frozen=True):
    """`Waardetabel`: a code of a national table, its text, or both."""

    code: str | None = None
    omschrijving: str | None = None
    soort: str | None = None

    @property
    def text(self) -> str | None:
        """The text; a code without one (the table may be newer than the API) stands for itself."""
        return self.omschrijving or self.code


class Datum(msgspec.Struct, frozen=True):
    """`AbstractDatum`: Datum, JaarMaandDatum, JaarDatum or DatumOnbekend, told apart by `type`."""

    type: str
    datum: str | None = None
    jaar: int | None = None
    maand: int | None = None

    def partial(self) -> PartialDate:
        """Raises `Rejected`: `bad_date`, also for a kind of date that 2.7.0 does not have."""
        match self.type:
            case "Datum" if self.datum is not None:
                return parse_iso_date(self.datum)
            case "JaarMaandDatum" if self.jaar and self.maand:
                return PartialDate(self.jaar, self.maand)
            case "JaarDatum" if self.jaar:
                return PartialDate(self.jaar)
            case "DatumOnbekend":
                return PartialDate()
        raise Rejected("bad_date", "not a date of BRP API Personen 2.7.0")


Investigation = dict[str, Any]
"""`inOnderzoek`: a member that is true for each field under investigation, and dates."""


class Name(msgspec.Struct, frozen=True):
    voornamen: str | None = None
    adellijkeTitelPredicaat: Coded | None = None
    voorvoegsel: str | None = None
    geslachtsnaam: str | None = None
    volledigeNaam: str | None = None
    inOnderzoek: Investigation | None = None


class Birth(msgspec.Struct, frozen=True):
    datum: Datum | None = None
    plaats: Coded | None = None
    land: Coded | None = None
    inOnderzoek: Investigation | None = None


class Nationality(msgspec.Struct, frozen=True):
    type: str
    nationaliteit: Coded | None = None
    inOnderzoek: Investigation | None = None


class VisitingAddress(msgspec.Struct, frozen=True):
    """`verblijfadres` of an Adres, a Locatie or a VerblijfplaatsBuitenland."""

    officieleStraatnaam: str | None = None
    korteStraatnaam: str | None = None
    huisnummer: int | None = None
    huisletter: str | None = None
    huisnummertoevoeging: str | None = None
    postcode: str | None = None
    woonplaats: str | None = None
    locatiebeschrijving: str | None = None
    land: Coded | None = None
    inOnderzoek: Investigation | None = None


class Residence(msgspec.Struct, frozen=True):
    """`verblijfplaats`: Adres, Locatie, VerblijfplaatsBuitenland or VerblijfplaatsOnbekend."""

    type: str
    datumVan: Datum | None = None
    functieAdres: Coded | None = None
    verblijfadres: VisitingAddress | None = None
    adresseerbaarObjectIdentificatie: str | None = None
    indicatieVastgesteldVerblijftNietOpAdres: bool = False
    inOnderzoek: Investigation | None = None


class AddressLines(msgspec.Struct, frozen=True):
    """`adressering`, the part about the address."""

    adresregel1: str | None = None
    adresregel2: str | None = None
    adresregel3: str | None = None
    land: Coded | None = None
    inOnderzoek: Investigation | None = None


class Event(msgspec.Struct, frozen=True):
    """A marriage begun or ended, a death."""

    datum: Datum | None = None


class Relative(msgspec.Struct, frozen=True):
    """A partner, child or parent: who it is, and no more than is needed for that."""

    burgerservicenummer: str | None = None
    naam: Name | None = None
    geboorte: Birth | None = None
    geslacht: Coded | None = None
    soortVerbintenis: Coded | None = None
    ontbindingHuwelijkPartnerschap: Event | None = None
    inOnderzoek: Investigation | None = None


class Authority(msgspec.Struct, frozen=True):
    """One person in a `Gezagsrelatie`: GezagOuder, BekendeDerde, Minderjarige; OnbekendeDerde: `type` only."""

    burgerservicenummer: str | None = None
    naam: Name | None = None
    type: str | None = None


class Gezagsrelatie(msgspec.Struct, frozen=True):
    """Who has parental responsibility for a minor, or why the register cannot tell; told apart by `type`.

    A person's list holds the relation that he is the minor of and those in which he has the responsibility.
    """

    type: str
    minderjarige: Authority
    ouders: list[Authority] = []
    ouder: Authority | None = None
    derde: Authority | None = None
    derden: list[Authority] = []
    toelichting: str | None = None
    inOnderzoek: bool = False

    @property
    def parents(self) -> tuple[Authority, ...]:
        """Who has it as a parent."""
        return (*self.ouders, *((self.ouder,) if self.ouder else ()))

    @property
    def others(self) -> tuple[Authority, ...]:
        """Who has it without being a parent."""
        return (*self.derden, *((self.derde,) if self.derde else ()))


class Suspension(msgspec.Struct, frozen=True):
    reden: Coded | None = None
    datum: Datum | None = None


class Person(msgspec.Struct, frozen=True):
    """One element of `personen`."""

    burgerservicenummer: str
    naam: Name | None = None
    geboorte: Birth | None = None
    geslacht: Coded | None = None
    nationaliteiten: list[Nationality] = []
    overlijden: Event | None = None
    verblijfplaats: Residence | None = None
    gemeenteVanInschrijving: Coded | None = None
    adressering: AddressLines | None = None
    partners: list[Relative] = []
    kinderen: list[Relative] = []
    ouders: list[Relative] = []
    gezag: list[Gezagsrelatie] = []
    indicatieCurateleRegister: bool = False
    geheimhoudingPersoonsgegevens: bool = False
    inOnderzoek: Investigation | None = None
    opschortingBijhouding: Suspension | None = None
    woz: WozObject | None = None
    """Of another register (`woz`), kept beside what the BRP said."""


def parse_bsn(text: str) -> Bsn:
    """Nine digits that pass the eleven test. Raises `Rejected`: `bad_bsn`; the number is in no message."""
    if len(text) != 9 or not (text.isascii() and text.isdigit()):
        raise Rejected("bad_bsn", "a BSN is nine digits")
    total = sum(weight * int(digit) for weight, digit in zip(_BSN_WEIGHTS, text, strict=True))
    if total % 11 or text == "000000000":
        raise Rejected("bad_bsn", "this is no BSN: the eleven test fails")
    return Bsn(text)


def parse_person(data: bytes | str) -> Person:
    """One person as JSON. Raises `Rejected`: `bad_person`, `bad_bsn`, `too_large`."""
    try:
        record = parse_object(data, max_bytes=MAX_PERSON_BYTES)
        person = convert(record, Person)
    except Rejected as error:
        if error.code == "too_large":
            raise
        raise Rejected("bad_person", f"not a person of BRP API Personen 2.7.0: {error.detail}") from error
    parse_bsn(person.burgerservicenummer)
    return person
