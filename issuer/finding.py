"""How a clerk finds somebody: by BSN, or by surname together with the date of birth. Pure.

Both together, as in BRP API Personen 2.7.0 (ZoekMetGeslachtsnaamEnGeboortedatum): a surname alone would let a
clerk leaf through the register. A record whose date of birth is not whole is found by the part that it has.
"""

import re
import unicodedata
from dataclasses import dataclass

from issuer.brp import Bsn, Person, parse_person
from issuer.dates import parse_iso_date
from issuer.names import full_name
from protocol.errors import Rejected

MAX_SURNAME = 200
"""Characters: the longest surname that the BRP has room for."""
_TYPED = re.compile(
    r"(?P<d1>[0-9]{1,2})(?P<gap>[-/. ])(?P<m1>[0-9]{1,2})(?P=gap)(?P<y1>[0-9]{4})|"
    r"(?P<y2>[0-9]{4})-(?P<m2>[0-9]{2})-(?P<d2>[0-9]{2})|"
    r"(?P<d3>[0-9]{2})(?P<m3>[0-9]{2})(?P<y3>[0-9]{4})"
)
MAX_FOUND = 20
"""People of one surname and birthday that are shown; more is a search that has to be narrower."""


@dataclass(frozen=True)
class Found:
    """Somebody who may be meant: enough to tell two people apart, and no more."""

    bsn: Bsn
    name: str
    birth: str
    address: str

    @property
    def bsn_end(self) -> str:
        """The last three digits, to compare with a document."""
        return self.bsn[-3:]


def surname_key(surname: str) -> str:
    """`surname` without case, diacritics and double spaces: what it is kept and looked for under."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", surname) if not unicodedata.combining(char))
    return " ".join(plain.casefold().split())


def found_by(person: Person) -> tuple[str | None, str | None]:
    """The key and the date of birth under which a person is kept."""
    surname = person.naam.geslachtsnaam if person.naam else None
    birth = person.geboorte.datum if person.geboorte else None
    return (surname_key(surname) if surname else None, str(birth.partial()) if birth else None)


def surname_keys(typed: str) -> tuple[str, ...]:
    """The keys that a typed surname may mean: `van den Berg` is kept under `berg`, its prefix being a field apart.

    Raises `Rejected`: `bad_name`.
    """
    key = surname_key(typed)
    if not key or len(typed) > MAX_SURNAME or not typed.isprintable():
        raise Rejected("bad_name", f"a surname has 1 to {MAX_SURNAME} characters")
    words = key.split(" ")
    return tuple(" ".join(words[start:]) for start in range(len(words)))


def birth_forms(typed: str) -> tuple[str, ...]:
    """The forms in which the register may know a date of birth that was typed as 12-04-1987, 12/4/1987, 12 4 1987,
    12041987 or 1987-04-12. Raises `Rejected`: `bad_date`.
    """
    found = _TYPED.fullmatch(typed.strip())
    if found is None:
        raise Rejected("bad_date", "a date of birth is day, month and year")
    (form,) = (number for number in "123" if found[f"d{number}"])
    day, month, year = (found[part + form] for part in "dmy")
    whole = str(parse_iso_date(f"{year}-{month:0>2}-{day:0>2}"))
    return whole, whole[:7], whole[:4]


def found_of(record: str) -> Found:
    """What is shown of a record among others."""
    person = parse_person(record)
    lines = person.adressering
    address = ", ".join(line for line in (lines.adresregel1, lines.adresregel2) if line) if lines else ""
    return Found(Bsn(person.burgerservicenummer), name_of(person), birth_of(person), " ".join(address.split()))


def name_of(person: Person) -> str:
    """The full name; empty when the register knows none."""
    return full_name(person.naam, person.geslacht) or ""


def birth_of(person: Person) -> str:
    """The date of birth as far as it is known; empty when the register says nothing."""
    date = person.geboorte.datum if person.geboorte else None
    return str(date.partial()) if date else ""


def is_deceased(person: Person) -> bool:
    """Nobody fetches cards of who has died."""
    return person.overlijden is not None
