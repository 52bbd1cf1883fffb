"""The vocabulary of credentials (protocol section 2): which attributes a `vct` has, and how large each may be.

Names are those of BRP API Personen 2.7.0 and WOZ bevragen 1.0.0, flattened. Every attribute of a type is always
issued, so that the absence of a disclosure tells nothing; `digest_count` is the fixed length of `_sd` with decoys.
`size` is the padded length in bytes of a sealed disclosure: one of three, so that its length tells little.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from protocol.errors import Rejected

SMALL, MEDIUM, LARGE = 256, 1024, 4096
"""Padded sizes in bytes of the base64url disclosure. 256 holds 191 bytes of JSON, 1024 holds 767, 4096 holds 3071.

MEDIUM takes the longest name that the BRP has room for (first names 200, prefix 10, surname 200 characters and a
predicate) as long as no more than about 300 of its letters carry diacritics; RvIG's longest test name needs 376.
"""
SIZES = frozenset({SMALL, MEDIUM, LARGE})


@dataclass(frozen=True)
class Attribute:
    """One claim of a credential; `size` is one of `SIZES`."""

    name: str
    size: int
    label_nl: str
    label_en: str


@dataclass(frozen=True)
class CredentialType:
    """What the issuer may put under one `vct`.

    `attributes` contains the `flags` too: the register's warnings that every T and READ touching the credential
    includes. `digest_count` is the length of `_sd` after decoys.
    """

    vct: str
    configuration_id: str
    label_nl: str
    label_en: str
    attributes: tuple[Attribute, ...]
    flags: tuple[str, ...]
    digest_count: int

    @cached_property
    def by_name(self) -> Mapping[str, Attribute]:
        """The attributes under their names."""
        return MappingProxyType({attribute.name: attribute for attribute in self.attributes})

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the vocabulary, flags last."""
        return tuple(attribute.name for attribute in self.attributes)


# A person under investigation can have every field of a group named in `inOnderzoek`, hence MEDIUM; the reason and
# date of a suspension are just above SMALL for an incomplete date.
_FLAGS = (
    Attribute("geheimhouding", SMALL, "Geheimhouding van gegevens", "Secrecy of data"),
    Attribute("inOnderzoek", MEDIUM, "Gegevens in onderzoek", "Data under investigation"),
    Attribute("opschorting", MEDIUM, "Opschorting van de bijhouding", "Suspension of the record"),
)
FLAG_NAMES = tuple(flag.name for flag in _FLAGS)
"""Go with every attribute: secrecy, what is under investigation, suspension of the record."""

_PERSOON = CredentialType(
    vct="urn:regie:nl:persoon:1",
    configuration_id="persoon",
    label_nl="Persoonsgegevens",
    label_en="Personal data",
    attributes=(
        Attribute("burgerservicenummer", SMALL, "Burgerservicenummer", "Citizen service number (BSN)"),
        Attribute("voornamen", MEDIUM, "Voornamen", "First names"),
        Attribute("voorvoegsel", SMALL, "Voorvoegsel", "Surname prefix"),
        Attribute("geslachtsnaam", MEDIUM, "Achternaam", "Surname"),
        Attribute("volledigeNaam", MEDIUM, "Volledige naam", "Full name"),
        Attribute("geboortedatum", SMALL, "Geboortedatum", "Date of birth"),
        Attribute("geboorteplaats", SMALL, "Geboorteplaats", "Place of birth"),
        Attribute("geboorteland", SMALL, "Geboorteland", "Country of birth"),
        Attribute("geslacht", SMALL, "Geslacht", "Gender"),
        Attribute("nationaliteiten", LARGE, "Nationaliteiten", "Nationalities"),
        Attribute("leeftijdBoven12", SMALL, "12 jaar of ouder", "Aged 12 or over"),
        Attribute("leeftijdBoven16", SMALL, "16 jaar of ouder", "Aged 16 or over"),
        Attribute("leeftijdBoven18", SMALL, "18 jaar of ouder", "Aged 18 or over"),
        Attribute("leeftijdBoven21", SMALL, "21 jaar of ouder", "Aged 21 or over"),
        Attribute("leeftijdBoven65", SMALL, "65 jaar of ouder", "Aged 65 or over"),
        *_FLAGS,
    ),
    flags=FLAG_NAMES,
    digest_count=20,
)

_ADRES = CredentialType(
    vct="urn:regie:nl:adres:1",
    configuration_id="adres",
    label_nl="Adres",
    label_en="Address",
    attributes=(
        Attribute("straat", SMALL, "Straat", "Street"),
        Attribute("huisnummer", SMALL, "Huisnummer", "House number"),
        Attribute("huisletter", SMALL, "Huisletter", "House letter"),
        Attribute("toevoeging", SMALL, "Toevoeging", "House number addition"),
        Attribute("postcode", SMALL, "Postcode", "Postal code"),
        Attribute("woonplaats", SMALL, "Woonplaats", "Town"),
        Attribute("gemeente", SMALL, "Gemeente", "Municipality"),
        Attribute("adresregel1", SMALL, "Adresregel 1", "Address line 1"),
        Attribute("adresregel2", SMALL, "Adresregel 2", "Address line 2"),
        Attribute("adresregel3", SMALL, "Adresregel 3", "Address line 3"),
        Attribute("land", SMALL, "Land", "Country"),
        Attribute("datumVan", SMALL, "Woont hier sinds", "Living here since"),
        Attribute("soort", SMALL, "Soort adres", "Kind of address"),
        *_FLAGS,
    ),
    flags=FLAG_NAMES,
    digest_count=20,
)

_GEZIN = CredentialType(
    vct="urn:regie:nl:gezin:1",
    configuration_id="gezin",
    label_nl="Gezin",
    label_en="Family",
    attributes=(
        Attribute("burgerlijkeStaat", SMALL, "Burgerlijke staat", "Marital status"),
        Attribute("partner", LARGE, "Partner", "Partner"),
        Attribute("kinderen", LARGE, "Kinderen", "Children"),
        Attribute("ouders", LARGE, "Ouders", "Parents"),
        *_FLAGS,
    ),
    flags=FLAG_NAMES,
    digest_count=12,
)

_GEZAG = CredentialType(
    vct="urn:regie:nl:gezag:1",
    configuration_id="gezag",
    label_nl="Gezag en curatele",
    label_en="Parental responsibility and guardianship",
    attributes=(
        Attribute("gezag", LARGE, "Wie gezag over mij heeft", "Who has parental responsibility for me"),
        Attribute("gezagOver", LARGE, "Over wie ik gezag heb", "For whom I have parental responsibility"),
        Attribute("curatele", SMALL, "Onder curatele", "Under guardianship"),
        *_FLAGS,
    ),
    flags=FLAG_NAMES,
    digest_count=10,
)

# Of another register (WOZ bevragen 1.0.0, Kadaster); the address of an object may be a description of where it is.
_WOZ = CredentialType(
    vct="urn:regie:nl:woz:1",
    configuration_id="woz",
    label_nl="WOZ-waarde",
    label_en="Value of the home (WOZ)",
    attributes=(
        Attribute("wozObjectnummer", SMALL, "WOZ-objectnummer", "WOZ object number"),
        Attribute("adres", MEDIUM, "Adres van het WOZ-object", "Address of the WOZ object"),
        Attribute("gemeente", SMALL, "Gemeente die de waarde vaststelt", "Municipality that sets the value"),
        Attribute("waarde", SMALL, "WOZ-waarde in euro", "WOZ value in euros"),
        Attribute("waardepeildatum", SMALL, "Peildatum van de waarde", "Date of the value"),
        Attribute("hoedanigheid", SMALL, "Eigenaar of gebruiker", "Owner or user"),
        Attribute("bezwaarOfBeroep", SMALL, "Bezwaar of beroep loopt", "Objection or appeal pending"),
        Attribute("grondoppervlakte", SMALL, "Grondoppervlakte in m²", "Plot area in m²"),
        *_FLAGS,
    ),
    flags=FLAG_NAMES,
    digest_count=14,
)

CREDENTIAL_TYPES: Mapping[str, CredentialType] = MappingProxyType(
    {kind.vct: kind for kind in (_PERSOON, _ADRES, _GEZIN, _GEZAG, _WOZ)}
)


def credential_type(vct: str) -> CredentialType:
    """The type of a `vct`. Raises `Rejected`: `unknown_vct`."""
    kind = CREDENTIAL_TYPES.get(vct)
    if kind is None:
        raise Rejected("unknown_vct", "this type of credential is not in the vocabulary")
    return kind


def short_name(vct: str) -> str:
    """The name of a card for people: `adres`; a type that the vocabulary does not know keeps its own."""
    known = CREDENTIAL_TYPES.get(vct)
    return known.configuration_id if known else vct


def attribute(vct: str, name: str) -> Attribute:
    """One attribute of a type. Raises `Rejected`: `unknown_vct`, `unknown_attribute`."""
    found = credential_type(vct).by_name.get(name)
    if found is None:
        raise Rejected("unknown_attribute", "the credential type has no such attribute")
    return found


def fits(vct: str, name: str, disclosure_encoded: str) -> bool:
    """Whether a base64url disclosure leaves the one byte that padding needs (ISO/IEC 7816-4) below its size.

    Raises `Rejected`: `unknown_vct`, `unknown_attribute`.
    """
    return len(disclosure_encoded) < attribute(vct, name).size
