"""A batch: rows that an agency's automation wants read, and the line that it gets for each (pure).

In: JSON lines, one READ a line: `{"grant": ID, "case": NUMBER, "only": [ATTRIBUTE, ...]}` (`only` may be absent).
Out: JSON lines, one for each row, in any order, found again by `row` (from 1): with `values`, `flags`, `index`,
`n` and `out_of_date`, or with `error` {code, detail}.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from protocol.attributes import FLAG_NAMES, short_name
from protocol.canonical import JsonValue, canonical_bytes, parse_struct, sha256, to_builtins
from protocol.case_reference import MAX_CASE_CHARACTERS, parse_case_reference
from protocol.errors import Rejected
from protocol.terms import MAX_CLAIMS, Zone

MAX_ROWS = 100_000
MAX_LINE_BYTES = 16 * 1024
_INPUT = b"regie/batch/v1"


class Row(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One READ that is wanted: a grant, the case, and the attributes where not all are."""

    grant: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    case: Annotated[str, Meta(min_length=1, max_length=MAX_CASE_CHARACTERS)]
    only: Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=MAX_CLAIMS)] = []


@dataclass(frozen=True)
class Result:
    """What one row came to; `n` is the row's number, from 0. Either `values` and the rest, or `error`."""

    n: int
    row: Row
    values: Mapping[str, JsonValue] | None = None
    index: int | None = None
    number: int | None = None
    outdated: Sequence[str] = ()
    error: Rejected | None = None


def parse_rows(data: bytes) -> list[Row]:
    """Raises `Rejected`: `bad_batch` with the number of the line, `too_large`; no case number is in a message."""
    rows: list[Row] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        if len(rows) == MAX_ROWS:
            raise Rejected("too_large", f"a batch has at most {MAX_ROWS} rows")
        try:
            row = parse_struct(line, Row, max_bytes=MAX_LINE_BYTES)
            rows.append(Row(row.grant, parse_case_reference(row.case).text, row.only))
        except Rejected as error:
            raise Rejected("bad_batch", f"line {number}: {error.detail or error.code}") from error
    if not rows:
        raise Rejected("bad_batch", "there is no row in it")
    return rows


def input_hash(rows: Sequence[Row], officer: str, zone: Zone) -> bytes:
    """By what a batch is found again: the same rows in the same order, by the same officer from the same place.

    Grants have random names of 128 bits, so nobody can try case numbers on it.
    """
    return sha256(_INPUT, canonical_bytes([to_builtins(list(rows)), officer, zone]))


def line_of(result: Result) -> str:
    """The line for the caller, without its end."""
    head = {"row": result.n + 1, "grant": result.row.grant, "case": result.row.case}
    if result.error is not None:
        return json.dumps({**head, "error": {"code": result.error.code, "detail": result.error.detail}})
    values, flags = apart(result.values or {})
    told = {"values": values, "flags": flags, "index": result.index, "n": result.number}
    return json.dumps({**head, **told, "out_of_date": [short_name(vct) for vct in result.outdated]})


def apart(opened: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was read, and the register flags that travel with every attribute (protocol section 2)."""
    flags = {name: value for name, value in opened.items() if name.rpartition(".")[2] in FLAG_NAMES}
    return {name: value for name, value in opened.items() if name not in flags}, flags
