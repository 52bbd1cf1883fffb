"""Names: initials, the full name, and the forms of titles of nobility (national table 38). Pure."""

from dataclasses import dataclass
from typing import Any

_PAIRS = (
    ("B", "BS", "baron", "barones"),
    ("G", "GI", "graaf", "gravin"),
    ("H", "HI", "hertog", "hertogin"),
    ("M", "MI", "markies", "markiezin"),
    ("P", "PS", "prins", "prinses"),
    ("JH", "JV", "jonkheer", "jonkvrouw"),
)
"""Code and code, word and word: of a man and of a woman. There is no woman's form of ridder (R)."""
_MAN = {code: pair[2] for pair in _PAIRS for code in pair[:2]} | {"R": "ridder"}
_WOMAN = {code: pair[3] for pair in _PAIRS for code in pair[:2]}
_REGISTERED = {pair[place]: pair[place + 2] for pair in _PAIRS for place in (0, 1)} | {"R": "ridder"}
PREDICATES = frozenset({"JH", "JV"})
COURTESY = {code: _WOMAN[code] for code in ("B", "G", "H", "M", "P")}
"""The titre de courtoisie that a woman may use of her partner's title."""


@dataclass(frozen=True)
class Party:
    """The name of one person. `gender` is M, V or O; absent parts are empty, as is a surname that is unknown."""

    gender: str = ""
    first: str = ""
    title: str = ""
    prefix: str = ""
    surname: str = ""

    @property
    def is_noble(self) -> bool:
        """Has a title, which a predicate is not."""
        return bool(self.title) and self.title not in PREDICATES


def party_of(record: dict[str, Any]) -> Party:
    """The name in a person, partner, parent or child of the API or of the GBA. A full stop stands for unknown."""
    name = record.get("naam") or {}

    def part(member: str) -> str:
        value = " ".join(str(name.get(member) or "").split())
        return "" if value == "." else value

    return Party(
        (record.get("geslacht") or {}).get("code") or "",
        part("voornamen"),
        (name.get("adellijkeTitelPredicaat") or {}).get("code") or "",
        part("voorvoegsel"),
        part("geslachtsnaam"),
    )


def title_form(code: str, gender: str) -> str:
    """The title in the form of this gender; empty where it has none."""
    return {"M": _MAN, "V": _WOMAN}.get(gender, {}).get(code, "")


def initials(first: str) -> str:
    """The first letter of each first name with a full stop; a name of one letter has none, and a space instead."""
    text = ""
    for name in first.split():
        text += (" " if text and not text.endswith(".") else "") + (name if len(name) == 1 else f"{name[0]}.")
    return text


def full_name(party: Party) -> str:
    """Predicate, first names, title, prefix, surname. A title with no form for the gender is as registered."""
    title = title_form(party.title, party.gender) or _REGISTERED.get(party.title, "")
    is_predicate = party.title in PREDICATES
    parts = (
        title if is_predicate else "",
        party.first,
        "" if is_predicate else title,
        party.prefix,
        party.surname,
    )
    return joined(*parts)


def joined(*parts: str) -> str:
    """The parts that are there, with one space between them."""
    return " ".join(part for part in parts if part)


def capital(text: str) -> str:
    """With a capital at the front; an apostrophe stays what it is."""
    return text[:1].upper() + text[1:]
