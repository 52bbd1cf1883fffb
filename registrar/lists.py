"""National lists that services are held against: product names (UPL) and the retention list (VNG). Pure.

Both are read as they are published, as CSV with a line of column names; columns that are not used may be missing.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.errors import Rejected
from protocol.trust_list import Service

MAX_LIST_BYTES = 8 * 1024 * 1024
MAX_ROWS = 20_000
_UPL_COLUMNS = ("UniformeProductnaam", "Medebewind", "Burger", "Grondslaglabel", "Grondslaglink")
_SELECTION_COLUMNS = (
    "procestypeNummer", "resultaatNummer", "resultaat", "omschrijving", "waardering", "bewaartermijn",
)  # fmt: skip
_KEPT_FOR_EVER = "blijvend_bewaren"
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True)
class Law:
    """An article by its label, and where its text stands; the link may be empty."""

    label: str
    link: str


@dataclass(frozen=True)
class Product:
    """A product of the government. `is_ordered`: a law orders the municipality to offer it (medebewind)."""

    name: str
    for_residents: bool
    is_ordered: bool
    laws: tuple[Law, ...]


@dataclass(frozen=True)
class Result:
    """A result of the retention list. `retention`: ISO 8601, None where the list names no period."""

    number: str
    name: str
    for_ever: bool
    retention: str | None


@dataclass(frozen=True)
class Lists:
    """What the registrar was given of them; None: not given, and then nothing is held against it."""

    products: Mapping[str, Product] | None = None
    results: Mapping[str, Result] | None = None


def parse_upl(data: bytes) -> Mapping[str, Product]:
    """Products by their uniform name; one has a row for each law behind it. Raises `Rejected`: `bad_list`."""
    rows: dict[str, list[Mapping[str, str]]] = {}
    for row in _rows(data, _UPL_COLUMNS):
        rows.setdefault(row["UniformeProductnaam"], []).append(row)
    return {name: _product(name, theirs) for name, theirs in rows.items() if name}


def _product(name: str, rows: Sequence[Mapping[str, str]]) -> Product:
    laws = dict.fromkeys(Law(row["Grondslaglabel"], row["Grondslaglink"]) for row in rows if row["Grondslaglabel"])
    return Product(name, any(row["Burger"] for row in rows), any(row["Medebewind"] for row in rows), tuple(laws))


def parse_selection_list(data: bytes) -> Mapping[str, Result]:
    """Results by number: `8.1` of a process type, `8.1.9` where a description makes it a specific one of `8.1`.

    Raises `Rejected`: `bad_list`.
    """
    rows = list(_rows(data, _SELECTION_COLUMNS))
    general = {
        (row["procestypeNummer"], _plain(row["resultaat"])): row["resultaatNummer"]
        for row in rows
        if not row["omschrijving"]
    }
    found = {}
    for row in rows:
        number = f"{row['procestypeNummer']}.{row['resultaatNummer']}"
        above = general.get((row["procestypeNummer"], _plain(row["resultaat"])))
        if row["omschrijving"] and above is not None:
            number = f"{row['procestypeNummer']}.{above}.{row['resultaatNummer']}"
        name = " – ".join(part for part in (row["resultaat"], row["omschrijving"]) if part)
        term = row["bewaartermijn"] or None
        if term is not None and _DURATION.fullmatch(term) is None:
            raise Rejected("bad_list", "the retention list has a period that is no ISO 8601 duration")
        found[number] = Result(number, name, row["waardering"] == _KEPT_FOR_EVER, term)
    return found


def _rows(data: bytes, columns: Sequence[str]) -> Iterator[Mapping[str, str]]:
    try:
        text = data.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if not set(columns) <= set(reader.fieldnames or ()):
            raise Rejected("bad_list", f"a list has these columns: {', '.join(columns)}")
        for number, row in enumerate(reader):
            if number == MAX_ROWS:
                raise Rejected("bad_list", f"a list has {MAX_ROWS} rows at most")
            yield {name: (row[name] or "").strip() for name in columns}
    except (UnicodeDecodeError, csv.Error) as error:
        raise Rejected("bad_list", "a list is CSV in UTF-8") from error


def _plain(text: str) -> str:
    """Without accents: the list itself spells one result in two ways."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).lower()


def check_listed(service: Service, lists: Lists) -> None:
    """A product and a result that the lists know, and a retention that the result covers.

    Raises `Rejected`: `unknown_upl`, `unknown_result`, `retention_too_long`.
    """
    if lists.products is not None and service.upl is not None and service.upl not in lists.products:
        raise Rejected("unknown_upl", "the list of uniform product names has no such name")
    if lists.results is None or service.selectielijst is None:
        return
    result = lists.results.get(service.selectielijst)
    if result is None:
        raise Rejected("unknown_result", "the retention list has no result of this number")
    if is_kept_too_long(service, result):
        raise Rejected("retention_too_long", f"the retention list says {result.retention} for this result")


def is_kept_too_long(service: Service, result: Result) -> bool:
    """Whether the retention surely ends after the period of the result."""
    return not result.for_ever and result.retention is not None and is_longer(service.retention, result.retention)


def is_longer(duration: str, other: str) -> bool:
    """Whether an ISO 8601 duration is longer than another, wherever in the calendar both begin."""
    return _days(duration)[0] > _days(other)[1]


def longest_days(duration: str) -> float:
    """The days that an ISO 8601 duration has at most."""
    return _days(duration)[1]


def _days(duration: str) -> tuple[float, float]:
    """The least and the most days of it. A trust list and a parsed list hold durations only."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError("no ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    fixed = weeks * 7 + days + hours / 24 + minutes / 1440 + seconds / 86_400
    years, months = years + months // 12, months % 12
    return 365 * years + 28 * months + fixed, 366 * years + 31 * months + fixed
