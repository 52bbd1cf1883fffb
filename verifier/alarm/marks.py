"""How an officer, a case, an address and a person become marks that only this agency can make (ours).

    mark = b64u(HMAC-SHA-256(alarm key, "regie/alarm/v1/" || kind || 0x00 || text)[:16])

Marks are compared and nothing else: what an officer's own street is to a rule is the same sixteen bytes as the
street of who was read. Whoever has the key can try all postal codes, so it stays in the home, 0600, and marks are
deleted after `KEPT_DAYS`.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocol.canonical import JsonValue, b64u_encode, hmac_sha256
from verifier.alarm.facts import Mark

KEY_BYTES = 32
KEPT_DAYS = 400
"""A year, so that the same weeks of the year before are there, and some time to look."""
_MARK_BYTES = 16
_PERSOON, _ADRES = "urn:regie:nl:persoon:1", "urn:regie:nl:adres:1"
Values = Mapping[tuple[str, str], JsonValue]
"""By type of card and attribute."""


@dataclass(frozen=True)
class Marks:
    """Makes marks under one key of `KEY_BYTES` bytes."""

    key: bytes = field(repr=False)

    def of(self, kind: str, text: str) -> Mark:
        """A mark; `text` is taken without case, accents stay."""
        plain = unicodedata.normalize("NFC", text.strip()).casefold()
        return b64u_encode(hmac_sha256(self.key, f"regie/alarm/v1/{kind}\0{plain}".encode())[:_MARK_BYTES])

    def officer(self, id_: str) -> Mark:
        """Of who reads."""
        return self.of("officer", id_)

    def case(self, number: str) -> Mark:
        """Of a case number."""
        return self.of("case", number)

    def postcode(self, text: str) -> Mark:
        """About seventeen addresses, with or without a space in it."""
        return self.of("postcode", text.replace(" ", ""))

    def street(self, street: str, town: str) -> Mark:
        """Where a postal code was not read."""
        return self.of("street", f"{street}\0{town}")

    def bsn(self, bsn: str) -> Mark:
        """A person by number."""
        return self.of("bsn", bsn)

    def name(self, surname: str, born: str) -> Mark:
        """A person by surname, without prefix, and date of birth (as the register writes it)."""
        return self.of("name", f"{surname}\0{born}")

    def homes(self, values: Values) -> frozenset[Mark]:
        """Marks of the address among values that were read."""
        found = []
        postcode, street, town = _texts(values, _ADRES, ("postcode", "straat", "woonplaats"))
        if postcode:
            found.append(self.postcode(postcode))
        if street and town:
            found.append(self.street(street, town))
        return frozenset(found)

    def persons(self, values: Values) -> frozenset[Mark]:
        """Marks of the person among values that were read."""
        found = []
        bsn, surname, born = _texts(values, _PERSOON, ("burgerservicenummer", "geslachtsnaam", "geboortedatum"))
        if bsn:
            found.append(self.bsn(bsn))
        if surname and born:
            found.append(self.name(surname, born))
        return frozenset(found)

    def resident(self, values: Values, grant: str) -> Mark:
        """One mark for one resident: the person if the values tell who it is, else the agreement."""
        bsn, surname, born = _texts(values, _PERSOON, ("burgerservicenummer", "geslachtsnaam", "geboortedatum"))
        if bsn:
            return self.bsn(bsn)
        return self.name(surname, born) if surname and born else self.of("grant", grant)


def _texts(values: Values, vct: str, names: Iterable[str]) -> list[str]:
    """Texts of attributes; empty for what was not read or is no text."""
    found = (values.get((vct, name)) for name in names)
    return [text if isinstance(text, str) else "" for text in found]
