"""Names that strangers show to residents: nothing hidden, one script a word, none that looks like a listed one.

After Unicode TR39 ("highly restrictive", skeletons), with a small table of our own: the Latin, Greek and Cyrillic
letters that look alike in the fonts of a screen, and what people write for them (`0` for `o`, `rn` for `m`). It is
coarse on purpose: two names that it takes for one are shown to nobody as two.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from protocol.errors import Rejected

MAX_NAME_CHARACTERS = 256
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (zero-width and bidi among them), surrogate, private and unassigned characters; line breaks."""
_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
"""Scripts that honest words mix (TR39 section 5.2)."""
_CAPITALS = str.maketrans(
    dict(zip("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS", strict=True))
    | dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
)
"""Cyrillic and Greek capitals, before case is folded: a Greek capital looks unlike its small letter."""
_LOOKS_LIKE = str.maketrans(
    dict(zip("аеорсухіјѕԁһӏԛԝгпвкмнт", "aeopcyxijsdhlqwrnbkmht", strict=True))
    | dict(zip("αβεικνορτυχηωγμς", "abeikvoptuxnwyus", strict=True))
    | dict(zip("ıɑɡłøđħŧßƨʟ", "iagloahtbsl", strict=True))
    | dict(zip("0135689!|$@", "olesbbglisa", strict=True))
)
_SPELT_LIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("i", "l"), ("j", "l"))
"""Applied last and in this order: capital I, small l and the digit 1 are one stroke."""


def check_name(name: str) -> str:
    """`name` in NFC, if it can be shown without misleading by its characters alone.

    1. 1 to 256 characters; 2. nothing hidden; 3. each word in one script. Raises `Rejected`: `misleading_name`.
    """
    normal = unicodedata.normalize("NFC", name[: 4 * MAX_NAME_CHARACTERS])
    if not 1 <= len(normal) <= MAX_NAME_CHARACTERS or not normal.strip():  # 1
        raise _misleading("a name is empty or too long")
    if any(unicodedata.category(character) in _HIDDEN for character in normal):  # 2
        raise _misleading("a name holds hidden characters")
    for word in unicodedata.normalize("NFKC", normal).split():  # 3
        scripts = {unicodedata.name(character, "?").split(" ")[0] for character in word if character.isalpha()}
        if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
            raise _misleading("a name mixes letters of several scripts in one word")
    return normal


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """What is left of a name once all that looks alike is one: letters only, for comparison and never for show."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).translate(_CAPITALS).casefold())
    plain = "".join(character for character in folded if unicodedata.category(character) != "Mn")
    letters = "".join(character for character in plain.translate(_LOOKS_LIKE) if character.isalnum())
    for written, seen in _SPELT_LIKE:
        letters = letters.replace(written, seen)
    return letters


def check_no_double(name: str, listed: Iterable[str]) -> None:
    """That `name`, of somebody who is not listed, cannot be taken for a listed one: not even the very same text.

    Raises `Rejected`: `misleading_name`.
    """
    own = skeleton(name) if len(name) <= MAX_NAME_CHARACTERS else ""
    if not own or any(skeleton(other) == own for other in listed):
        raise _misleading("a stranger's name looks like that of a listed party")


def shown_host(host: str) -> str:
    """A host name as it is resolved (A-labels), with the letters that it stands for when they differ."""
    if "xn--" not in host.lower():
        return host
    try:
        letters = host.encode("ascii").decode("idna")
        check_name(letters.replace(".", " "))
    except (UnicodeError, Rejected):
        return host
    return f"{host} ({letters})"


def visible(text: str, limit: int = 200) -> str:
    """Any text of a stranger (a path, a value, a title) on one line of the screen, with nothing hidden in it."""
    shown = "".join("\ufffd" if unicodedata.category(character) in _HIDDEN else character for character in text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def check_text(text: str) -> str:
    """A stranger's line for the screen (a purpose, a label). Raises `Rejected`: `misleading_name`."""
    if any(unicodedata.category(character) in _HIDDEN for character in text):
        raise _misleading("a text holds hidden characters")
    return unicodedata.normalize("NFC", text)


def _misleading(detail: str) -> Rejected:
    return Rejected("misleading_name", f"{detail}; nothing is shown under it", status=403)
