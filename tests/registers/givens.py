"""Who the worked examples of BRP API Personen are about: the columns of an example name what differs, and this
table what the examples of one scenario have in common (its "Gegeven"), and what is expected where no column says.
"""

from typing import Any

Record = dict[str, Any]
FORMS = ("aanhef", "aanschrijfwijze", "gebruikInLopendeTekst")
_OWN = {
    "geslacht": ("geslacht",),
    "voornamen": ("voornamen",),
    "voorvoegsel": ("voorvoegsel",),
    "geslachtsnaam": ("geslachtsnaam",),
    "titel": ("adellijkeTitelPredicaat", "titel"),
    "naamgebruik": ("naamgebruik", "aanduidingNaamgebruik", "aanduiding naamgebruik"),
}
_PARTNER = {
    "voorvoegsel": ("partner voorvoegsel", "voorvoegsel partner"),
    "geslachtsnaam": ("partner geslachtsnaam", "geslachtsnaam partner"),
    "titel": ("adellijkeTitelPredicaat partner", "titel partner"),
}
_AEDEL = {"voorvoegsel": "van den", "geslachtsnaam": "Aedel"}
_BOER = {"voorvoegsel": "de", "geslachtsnaam": "Boer"}
_NONE: dict[str, str] = {}


def _own(**parts: str) -> dict[str, str]:
    return {"naamgebruik": "E", **parts}


_NO = object()
"""No form of address at all."""
_PIETER = _own(geslacht="M", voornamen="Pieter", **_AEDEL)
_JO = _own(geslacht="V", voornamen="Jo", **_BOER)
_JO_AEDEL = _own(voornamen="Jo", **_AEDEL)
_JO_ANNE = _own(geslacht="V", voornamen="Jo Anne", **_AEDEL)
_FLEUR = _own(geslacht="V", voornamen="Anne-Fleur", **_BOER)
_BARONES = _own(geslacht="V", voornamen="Anne-Fleur", titel="BS", voorvoegsel="de", geslachtsnaam="Bonne Fooie")
_VELD = _own(geslacht="V", voorvoegsel="in het", geslachtsnaam="Veld")
_JEANNE = _own(geslacht="V", voornamen="Jeanne Anne", titel="JV", **_AEDEL)
_EX = {"ontbonden": "20211109", **_BOER}
_HEER, _VROUWE = {"aanspreekvorm": "De hoogwelgeboren heer"}, {"aanspreekvorm": "De hoogwelgeboren vrouwe"}

GIVEN: tuple[tuple[str, str, dict[str, str], dict[str, str] | None, Any], ...] = (
    # feature, beginning of the scenario, the person, the partner, what is expected besides the columns
    (
        "aanhef/adellijke_titel",
        'persoon heeft adellijke titel "<adellijkeTitelPredicaat>" en g',
        _PIETER,
        _BOER,
        None,
    ),
    (
        "aanhef/adellijke_titel",
        'persoon heeft adellijke titel "<adellijkeTitelPredicaat>" en n',
        _PIETER,
        _BOER,
        None,
    ),
    (
        "aanhef/adellijke_titel",
        "persoon met partner heeft predicaat en g",
        {**_PIETER, "titel": "JV"},
        _BOER,
        None,
    ),
    (
        "aanhef/adellijke_titel",
        "persoon met partner heeft predicaat en n",
        {**_PIETER, "titel": "JH"},
        _BOER,
        None,
    ),
    ("aanhef/adellijke_titel", "persoon heeft predicaat", {**_PIETER, "titel": "JH"}, _EX, None),
    ("aanhef/geslachtsnaam_leeg", "naam van de", _own(geslacht="V", geslachtsnaam="."), _BOER, _NO),
    ("aanhef/geslachtsnaam_leeg", "persoon met onbekende", _own(voornamen="Jo Anne"), _BOER, _NO),
    (
        "aanhef/geslachtsnaam_partner",
        "naam van de",
        _own(geslacht="V", **_BOER),
        {"geslachtsnaam": "."},
        "Geachte mevrouw De Boer",
    ),
    (
        "aanhef/geslachtsnaam_partner",
        "persoon heeft en",
        _own(voornamen="Jo Anne", **_BOER),
        {"geslachtsnaam": "."},
        None,
    ),
    ("aanhef/partner_met", "partner heeft", {**_JO, "naamgebruik": "P"}, _AEDEL, None),
    ("aanhef/partner_met", "persoon met geslacht", {**_JO, "naamgebruik": "P"}, _AEDEL, None),
    ("aanhef/partner_met", "adellijke titel van", _JO, {"titel": "B", **_AEDEL}, None),
    ("aanhef/partner_met", "vrouw heeft", {**_JO_AEDEL, "geslacht": "V"}, {"geslacht": "M", **_BOER}, None),
    ("aanhef/partner_met", "man heeft", {**_JO_AEDEL, "geslacht": "M"}, {"geslacht": "V", **_BOER}, None),
    (
        "aanhef/summary",
        "Aanhef voor persoon met voorletter,",
        _own(voornamen="Robin Melle", voorvoegsel="van", geslachtsnaam="Puffelen"),
        None,
        None,
    ),
    (
        "aanhef/summary",
        "Aanhef voor persoon met voorletters en",
        _own(voornamen="Jo Rene", geslachtsnaam="Groenen"),
        None,
        None,
    ),
    ("aanhef/summary", "Aanhef van een persoon die nooit", _VELD, None, "Geachte mevrouw In het Veld"),
    ("aanhef/summary", "Aanhef van een persoon met", _own(geslacht="V"), _NONE, None),
    ("aanhef/voorvoegsel", "hoofdlettergebruik", _own(), _NONE, None),
    (
        "aanschrijfwijze/adellijk",
        "persoon met adellijke titel",
        {**_JO_ANNE, "titel": "BS"},
        _BOER,
        _VROUWE,
    ),
    ("aanschrijfwijze/adellijk", "Naam", _own(geslachtsnaam="Aedel"), None, None),
    (
        "aanschrijfwijze/adellijk",
        "Jonkheer",
        _own(geslacht="M", voornamen="James Antoine", titel="JH", **_AEDEL),
        _BOER,
        _HEER,
    ),
    ("aanschrijfwijze/adellijk", "Jonkvrouw met partner", _JEANNE, _BOER, None),
    ("aanschrijfwijze/adellijk", "Jonkvrouw met ex-partner", _JEANNE, _EX, None),
    ("aanschrijfwijze/hoffelijk", "Vrouw met adellijke partner", _FLEUR, {"titel": "B", **_AEDEL}, _VROUWE),
    (
        "aanschrijfwijze/hoffelijk",
        "Persoon met geslacht",
        _own(voornamen="John", **_BOER) | {"naamgebruik": "P"},
        {"titel": "B", **_AEDEL},
        {"naam": "J. van den Aedel"},
    ),
    (
        "aanschrijfwijze/hoffelijk",
        'Vrouw met partner met adellijke titel "<titel partner>" kan',
        {**_FLEUR, "naamgebruik": "P"},
        _AEDEL,
        {"naam": "A. van den Aedel"},
    ),
    ("aanschrijfwijze/hoffelijk", "Vrouw met partner", {**_FLEUR, "naamgebruik": "P"}, _AEDEL, None),
    (
        "aanschrijfwijze/hoffelijk",
        "Vrouw met adellijke titel en partner met adellijke titel en",
        _BARONES,
        {"titel": "P", **_AEDEL},
        None,
    ),
    ("aanschrijfwijze/hoffelijk", "Vrouw met adellijke titel", {**_BARONES, "naamgebruik": "N"}, _AEDEL, None),
    ("aanschrijfwijze/niet-adellijk", "Naam", _own(geslachtsnaam="Groenen"), None, None),
    (
        "aanschrijfwijze/niet-adellijk",
        "Persoon met partner geen voorvoegsel in naam persoon of",
        _own(geslachtsnaam="Groenen"),
        {"geslachtsnaam": "Groenlo"},
        None,
    ),
    (
        "aanschrijfwijze/niet-adellijk",
        "Persoon met partner met voorvoegsel in naam persoon en geen",
        _own(voorvoegsel="van", geslachtsnaam="Velzen"),
        {"geslachtsnaam": "Groenlo"},
        None,
    ),
    ("aanschrijfwijze/niet-adellijk", "Persoon met partner", _own(), _NONE, None),
    (
        "aanschrijfwijze/niet-adellijk",
        "persoon heeft een naamketen",
        _own(geslachtsnaam="Ali bin Mohammed"),
        {"voorvoegsel": "van", "geslachtsnaam": "Velzen"},
        None,
    ),
    ("gebruikinlopendetekst/adellijk", "persoon met adellijke titel", {**_JO_ANNE, "titel": "BS"}, _BOER, None),
    (
        "gebruikinlopendetekst/adellijk",
        'persoon met predicaat en geslacht "<geslacht>" en',
        {**_JO_ANNE, "titel": "JV"},
        _BOER,
        None,
    ),
    ("gebruikinlopendetekst/adellijk", "persoon met predicaat", {**_JO_ANNE, "titel": "JV"}, _EX, None),
    ("gebruikinlopendetekst/adellijk", "persoon met adellijkeTitel", _JO_ANNE, None, None),
    ("gebruikinlopendetekst/geslachtsnaam_leeg", "naam", _own(geslacht="V", geslachtsnaam="."), _BOER, _NO),
    ("gebruikinlopendetekst/geslachtsnaam_partner", "naam", _own(geslacht="V", **_BOER), _NONE, None),
    ("gebruikinlopendetekst/hoffelijk", "partner met", {**_JO, "naamgebruik": "V"}, _AEDEL, None),
    ("gebruikinlopendetekst/hoffelijk", "persoon met geslacht", {**_JO, "naamgebruik": "P"}, _AEDEL, None),
    ("gebruikinlopendetekst/hoffelijk", "adellijke titel van", _JO, {"titel": "B", **_AEDEL}, None),
    (
        "gebruikinlopendetekst/hoffelijk",
        "persoon en partner",
        {**_JO, "titel": "BS"},
        {"geslacht": "M", "titel": "G", **_AEDEL},
        None,
    ),
    (
        "gebruikinlopendetekst/niet-adellijk",
        "gebruikInLopendeTekst bij",
        _own(voornamen="Jo Rene", geslachtsnaam="Groenen"),
        None,
        None,
    ),
    (
        "gebruikinlopendetekst/niet-adellijk",
        "gebruikInLopendeTekst van een persoon die nooit",
        _VELD,
        None,
        "mevrouw In het Veld",
    ),
    ("gebruikinlopendetekst/niet-adellijk", "naamsamenstelling", _own(geslacht="V"), _NONE, None),
    ("gebruikinlopendetekst/niet-adellijk", "hoofdlettergebruik", _own(), _NONE, None),
)


def salutation_example(example: Record) -> tuple[Record, str, Any]:
    """A person as kept, the form of address that the example is of, and what it must be (None: nothing)."""
    columns: dict[str, str] = example["voorbeeld"]
    _, _, own, partner, besides = next(
        row
        for row in GIVEN
        if f"adressering/{row[0]}" in example["feature"] and example["scenario"].startswith(row[1])
    )
    form = next(form for form in FORMS if f"adressering/{form.lower()}/" in example["feature"])
    person = record(**{**own, **_taken(columns, _OWN)})
    if partner is not None:
        person["partners"] = [record(**{**partner, **_taken(columns, _PARTNER)})]
    return person, form, _expected(columns, form, besides)


def marriages_example(columns: dict[str, str]) -> tuple[Record, str]:
    """A woman with two marriages that last, and how a letter to her begins."""
    person = record(geslacht="V", voornamen="Ferdinand Cornelis", geslachtsnaam="Groen", naamgebruik="V")
    person["partners"] = [
        record(geslachtsnaam="Geel", aangegaan=columns["datum partner 1"]),
        record(geslachtsnaam="Roodt", aangegaan=columns["datum partner 2"]),
    ]
    return person, f"Geachte mevrouw {columns['naam']}"


def _taken(columns: dict[str, str], table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {part: columns[name] for part, names in table.items() for name in names if name in columns}


def _expected(columns: dict[str, str], form: str, besides: Any) -> Any:
    if form == "aanschrijfwijze":
        found = {} if besides is None else dict(besides)
        names = {"naam in aanschrijfwijze": "naam", "aanspreekvorm": "aanspreekvorm"}
        return found | {member: columns[name] for name, member in names.items() if name in columns}
    if form in columns or form.lower() in columns:
        return columns.get(form) or columns.get(form.lower())
    return None if besides is _NO else besides


def record(
    *,
    geslacht: str = "",
    voornamen: str = "",
    voorvoegsel: str = "",
    geslachtsnaam: str = "",
    titel: str = "",
    naamgebruik: str = "",
    aangegaan: str = "",
    ontbonden: str = "",
) -> Record:
    """A person or partner as the GBA keeps one."""
    name: Record = {"voornamen": voornamen, "voorvoegsel": voorvoegsel, "geslachtsnaam": geslachtsnaam}
    name = {member: value for member, value in name.items() if value}
    if titel:
        name["adellijkeTitelPredicaat"] = {"code": titel}
    if naamgebruik:
        name["aanduidingNaamgebruik"] = {"code": naamgebruik}
    found: Record = {"naam": name}
    if geslacht:
        found["geslacht"] = {"code": geslacht}
    if aangegaan:
        found["aangaanHuwelijkPartnerschap"] = {"datum": aangegaan}
    if ontbonden:
        found["ontbindingHuwelijkPartnerschap"] = {"datum": ontbonden}
    return found
