"""`python -m tests.faces.catalogue`: bring the Dutch catalogues up to date with the sources; say what is missing.

Message ids are plain English; every face has its Dutch in `ROLE/ui/translations/nl.po`. New messages are added
without a translation, messages nobody uses any more are kept at the end as comments (`#~`): nothing that somebody
wrote is lost. Nothing is guessed either: no entry is marked fuzzy.
"""

import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
GROUND = "service"
ROOMS = (GROUND, "wallet", "verifier", "auditor", "issuer")
DUTCH = "nl"
_METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.svg", "jinja2")]
_KEYWORDS = {
    **dict.fromkeys(("_", "_l", "gettext", "lazy", "lazy_gettext")),
    **dict.fromkeys(("ngettext", "lazy_ngettext", "_n"), (1, 2)),
    **dict.fromkeys(("pgettext", "lazy_pgettext"), ((1, "c"), 2)),
}
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[sd]")
_CHANGING = re.compile(r'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator)[^\n]*\n', re.M)
_NAME = {"wallet": "wallet", "verifier": "desk", "auditor": "console", "issuer": "counter", GROUND: "ground"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one message of a room."""

    room: str
    message: str
    what: str

    def __str__(self) -> str:
        return f"{self.room}: {self.what}: {self.message!r}"


def folder(room: str) -> Path:
    """Where the face of `room` lies; it need not exist."""
    return ROOT / room / "ui"


def path(room: str) -> Path:
    """Its Dutch."""
    return folder(room) / "translations" / f"{DUTCH}.po"


def extracted(room: str) -> Catalog:
    """Every message in the sources of `room`, with the files that use it."""
    found = Catalog(project="regie", charset="utf-8")
    options = {"jinja2": {"silent": "false", "encoding": "utf-8"}}
    for name, line, message, comments, context in extract_from_dir(
        folder(room),
        method_map=_METHODS,
        options_map={pattern: options.get(method, {}) for pattern, method in _METHODS},
        keywords=_KEYWORDS,
        comment_tags=("NOTE:",),
        strip_comment_tags=True,
    ):
        place = [(str((folder(room) / name).relative_to(ROOT)), line)]
        found.add(message, None, place, auto_comments=comments, context=context)
    return found


def dutch(room: str) -> Catalog:
    """The catalogue as it is kept; empty if there is none."""
    if not path(room).exists():
        return Catalog(locale=DUTCH, project="regie", charset="utf-8")
    with path(room).open("rb") as stream:
        return read_po(stream, locale=DUTCH)


def messages(catalogue: Catalog) -> Iterator[Message]:
    """All but the header."""
    return (message for message in catalogue if message.id)


def forms(value: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The one or two forms of a message or its translation."""
    return (value or "",) if isinstance(value, str) or value is None else tuple(value)


def placeholders(text: str) -> list[str]:
    """`%(name)s` and `%s` of a text, sorted; `%%` is none."""
    return sorted(match.group() for match in _PLACEHOLDER.finditer(text.replace("%%", "")))


def faults(room: str) -> list[Fault]:
    """Messages of `room` without Dutch, marked fuzzy, or with other placeholders; the ground's count for all."""
    kept, ground = dutch(room), dutch(GROUND)
    found = []
    for wanted in messages(extracted(room)):
        name = forms(wanted.id)[0]
        has = kept.get(wanted.id, wanted.context) or ground.get(wanted.id, wanted.context)
        what = _fault(wanted, has)
        if what:
            found.append(Fault(room, name, what))
    return found


def _fault(wanted: Message, has: Message | None) -> str:
    if has is None or not any(forms(has.string)):
        return "has no Dutch"
    if has.fuzzy:
        return "is marked fuzzy"
    if bool(has.pluralizable) != bool(wanted.pluralizable):
        return "is plural on one side only"
    if not all(forms(has.string)) or len(forms(has.string)) != len(forms(wanted.id)):
        return "lacks a form"
    # A form for one may say "one" in words; every other form names what the English names.
    if placeholders(forms(has.string)[-1]) != placeholders(forms(wanted.id)[-1]):
        return "names other placeholders in Dutch"
    if not set(placeholders(forms(has.string)[0])) <= set(placeholders(forms(wanted.id)[-1])):
        return "names other placeholders in Dutch"
    return ""


def printed(catalogue: Catalog) -> str:
    """As it is kept: by message, without line numbers or dates, so that it changes only when a message does."""
    stream = io.BytesIO()
    write_po(stream, catalogue, width=115, sort_output=True, include_lineno=False)
    return _CHANGING.sub("", stream.getvalue().decode())


def update(room: str) -> int:
    """Bring the catalogue of `room` up to date; how many messages have no Dutch."""
    kept = dutch(room)
    kept.update(extracted(room), no_fuzzy_matching=True)
    kept.project, kept.version = f"regie {_NAME[room]}", "1"
    kept.header_comment = f"# The {_NAME[room]} in Dutch. `make words` adds what is new.\n"
    path(room).parent.mkdir(exist_ok=True)
    path(room).write_text(printed(kept))
    return sum(not all(forms(message.string)) for message in messages(kept))


def main() -> None:
    """Update the rooms named, or all; list the faults. Ends with exit status 1 when there are any."""
    rooms = [room for room in sys.argv[1:] or ROOMS if folder(room).exists()]
    for room in rooms:
        missing = update(room)
        print(f"{path(room).relative_to(ROOT)}: {missing} without Dutch")
    found = [fault for room in rooms for fault in faults(room)]
    print("\n".join(map(str, found)))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
