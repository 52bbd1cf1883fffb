"""When the people of a Dutch office are at work: general holidays, days off and the clock in Amsterdam.

Algemene termijnenwet, article 3: general holidays. The office hours are **ours**: what is usual, no rule.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
USUAL_HOURS = (7, 19)
"""From, to: when readings are usual on a day that is no day off."""


def local(time: int) -> datetime:
    """A moment as a clock in the Netherlands shows it."""
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
    """General holidays: also King's Day and 5 May; not Good Friday, on which many town halls are open."""
    sunday = easter(year)
    king = date(year, 4, 27) if date(year, 4, 27).isoweekday() != 7 else date(year, 4, 26)
    fixed = {date(year, 1, 1), king, date(year, 5, 5), date(year, 12, 25), date(year, 12, 26)}
    return frozenset(fixed | {sunday + timedelta(days=days) for days in (0, 1, 39, 49, 50)})


def is_day_off(day: date) -> bool:
    """A Saturday, a Sunday or a general holiday."""
    return day.isoweekday() > 5 or day in holidays(day.year)


def is_usual(time: int) -> bool:
    """Whether readings are usual at a moment: within `USUAL_HOURS` on a day that is no day off."""
    moment = local(time)
    return not is_day_off(moment.date()) and USUAL_HOURS[0] <= moment.hour < USUAL_HOURS[1]
