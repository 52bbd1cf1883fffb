"""Dates as the BRP knows them: some lack a day, a month or everything, and stay that way.

A value is an ISO 8601 date of the precision that the register has, `1985-12-01`, `2020-05` or `1963`, or the word
`onbekend`. Nothing is filled in.
"""

import calendar
import datetime
from dataclasses import dataclass
from typing import Literal

from protocol.errors import Rejected

UNKNOWN = "onbekend"
ThreeValued = Literal["ja", "nee", "onbekend"]


@dataclass(frozen=True)
class PartialDate:
    """A date in the Gregorian calendar; a missing month has no day either, a missing year has nothing."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        """Raises `Rejected`: `bad_date`."""
        if (self.day is not None and self.month is None) or (self.month is not None and self.year is None):
            raise Rejected("bad_date", "a day needs a month and a month a year")
        try:
            datetime.date(self.year or 1, self.month or 1, self.day or 1)
        except (ValueError, OverflowError) as error:
            raise Rejected("bad_date", "no such day in the calendar") from error

    def __str__(self) -> str:
        if self.year is None:
            return UNKNOWN
        parts = (f"{self.year:04}", *(f"{part:02}" for part in (self.month, self.day) if part is not None))
        return "-".join(parts)

    def earliest(self) -> datetime.date | None:
        """The first day that it can mean; None when the year is unknown."""
        return None if self.year is None else datetime.date(self.year, self.month or 1, self.day or 1)

    def latest(self) -> datetime.date | None:
        """The last day that it can mean; None when the year is unknown."""
        if self.year is None:
            return None
        month = self.month or 12
        return datetime.date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])


def parse_iso_date(text: str) -> PartialDate:
    """A full date `YYYY-MM-DD`. Raises `Rejected`: `bad_date`."""
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isascii() and part.isdigit() for part in parts):
        raise Rejected("bad_date", "a full date is YYYY-MM-DD")
    year, month, day = map(int, parts)
    if 0 in (year, month, day):
        raise Rejected("bad_date", "no such day in the calendar")
    return PartialDate(year, month, day)


def age_on(birth: datetime.date, day: datetime.date) -> int:
    """Whole years. Who was born on 29 February turns a year older on 1 March of a common year, as RvIG counts."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def is_of_age(birth: PartialDate | None, years: int, day: datetime.date) -> ThreeValued:
    """Whether somebody has reached the age of `years` on `day`.

    `ja` or `nee` when every birth date that the register leaves open agrees, else `onbekend`.
    """
    if birth is None:
        return "onbekend"
    earliest, latest = birth.earliest(), birth.latest()
    if earliest is None or latest is None:
        return "onbekend"
    if age_on(latest, day) >= years:
        return "ja"
    return "nee" if age_on(earliest, day) < years else "onbekend"
