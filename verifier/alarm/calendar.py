"""When the people of a municipality are at work: Dutch public holidays, weekends and hours, in Amsterdam. Pure."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def local(time: int) -> datetime:
    """A moment as the clock in the town hall shows it."""
    return datetime.fromtimestamp(time, AMSTERDAM)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (J. Meeus, Astronomical Algorithms, chapter 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    l = (32 + 2 * e + 2 * i - h - k) % 7  # noqa: E741 - the names of the source
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """General holidays (Algemene termijnenwet, article 3 paragraph 1): also King's Day and 5 May, not Good Friday,
    on which many town halls are open.
    """
    sunday = easter(year)
    king = date(year, 4, 27) if date(year, 4, 27).isoweekday() != 7 else date(year, 4, 26)
    fixed = {date(year, 1, 1), king, date(year, 5, 5), date(year, 12, 25), date(year, 12, 26)}
    return frozenset(fixed | {sunday + timedelta(days=days) for days in (0, 1, 39, 49, 50)})


def is_day_off(day: date) -> bool:
    """A Saturday, a Sunday or a general holiday."""
    return day.isoweekday() > 5 or day in holidays(day.year)
