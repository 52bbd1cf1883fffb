"""The full name (`volledigeNaam`) as BRP API Personen composes it: predicate, first names, title, prefix, surname.

The answer about a person carries it; partners, children and parents come without, so it is composed here.
"""

from issuer.brp import Coded, Name

_FORMS = (
    ("B", "baron", "BS", "barones"),
    ("G", "graaf", "GI", "gravin"),
    ("H", "hertog", "HI", "hertogin"),
    ("JH", "jonkheer", "JV", "jonkvrouw"),
    ("M", "markies", "MI", "markiezin"),
    ("P", "prins", "PS", "prinses"),
    ("R", "ridder", "R", "ridder"),
)
"""National table 38: code and form for a man, code and form for a woman."""
_FOR_MAN = {code: form[1] for form in _FORMS for code in (form[2], form[0])}
_FOR_WOMAN = {code: form[3] for form in _FORMS for code in (form[2], form[0])}
_AS_REGISTERED = {form[2]: form[3] for form in _FORMS} | {form[0]: form[1] for form in _FORMS}
_PREDICATES = frozenset({"JH", "JV"})


def full_name(name: Name | None, gender: Coded | None) -> str | None:
    """The name in one line; None when the register knows no part of it."""
    if name is None:
        return None
    if name.volledigeNaam:
        return name.volledigeNaam
    title = _title(name.adellijkeTitelPredicaat, gender)
    is_predicate = name.adellijkeTitelPredicaat is not None and name.adellijkeTitelPredicaat.code in _PREDICATES
    parts = (
        title if is_predicate else None,
        name.voornamen,
        None if is_predicate else title,
        name.voorvoegsel,
        name.geslachtsnaam,
    )
    # Registers hold double spaces (prefix "van  den"); a line of text does not.
    return " ".join(" ".join(part for part in parts if part).split()) or None


def _title(title: Coded | None, gender: Coded | None) -> str | None:
    """The form that fits the gender; who is neither man nor woman keeps the one that was registered."""
    if title is None:
        return None
    forms = {"M": _FOR_MAN, "V": _FOR_WOMAN}.get(gender.code or "" if gender else "", _AS_REGISTERED)
    return forms.get(title.code or "") or (title.omschrijving or "").lower() or None
