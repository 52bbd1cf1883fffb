"""What a letter about a right says of its sender and where it goes (GDPR articles 15 to 17, Wet BRP article 3.22).

The sender is filled in from the resident's own cards; what no card says stays open, to be written by hand. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from protocol.names import visible
from wallet.card import claims_of
from wallet.records import Copy

LetterKind: TypeAlias = Literal["access", "rectification", "erasure", "register"]
_PERSON, _ADDRESS = "urn:regie:nl:persoon:1", "urn:regie:nl:adres:1"
_LINES = ("adresregel1", "adresregel2", "adresregel3")
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{5,20}")


@dataclass(frozen=True)
class Sender:
    """Who writes, from the newest cards; None and empty where no card says it. `born`: as the register has it."""

    name: str | None = None
    address: tuple[str, ...] = ()
    born: str | None = None
    municipality: str | None = None


@dataclass(frozen=True)
class Way:
    """How somebody can be reached (EUDI TS7 3.2: I2 web, I4 mail, I6 phone); `href` opens the program for it."""

    kind: Literal["mail", "web", "phone"]
    href: str


def sender_of(copies: Iterable[Copy]) -> Sender:
    """From the resident's own cards: those of a mandate are somebody else's."""
    newest: dict[str, Copy] = {}
    for copy in copies:
        known = newest.get(copy.vct)
        if copy.mandate is None and copy.vct in (_PERSON, _ADDRESS) and (known is None or copy.iat > known.iat):
            newest[copy.vct] = copy
    person, address = (claims_of(newest[vct]) if vct in newest else {} for vct in (_PERSON, _ADDRESS))
    return Sender(
        name=_text(person, "volledigeNaam"),
        address=tuple(line for line in (_text(address, name) for name in _LINES) if line),
        born=_text(person, "geboortedatum"),
        municipality=_text(address, "gemeente"),
    )


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return visible(value, 200) if isinstance(value, str) and value.strip() else None


def way_to(contact: str) -> Way | None:
    """What a contact of the trust list is: an address of mail, of the web, or a number; None for a postal one."""
    if _MAIL.fullmatch(contact):
        return Way("mail", f"mailto:{contact}")
    if contact.startswith("https://") and contact.isascii() and contact.isprintable() and " " not in contact:
        return Way("web", contact)
    if _PHONE.fullmatch(contact):
        return Way("phone", "tel:" + re.sub(r"[^0-9+]", "", contact))
    return None


def mail_to(way: Way, subject: str, body: str) -> str:
    """A draft for the resident's own mail program (RFC 6068): lines end in CRLF, everything else is escaped."""
    lines = body.replace("\n", "\r\n")
    return f"{way.href}?subject={quote(subject, safe='')}&body={quote(lines, safe='')}"
