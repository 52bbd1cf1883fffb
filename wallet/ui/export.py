"""The activities as a file: CSV for who keeps a table, JSON for programs. Names of attributes, never values."""

import csv
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from wallet.records import GrantRecord
from wallet.ui.book import Line
from wallet.ui.names import service_name

COLUMNS = (
    "time", "kind", "organisation", "organisation_id", "service", "agreement", "data", "reason", "proven", "entry",
)  # fmt: skip
_FORMULA = re.compile(r'(^|[;\t])(?=[\s"]*[=+@-]|[\t\r])')
"""Where a spreadsheet sees a formula begin: in a cell, or after a semicolon, where Dutch settings part cells."""


def as_json(lines: Iterable[Line], language: str) -> bytes:
    """A list of objects; `entry` is the index in the log, `log` its name."""
    return msgspec.json.format(msgspec.json.encode([_data(line, language) for line in lines]), indent=1)


def as_csv(lines: Iterable[Line], language: str) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read names right; a cell never begins as a formula does."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in lines:
        data = _data(line, language)
        data["data"] = "; ".join(data["data"])
        writer.writerow([_cell(data[name]) for name in COLUMNS])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return _FORMULA.sub(r"\1'", text)


def _data(line: Line, language: str) -> dict[str, Any]:
    event = line.event
    return {
        "time": datetime.fromtimestamp(line.time, UTC).isoformat(),
        "kind": line.kind,
        "organisation": line.agency_name,
        "organisation_id": line.agency,
        "service": service_name(line.record, language) if line.record else None,
        "agreement": line.number,
        "data": list(line.attributes),
        "reason": event.reason if event else None,
        "law": event.law if event else None,
        "kept_until": event.until if event else None,
        "officer": event.officer if event else None,
        "case": event.case if event else None,
        "channel": event.channel if event else None,
        "proven": line.is_proven,
        "log": line.record.body.terms.log if isinstance(line.record, GrantRecord) else None,
        "entry": event.index if event else None,
    }
