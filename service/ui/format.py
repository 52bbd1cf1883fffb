"""Dates and times for people: of Amsterdam, long, in the language of the page. All take POSIX seconds."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from flask import Flask

from service.clock import SystemClock
from service.ui.words import _, locale, ngettext

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_DAY = 86400
_FORMS = {"nl": ("d MMMM y", "d MMMM y, HH:mm"), "en_GB": ("d MMMM y", "d MMMM y, HH:mm")}
_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,4})Y)?(?:([0-9]{1,4})M)?(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,4})H)?(?:([0-9]{1,4})M)?(?:([0-9]{1,5})S)?)?"
)
_PARTS = ("year", "month", "week", "day", "hour", "minute", "second")
_UNITS = (
    (365 * _DAY, "year"),
    (30 * _DAY, "month"),
    (7 * _DAY, "week"),
    (_DAY, "day"),
    (3600, "hour"),
    (60, "minute"),
)


def day(seconds: float) -> str:
    """22 mei 2027."""
    return str(format_date(_local(seconds), _FORMS[locale()][0], locale=locale()))


def moment(seconds: float) -> str:
    """22 mei 2027, 14:05."""
    return str(format_datetime(_local(seconds), _FORMS[locale()][1], locale=locale()))


def month(seconds: float) -> str:
    """mei 2027."""
    return str(format_date(_local(seconds), "MMMM y", locale=locale()))


def clock_time(seconds: float) -> str:
    """14:05."""
    return str(format_datetime(_local(seconds), "HH:mm", locale=locale()))


def number(value: float) -> str:
    """12.345 in Dutch, 12,345 in English."""
    return str(format_decimal(value, locale=locale()))


def period(seconds: float) -> str:
    """A length of time in the largest unit that fits: 3 maanden, 100 dagen, 36 uur, 45 minuten.

    A month counts as 30 days and a year as 365, as in the terms that people agree to. Weeks, months and years are
    never rounded; days and less are, from two on.
    """
    whole = max(0, int(seconds))
    for length, name in _UNITS:
        count = whole // length
        if count and (whole % length == 0 or (count >= 2 and length <= _DAY)):
            return _counted(name, count)
    return _counted("minute", whole // 60) if whole >= 60 else _counted("second", whole)


def duration(text: str) -> str:
    """A term of ISO 8601, as a trust list may have it: P1Y is 1 jaar, P1Y6M 1 jaar en 6 maanden, PT6H 6 uur.

    Raises `ValueError` for any other text: trust lists hold none.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("not a term of ISO 8601")
    parts = [
        _counted(name, int(count))
        for name, count in zip(_PARTS, found.groups(), strict=True)
        if count and int(count)
    ]
    if not parts:
        return str(_("not at all"))
    return (
        parts[0]
        if len(parts) == 1
        else str(_("%(more)s and %(last)s", more=", ".join(parts[:-1]), last=parts[-1]))
    )


def _counted(name: str, count: int) -> str:
    counted: dict[str, Callable[[], Any]] = {
        "year": lambda: ngettext("%(num)d year", "%(num)d years", count),
        "month": lambda: ngettext("%(num)d month", "%(num)d months", count),
        "week": lambda: ngettext("%(num)d week", "%(num)d weeks", count),
        "day": lambda: ngettext("%(num)d day", "%(num)d days", count),
        "hour": lambda: ngettext("%(num)d hour", "%(num)d hours", count),
        "minute": lambda: ngettext("%(num)d minute", "%(num)d minutes", count),
        "second": lambda: ngettext("%(num)d second", "%(num)d seconds", count),
    }
    return str(counted[name]())


def ago(seconds: float, now: float | None = None) -> str:
    """2 uur geleden, over 3 dagen; "just now" within a minute."""
    apart = seconds - (SystemClock().now() if now is None else now)
    if abs(apart) < 60:
        return str(_("just now"))
    return str(format_timedelta(int(apart), add_direction=True, locale=locale()))


def machine_time(seconds: float) -> str:
    """For the attribute `datetime`: 2027-05-22T14:05:00+02:00."""
    return _local(seconds).isoformat(timespec="seconds")


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, AMSTERDAM)


def install(app: Flask) -> None:
    """The filters `day`, `moment`, `month`, `clock_time`, `period`, `duration` and the others above."""
    filters = (day, moment, month, clock_time, period, duration, ago, number, machine_time)
    app.jinja_env.filters.update({function.__name__: function for function in filters})
