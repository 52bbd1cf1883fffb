"""Names that strangers show to residents: nothing hidden, one script a word, none that looks like a listed one.

After Unicode TR39 (scripts in use today, skeletons), with a small table of our own: the Latin, Greek, Cyrillic and
Armenian letters that look alike in the fonts of a screen, and what people write for them (`0` for `o`, `rn` for
`m`). It is coarse on purpose: two names that it takes for one are shown to nobody as two, and letters and signs
that only few write are not shown at all.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from protocol.errors import Rejected

MAX_NAME_CHARACTERS = 256
MAX_TEXT_CHARACTERS = 4096
"""Of a purpose or a label: more than anybody reads before answering."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (zero-width and bidi among them), surrogate, private and unassigned characters; line breaks."""
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters of Hangul that are drawn as nothing."""
_SCRIPTS = frozenset(
    {
        "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "THAANA", "ETHIOPIC", "GEORGIAN",
        "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM",
        "SINHALA", "THAI", "LAO", "TIBETAN", "MYANMAR", "KHMER", "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO",
        "HANGUL",
    }
)  # fmt: skip
"""In use today (UAX31 table 5): of the others Lisu and Cherokee have whole words that look Latin."""
_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"CJK", "BOPOMOFO"}),
    frozenset({"CJK", "HANGUL"}),
)
"""Scripts that honest words mix. TR39 5.2 adds Latin to each, but a stroke of Hangul or Han is taken for an l."""
_SIGNS = frozenset("‘’“”„–—·・€§©®")
"""Besides those of ASCII: a bar or a ring among letters is taken for one."""
_LATIN = re.compile(
    r"LATIN (?:SMALL|CAPITAL) (?:LETTER (?:(?P<base>[A-Z])(?: WITH .+)?|AE|ETH|THORN|ENG|SCHWA|OPEN [EO]|SHARP S|"
    r"DOTLESS I)(?: WITH .+)?|LIGATURE (?:OE|IJ))"
)
"""Letters of an alphabet; not those of phonetics, small capitals and clicks, which look like others."""
_CAPITALS = str.maketrans(
    dict(zip("АВЕКМНОРСТУХІЈЅ", "ABEKMHOPCTYXIJS", strict=True))
    | dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
    | dict(zip("ՕՍՏԼ", "OUSL", strict=True))
)
"""Cyrillic, Greek and Armenian capitals, before case is folded: a Greek capital looks unlike its small letter."""
_LOOKS_LIKE = str.maketrans(
    dict(zip("аеорсухіјѕԁһӏԛԝгпвкмнт", "aeopcyxijsdhlqwrnbkmht", strict=True))
    | dict(zip("αβεικνορτυχηωγμς", "abeikvoptuxnwyus", strict=True))
    | dict(zip("օսոհցզյ", "ounhgqj", strict=True))
    | dict(zip("ıɑɡʟɛɔə", "iagleoe", strict=True))
    | dict(zip("0135689!|$@", "olesbbglisa", strict=True))
)
_SPELT_LIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("i", "l"), ("j", "l"))
"""Applied last and in this order: capital I, small l and the digit 1 are one stroke."""


def check_name(name: str) -> str:
    """`name` in NFC, if it can be shown without misleading by its characters alone.

    1. 1 to 256 characters; 2. nothing hidden; 3. letters and signs that people know; 4. each word in one script.
    Raises `Rejected`: `misleading_name`.
    """
    normal = unicodedata.normalize("NFC", name[: 4 * MAX_NAME_CHARACTERS])
    if not 1 <= len(normal) <= MAX_NAME_CHARACTERS or not normal.strip():  # 1
        raise _misleading("a name is empty or too long")
    if any(unicodedata.category(character) in _HIDDEN or character in _FILLERS for character in normal):  # 2
        raise _misleading("a name holds hidden characters")
    for word in unicodedata.normalize("NFKC", normal).split():
        scripts = {_script(character) for character in word} - {""}  # 3
        if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):  # 4
            raise _misleading("a name mixes letters of several scripts in one word")
    return normal


def _script(character: str) -> str:
    """The script of a letter, mark or digit; empty for what goes with all. Raises as `check_name`."""
    name, kind = unicodedata.name(character, "?"), unicodedata.category(character)[0]
    if character in _SIGNS or "\u0300" <= character <= "\u036f" or (character.isascii() and kind != "L"):
        return ""
    script = {"IDEOGRAPHIC": "CJK"}.get(name.split(" ")[0], re.split("[ -]", name)[0])
    is_known = kind in "LM" or character.isdecimal()
    if not is_known or script not in _SCRIPTS or (script == "LATIN" and not _LATIN.fullmatch(name)):
        raise _misleading("a name holds letters or signs that can be taken for others")
    return script


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """What is left of a name once all that looks alike is one: letters only, for comparison and never for show."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name).translate(_CAPITALS).casefold())
    plain = "".join(character for character in folded if unicodedata.category(character) != "Mn")
    letters = "".join(map(_base, plain)).translate(_LOOKS_LIKE)
    letters = "".join(character for character in letters if character.isalnum())
    for written, seen in _SPELT_LIKE:
        letters = letters.replace(written, seen)
    return letters


def _base(character: str) -> str:
    """A Latin letter without its strokes and hooks, which no normal form takes off."""
    found = None if character.isascii() else _LATIN.fullmatch(unicodedata.name(character, ""))
    return found["base"].lower() if found and found["base"] else character


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
    if len(text) > MAX_TEXT_CHARACTERS:
        raise _misleading("a text is longer than anybody reads")
    if any(unicodedata.category(character) in _HIDDEN for character in text):
        raise _misleading("a text holds hidden characters")
    return unicodedata.normalize("NFC", text)


def _misleading(detail: str) -> Rejected:
    return Rejected("misleading_name", f"{detail}; nothing is shown under it", status=403)
