"""What an agency loads beside its reads: the register of cases and what officers told of themselves, JSON Lines.

    {"case": "Z-2026-17", "opened": "2026-03-02", "closed": null, "acts": ["2026-03-02T10:15:00+01:00"]}
    {"officer": "j.devries", "postcodes": ["1234 AB"], "relatives": [{"bsn": "..."}, {"surname": "Vries",
     "born": "1980-01-02"}]}

Only marks of it are kept.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from protocol.working_days import AMSTERDAM
from verifier.alarm.facts import DAY, CaseFact, Mark, OfficerFact
from verifier.alarm.marks import Marks

MAX_FILE_BYTES = 64 * 1024 * 1024
"""About 400,000 cases."""
MAX_LINE_BYTES = 16 * 1024
MAX_ACTS = 400
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Moment: TypeAlias = Annotated[str, Meta(min_length=10, max_length=32)]


class CaseLine(Struct, frozen=True, forbid_unknown_fields=True):
    """A case. Times are a day (in Amsterdam) or RFC 3339; `acts`: when something was done in it."""

    case: Text
    opened: Moment
    closed: Moment | None = None
    acts: Annotated[list[Moment], Meta(max_length=MAX_ACTS)] = []


class Relative(Struct, frozen=True, forbid_unknown_fields=True):
    """By number, or by surname (without prefix) and date of birth."""

    bsn: Annotated[str, Meta(pattern=r"\A[0-9]{9}\Z")] | None = None
    surname: Text | None = None
    born: Annotated[str, Meta(pattern=r"\A[0-9]{4}(-[0-9]{2}){0,2}\Z")] | None = None


class Street(Struct, frozen=True, forbid_unknown_fields=True):
    """Where reads show no postal code."""

    street: Text
    town: Text


class OfficerLine(Struct, frozen=True, forbid_unknown_fields=True):
    """What an officer told; `officer` as the desk knows him (`id_claim`)."""

    officer: Text
    postcodes: Annotated[
        list[Annotated[str, Meta(pattern=r"\A[1-9][0-9]{3} ?[A-Za-z]{2}\Z")]], Meta(max_length=8)
    ] = []
    streets: Annotated[list[Street], Meta(max_length=8)] = []
    relatives: Annotated[list[Relative], Meta(max_length=50)] = []


def parse_cases(data: bytes, marks: Marks) -> dict[Mark, CaseFact]:
    """The register of cases. Raises `Rejected`: `bad_line` with the number of the line, and nothing of it."""
    found = {}
    for number, line in _lines(data):
        try:
            case = parse_struct(line, CaseLine, max_bytes=MAX_LINE_BYTES)
            closed = None if case.closed is None else _moment(case.closed, at_end=True)
            acts = tuple(sorted(_moment(act) for act in case.acts))
            fact = CaseFact(_moment(case.opened), closed, acts)
        except (Rejected, ValueError) as error:
            raise _bad_line(number) from error
        found[marks.case(case.case)] = fact
    return found


def parse_officers(data: bytes, marks: Marks) -> dict[Mark, OfficerFact]:
    """What officers told. Raises `Rejected`: `bad_line` with the number of the line, and nothing of it."""
    found = {}
    for number, line in _lines(data):
        try:
            one = parse_struct(line, OfficerLine, max_bytes=MAX_LINE_BYTES)
            kin = frozenset(_relative(each, marks) for each in one.relatives)
        except (Rejected, ValueError) as error:
            raise _bad_line(number) from error
        homes = [marks.postcode(code) for code in one.postcodes]
        homes += [marks.street(each.street, each.town) for each in one.streets]
        found[marks.officer(one.officer)] = OfficerFact(frozenset(homes), kin)
    return found


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    return ((n, line) for n, line in enumerate(data.splitlines(), start=1) if line.strip())


def _bad_line(number: int) -> Rejected:
    return Rejected("bad_line", f"line {number} is not as docs/alarms.md says")


def _relative(one: Relative, marks: Marks) -> Mark:
    if one.bsn is not None and one.surname is None and one.born is None:
        return marks.bsn(one.bsn)
    if one.bsn is None and one.surname is not None and one.born is not None:
        return marks.name(one.surname, one.born)
    raise ValueError("a relative has a number, or a surname and a date of birth")


def _moment(text: str, *, at_end: bool = False) -> int:
    """POSIX seconds; of a day its first, or its last. Raises `ValueError`."""
    if len(text) == len("2026-03-02"):
        day = date.fromisoformat(text)
        first = int(datetime(day.year, day.month, day.day, tzinfo=AMSTERDAM).timestamp())
        return first + DAY - 1 if at_end else first
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time of day says its zone")
    return int(moment.timestamp())
