"""How an agency names a case (zaak), after the ZGW standards for case systems (API Zaken 1.4.1).

`RSIN/identificatie`: the organisation that made the case (`bronorganisatie`, nine digits that pass the eleven
test) and its number for it (`identificatie`, at most 40 characters), which together are unique in the country; or
the address of the case itself (`.../zaken/UUID`); or the agency's own number, where it has no such system. Terms
and READs hold a salted hash of `CaseReference.text`, so one case must always be written the same way.
"""

import re
import unicodedata
from dataclasses import dataclass

from protocol.errors import Rejected

MAX_CASE_CHARACTERS = 256
MAX_IDENTIFICATION_CHARS = 40
"""ZGW API Zaken: `identificatie` has at most so many."""
_ZGW = re.compile(r"([0-9]{9})/(.+)")
_URL = re.compile(
    r"https://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/zaken"
    r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


@dataclass(frozen=True)
class CaseReference:
    """`text`: the one way to write it. `source` (RSIN) and `number` of a ZGW reference; `url` of an address."""

    text: str
    number: str | None = None
    source: str | None = None
    url: str | None = None


def parse_case_reference(text: str) -> CaseReference:
    """What somebody typed or a system sent, without spaces around it and in NFC.

    Raises `Rejected`: `bad_case`; the text itself is in no message.
    """
    case = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(case) <= MAX_CASE_CHARACTERS or not case.isprintable():
        raise Rejected("bad_case", f"a case number has 1 to {MAX_CASE_CHARACTERS} visible characters")
    if "://" in case:
        if not _URL.fullmatch(case):
            raise Rejected("bad_case", "the address of a case is https://.../zaken/UUID")
        return CaseReference(case, url=case)
    match = _ZGW.fullmatch(case)
    if match is None:
        return CaseReference(case)
    return _zgw_reference(case, match[1], match[2].strip())


def _zgw_reference(case: str, source: str, number: str) -> CaseReference:
    if not is_rsin(source):
        raise Rejected("bad_case", "before the / stands an RSIN, nine digits that pass the eleven test")
    if not 1 <= len(number) <= MAX_IDENTIFICATION_CHARS or not number.isascii():
        raise Rejected("bad_case", f"after the / stand at most {MAX_IDENTIFICATION_CHARS} plain characters")
    return CaseReference(f"{source}/{number}", number, source)


def is_rsin(text: str) -> bool:
    """Whether these are nine digits, not all zero, that pass the eleven test."""
    if not re.fullmatch(r"[0-9]{9}", text) or text == "000000000":
        return False
    return sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text, strict=True)) % 11 == 0
