"""Dates of the BRP (LO GBA: `YYYYMMDD`, zeros where nothing is known) as the API gives them, and ages. Pure."""

import datetime
from typing import Any

MONTHS = (
    "januari",
    "februari",
    "maart",
    "april",
    "mei",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
)
UNKNOWN = "00000000"


def date_of(gba: str) -> dict[str, Any]:
    """`AbstractDatum` of a GBA date: what is zero is not known, and what comes after it neither."""
    year, month, day = int(gba[:4]), int(gba[4:6]), int(gba[6:8])
    if not year:
        return {"type": "DatumOnbekend", "onbekend": True, "langFormaat": "onbekend"}
    if not month:
        return {"type": "JaarDatum", "jaar": year, "langFormaat": f"{year}"}
    if not day:
        return {
            "type": "JaarMaandDatum",
            "jaar": year,
            "maand": month,
            "langFormaat": f"{MONTHS[month - 1]} {year}",
        }
    iso = f"{year:04}-{month:02}-{day:02}"
    return {"type": "Datum", "datum": iso, "langFormaat": f"{day} {MONTHS[month - 1]} {year}"}


def gba_of(date: dict[str, Any] | None) -> str:
    """The same date as `YYYYMMDD`; eight zeros for one that is not known, or not there.

    These texts sort with the least known first, which is how the oldest of several marriages is found.
    """
    if not date:
        return UNKNOWN
    if "datum" in date:
        return str(date["datum"]).replace("-", "")
    return f"{date.get('jaar', 0):04}{date.get('maand', 0):02}00"


def age_on(gba: str, today: datetime.date) -> int | None:
    """Whole years on `today`; None where the birth date leaves that open.

    With only the day unknown the age is known in every month but the month of birth. Who was born on 29 February
    turns a year older on 1 March of a common year.
    """
    year, month, day = int(gba[:4]), int(gba[4:6]), int(gba[6:8])
    if not year or not month or (not day and month == today.month):
        return None
    return today.year - year - ((today.month, today.day) < (month, day))
