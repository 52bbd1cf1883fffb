"""Tables for spreadsheets: CSV in which nothing is taken for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(r'(^|[;\t])(?=[\s"]*[=+@-]|[\t\r])')


def to_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180 with a head. What a spreadsheet would take for a formula gets an apostrophe before it, also after a
    semicolon, which parts cells in Dutch settings.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", value)
    return "" if value is None else value
