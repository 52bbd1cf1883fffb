"""Records of Logboek Dataverwerkingen 0.8 (Logius), and their form on the wire: OTLP/JSON.

One record for each act and each person whom it is about (0 or 1 in a record); no staff, who have no place in that
log; nothing is sampled. Names are those of 0.8.0: `span_id` and `status`, where 0.7 had others. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from protocol.canonical import parse_json
from protocol.errors import Rejected
from protocol.terms import Terms

Status: TypeAlias = Literal["Unset", "Ok", "Error"]
MILLISECONDS = 1000
_NANOSECONDS = 1_000_000
_OTLP_STATUS: Mapping[Status, int] = {"Unset": 0, "Ok": 1, "Error": 2}
_SPAN_KIND_CLIENT = 3
STOPPED = frozenset({"revoked", "no_share"})
"""Refusals that are the resident's own stop: what a person decides is no failure."""


@dataclass(frozen=True)
class Record:
    """One act. Ids in lower-case hexadecimal (16 and 8 bytes); times in milliseconds since 1970, or None."""

    trace_id: str
    span_id: str
    name: str
    status: Status
    start_time: int | None
    end_time: int | None
    parent_span_id: str | None = None
    attributes: Mapping[str, str | int] = field(default_factory=dict)


def status_of(refusal: str | None) -> Status:
    """Of an act that was refused with a code, or was not."""
    return "Ok" if refusal is None or refusal in STOPPED else "Error"


def processing_activity(recipient: str, service: str, version: int) -> str:
    """A service version as the URI of a processing activity; its text in the trust list never changes."""
    return f"urn:regie:service:{recipient}:{service}:{version}"


def activity_of(terms: Terms) -> str:
    """The same for a grant."""
    return processing_activity(terms.recipient, terms.service, terms.service_version)


def record_json(record: Record) -> dict[str, Any]:
    """Under the field names of the standard (section 3.2, Interface)."""
    return {
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_span_id": record.parent_span_id,
        "name": record.name,
        "status": record.status,
        "start_time": record.start_time,
        "end_time": record.end_time,
        "attributes": dict(record.attributes),
    }


def otlp_request(resource: Mapping[str, str], records: Sequence[Record]) -> dict[str, Any]:
    """`ExportTraceServiceRequest` in OTLP's JSON: ids in hexadecimal, enums as numbers, 64 bits as text."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _key_values(resource)},
                "scopeSpans": [{"scope": {"name": "regie"}, "spans": [_span(record) for record in records]}],
            }
        ]
    }


def _span(record: Record) -> dict[str, Any]:
    span = {
        "traceId": record.trace_id,
        "spanId": record.span_id,
        "name": record.name,
        "kind": _SPAN_KIND_CLIENT,
        "startTimeUnixNano": str((record.start_time or 0) * _NANOSECONDS),
        "endTimeUnixNano": str((record.end_time or 0) * _NANOSECONDS),
        "attributes": _key_values(record.attributes),
        "status": {"code": _OTLP_STATUS[record.status]},
    }
    return span if record.parent_span_id is None else {**span, "parentSpanId": record.parent_span_id}


def _key_values(attributes: Mapping[str, str | int]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in attributes.items()
    ]


def parse_otlp_answer(data: bytes) -> int:
    """Spans that a collector did not take (`ExportTraceServiceResponse`). Raises `Rejected`: `bad_otlp_answer`."""
    try:
        answer = parse_json(data) if data.strip() else {}
    except Rejected as error:
        raise Rejected("bad_otlp_answer", error.detail) from error
    partial = answer.get("partialSuccess", {}) if isinstance(answer, dict) else None
    rejected = (partial or {}).get("rejectedSpans", 0) if isinstance(partial, dict | None) else None
    if isinstance(answer, dict) and isinstance(rejected, int | str) and str(rejected).isdecimal():
        return int(rejected)
    raise Rejected("bad_otlp_answer", "this is no answer of an OTLP collector")
