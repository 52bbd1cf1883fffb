"""Cases and figures in forms that others read: CSV, JSON, DPV as JSON-LD, and Logboek Dataverwerkingen.

JSON-LD after the W3C guide to ISO/IEC TS 27560 with DPV (2026-02-15); LDV 0.8: one record for each READ, without a
data subject (0 or 1 is allowed) and without staff, who have no place in that log. Pure.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from auditor.case import CaseEvent, CaseFile
from auditor.tally import Cell
from protocol.canonical import sha256, to_builtins
from protocol.ldv import MILLISECONDS, Record, activity_of, record_json, status_of
from protocol.terms import Terms

_DPV = "https://w3id.org/dpv#"
_CONTEXT = {
    "dpv": _DPV,
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_BASIS = {
    "consent": "eu-gdpr:A6-1-a",
    "legal_obligation": "eu-gdpr:A6-1-c",
    "public_task": "eu-gdpr:A6-1-e",
}
_STATUS = {"grant": "dpv:ConsentGiven", "refresh": "dpv:ConsentGiven", "stop": "dpv:ConsentWithdrawn"}


def case_rows(case: CaseFile) -> tuple[list[str], list[list[object]]]:
    """Head and rows of a case, one row an entry."""
    head = ["entry", "agreement", "kind", "time", "number", "reason", "attributes", "channel", "zone", "findings"]
    rows: list[list[object]] = []
    for event in case.events:
        read = event.read
        rows.append(
            [
                event.index,
                event.slot,
                event.kind,
                _time(event.time),
                event.n,
                event.reason or (event.message.kind if event.message else ""),
                " ".join(f"{vct}/{name}" for vct, name in event.attributes),
                read.channel if read else "",
                read.zone if read else "",
                " ".join(finding.code for finding in event.findings),
            ]
        )
    return head, rows


def case_json(case: CaseFile) -> dict[str, Any]:
    """Everything: the signed tree, each entry with its proof (RFC 9162 hashes) and what it opens to."""
    return {
        "agreement": case.slot,
        "log": case.checkpoint.origin,
        "checkpoint": case.checkpoint.note,
        "complete": case.is_whole,
        "entries": [_entry(event) for event in case.events],
    }


def _entry(event: CaseEvent) -> dict[str, Any]:
    return {
        "index": event.index,
        "kind": event.kind,
        "agreement": event.slot,
        "time": _time(event.time),
        "number": event.n,
        "proof": to_builtins(event.proof),
        "opening": None if event.opening is None else to_builtins(event.opening),
        "findings": [{"kind": found.kind, "code": found.code, "text": found.text} for found in event.findings],
    }


def case_jsonld(case: CaseFile, now: int) -> dict[str, Any]:
    """The agreement as a consent record: what was agreed and what became of it; nobody is named but by number."""
    record: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "dpv:ConsentRecord",
        "@id": _case_id(case),
        "dct:conformsTo": "https://w3id.org/dpv/schema/dpv-27560#record",
        "dct:created": _moment(now),
        "dpv:hasConsentStatus": [
            _status(_STATUS[event.kind], event) for event in case.events if event.kind in _STATUS
        ],
        "dpv:hasRecordOfActivity": [
            _activity(event) for event in case.events if event.kind in ("read", "refusal")
        ],
    }
    if case.terms is not None:
        record |= _agreed(case.terms)
    return record


def _case_id(case: CaseFile) -> str:
    return f"urn:regie:agreement:{case.checkpoint.origin}:{case.slot}"


def _agreed(terms: Terms) -> dict[str, Any]:
    return {
        "dpv:hasLegalBasis": _BASIS[terms.basis],
        "dpv:hasDataController": f"urn:oin:{terms.recipient}",
        "dpv:hasProcess": {
            "dpv:hasPurpose": activity_of(terms),
            "dpv:hasPersonalData": [f"{claim.vct}/{claim.path[0]}" for claim in terms.claims],
            "dpv:hasRecipient": f"urn:oin:{terms.recipient}",
            "dpv:hasStorageCondition": {"@type": "dpv:StorageDuration", "dpv:hasDuration": terms.retention},
        },
        "dpv:hasDuration": {"dct:valid": f"{_moment(terms.not_before)}/{_moment(terms.not_after)}"},
        "dpv:hasRight": "eu-gdpr:A7-3",
    }


def _status(status: str, event: CaseEvent) -> dict[str, Any]:
    found: dict[str, Any] = {"@type": status, "dct:identifier": event.index}
    return found if event.time is None else {**found, "dpv:isIndicatedAtTime": _moment(event.time)}


def _activity(event: CaseEvent) -> dict[str, Any]:
    return {
        "@type": "dpv:Access" if event.kind == "read" else "dpv:Restrict",
        "dct:identifier": event.index,
        "dct:date": _time(event.time),
        "dpv:hasPersonalData": [f"{vct}/{name}" for vct, name in event.attributes],
    }


def case_ldv(case: CaseFile) -> dict[str, Any]:
    """Records of Logboek Dataverwerkingen: a READ is Ok, as is what the resident had stopped; else Error.

    `trace_id` and `span_id` follow from the entry, so that the same READ has the same ones in every export.
    """
    records = [record_json(_record(case, event)) for event in case.events if event.kind in ("read", "refusal")]
    agency = case.terms.recipient if case.terms is not None else ""
    return {
        "resource": {"attributes": {"service.name": case.checkpoint.origin, "oin": agency}},
        "records": records,
    }


def _record(case: CaseFile, event: CaseEvent) -> Record:
    name = sha256(b"regie/ldv/v1", case.checkpoint.origin.encode(), event.index.to_bytes(8, "big"))
    time = None if event.time is None else event.time * MILLISECONDS
    return Record(
        trace_id=name[:16].hex(),
        span_id=name[16:24].hex(),
        name=event.kind,
        status=status_of(None if event.kind == "read" else event.reason),
        start_time=time,
        end_time=time,
        attributes={
            "dpl.core.processing_activity_id": activity_of(case.terms) if case.terms else "",
            "regie.entry": event.index,
            "regie.agreement": event.slot,
        },
    )


def figures_rows(cells: Mapping[Cell, int]) -> tuple[list[str], list[list[object]]]:
    """Head and rows of all that was counted."""
    rows: list[list[object]] = [[*cell, count] for cell, count in sorted(cells.items())]
    return ["family", "organisation", "period", "name", "count"], rows


def figures_jsonld(cells: Mapping[Cell, int], log: str) -> dict[str, Any]:
    """The same as observations of a data set."""
    _, rows = figures_rows(cells)
    return {
        "@context": {"qb": "http://purl.org/linked-data/cube#", "regie": "urn:regie:figures:"},
        "@type": "qb:DataSet",
        "@id": f"urn:regie:figures:{log}",
        "qb:observation": [
            {
                "@type": "qb:Observation",
                "regie:family": family,
                "regie:organisation": f"urn:oin:{agency}" if agency else None,
                "regie:period": period,
                "regie:name": name,
                "regie:count": count,
            }
            for family, agency, period, name, count in rows
        ],
    }


def _time(time: int | None) -> str | None:
    return None if time is None else _moment(time)


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
