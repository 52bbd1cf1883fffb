"""The receipt of a grant, for programs: ISO/IEC TS 27560 in the JSON-LD of W3C's Data Privacy Vocabulary (DPV 2).

It says what was agreed and what became of it, and holds neither a value nor the code that stops it. A task of the
law is no consent, so its receipt is a record of processing without a consent status. Pure.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from protocol.attributes import attribute, short_name
from protocol.canonical import sha256
from protocol.terms import places_of, terms_hash
from wallet.asker_facts import asker_facts
from wallet.grant import consent_of
from wallet.records import GrantRecord
from wallet.state import State, state_of

SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#"
CONTEXT: Mapping[str, str] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "loc": "https://w3id.org/dpv/loc#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_BASES = {"consent": "A6-1-a", "legal_obligation": "A6-1-c", "public_task": "A6-1-e"}
_RIGHTS = {
    "consent": ("A7-3", "A15", "A16", "A17", "A20"),
    "legal_obligation": ("A15", "A16", "A18"),
    "public_task": ("A15", "A16", "A17", "A18", "A21"),
}
"""Rights that go with each ground: consent is withdrawn (7.3), a public task objected to (21)."""
_STATUS: Mapping[State, str] = {
    "stopping": "ConsentWithdrawn",
    "stopped": "ConsentWithdrawn",
    "ended": "ConsentExpired",
    "failed": "ConsentInvalidated",
}


def consent_receipt(record: GrantRecord, now: int) -> dict[str, Any]:
    """The receipt of a grant as things stand at `now`, POSIX seconds."""
    return {
        "@context": dict(CONTEXT),
        "@type": "dpv:ConsentReceipt" if _is_consent(record) else "dpv:DataProcessingRecord",
        "@id": f"urn:uuid:{_uuid(b'receipt', record)}",
        "dct:identifier": str(_uuid(b"receipt", record)),
        "dct:conformsTo": [{"@id": f"{SCHEMA}receipt"}, {"@id": f"{SCHEMA}receipt-eu-gdpr"}],
        "dct:created": _date_time(now),
        "dpv:hasRecordOfActivity": _record(record, now),
    }


def _is_consent(record: GrantRecord) -> bool:
    return record.body.terms.basis == "consent"


def _record(record: GrantRecord, now: int) -> dict[str, Any]:
    terms, about = record.body.terms, record.about
    made: dict[str, Any] = {
        "@type": "dpv:ConsentRecord" if _is_consent(record) else "dpv:DataProcessingRecord",
        "@id": f"urn:uuid:{_uuid(b'record', record)}",
        "dct:identifier": str(_uuid(b"record", record)),
        "dct:conformsTo": [{"@id": f"{SCHEMA}record"}, {"@id": f"{SCHEMA}record-eu-gdpr"}],
        "dct:created": _date_time(record.made_at),
        "dpv:hasDataSubject": _subject(record),
        "dpv:hasDataController": _controller(record),
        "dpv:hasJurisdiction": {"@id": "loc:NL"},
        "dpv:hasApplicableLaw": "GDPR" if about is None or not about.law else f"GDPR; {about.law}",
        "dpv:hasLegalBasis": {"@id": f"eu-gdpr:{_BASES[terms.basis]}"},
        "dpv:hasProcess": _process(record),
        "dpv:hasRight": [{"@id": f"eu-gdpr:{name}"} for name in _RIGHTS[terms.basis]],
        "dpv:hasAuthority": _authority(record),
    }
    if about is not None:
        made["dpv:hasNotice"] = {
            "@id": about.privacy_policy,
            "@type": "dpv:ConsentNotice" if _is_consent(record) else "dpv:PrivacyNotice",
            "dct:language": ["nl", "en"],
            "dct:date": _date_time(record.made_at),
        }
    if _is_consent(record):
        made["dpv:hasConsentStatus"] = _status(record, now)
        made["dpv:hasConsentControl"] = {
            "@type": "dpv:WithdrawConsent",
            "dct:description": "in the wallet, or by the code on the paper of the agreement, at the log",
            "dpv:isExercisedAt": terms.log,
        }
    return made


def _subject(record: GrantRecord) -> dict[str, Any]:
    """A pseudonym of this one grant: two receipts of one resident share nothing."""
    name = _uuid(b"holder", record)
    return {"@id": f"urn:uuid:{name}", "@type": "dpv:DataSubject", "dct:identifier": str(name)}


def _controller(record: GrantRecord) -> dict[str, Any]:
    """Its address is the electronic one where it takes messages: the trust list has no other."""
    agency, about = record.agency, record.about
    inbox = consent_of(record.request).inbox if record.request else None
    made = {
        "@id": f"urn:nl:logius:oin:{agency.id}",
        "@type": ["dpv:DataController", "dpv:Recipient"],
        "dct:identifier": agency.id,
        "dpv:hasName": agency.name,
        "dpv:hasContact": agency.erasure_contact,
    }
    address = inbox or (about.privacy_policy if about else None)
    return (
        made if address is None else made | {"dpv:hasAddress": "{0.scheme}://{0.netloc}".format(urlsplit(address))}
    )


def _authority(record: GrantRecord) -> dict[str, Any]:
    """To whom a resident complains (GDPR article 13 paragraph 2 d)."""
    authority = asker_facts(record.request).authority
    return {"@type": "dpv:Authority", "dpv:hasName": authority.name, "dpv:hasContact": authority.contacts}


def _process(record: GrantRecord) -> dict[str, Any]:
    terms, about = record.body.terms, record.about
    made: dict[str, Any] = {
        "dct:identifier": f"{terms.service}/{terms.service_version}",
        "dpv:hasPersonalData": _data(record),
        "dpv:hasRecipient": {"@id": f"urn:nl:logius:oin:{terms.recipient}"},
        "dpv:hasProcessing": [
            {"@id": name} for name in ("dpv:Collect", "dpv:Store" if terms.mode == "store" else "dpv:Access")
        ],
        "dpv:hasLocation": {"@id": "loc:NL"},
        "dpv:hasStorageCondition": [
            {"@type": "dpv:StorageLocation", "dpv:hasLocation": {"@id": "loc:NL"}},
            {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": {"@value": terms.retention, "@type": "xsd:duration"},
            },
            {"@type": "dpv:StorageDeletion", "dct:description": "at the end of the storage duration"},
        ],
        "dpv:hasDuration": {"dct:valid": f"{_date_time(terms.not_before)}/{_date_time(terms.not_after)}"},
    }
    if terms.max_reads is not None:
        made["dpv:hasFrequency"] = {"dct:description": f"at most {terms.max_reads} times"}
    if about is not None:
        made["dpv:hasPurpose"] = {
            "@type": "dpv:Purpose",
            "dct:title": _words(about.name.nl, about.name.en),
            "dct:description": _words(about.purpose.nl, about.purpose.en),
        }
    return made


def _data(record: GrantRecord) -> list[dict[str, Any]]:
    """Each attribute, its necessity as the service was listed, and never a value."""
    claims = record.about.claims if record.about is not None else []
    free = {(claim.vct, claim.path[0]) for claim in claims if not claim.needed}
    made = []
    for place in places_of(record.body.terms):
        known = attribute(place.vct, place.name)
        is_free = (place.vct, place.name) in free
        made.append(
            {
                "@id": f"{place.vct}#{place.name}",
                "@type": "dpv:PersonalData",
                "dct:identifier": f"{short_name(place.vct)}.{place.name}",
                "dpv:hasDataSource": {"@id": "dpv:DataSubjectDataSource"},
                "dct:title": _words(known.label_nl, known.label_en),
                "dpv:hasNecessity": {"@id": "dpv:Optional" if is_free else "dpv:Required"},
            }
        )
    return made


def _status(record: GrantRecord, now: int) -> list[dict[str, Any]]:
    """How it came to be, and how it ended."""
    made = [_event(record, "ConsentGiven", record.made_at)]
    state = state_of(record, now)
    if state in _STATUS:
        ended = record.stop.asked_at if record.stop is not None else record.body.terms.not_after
        made.append(_event(record, _STATUS[state], record.made_at if state == "failed" else ended))
    return made


def _event(record: GrantRecord, status: str, time: int) -> dict[str, Any]:
    """An end by date comes by itself; everything else is an act of the resident's, in the wallet."""
    made: dict[str, Any] = {
        "@type": f"dpv:{status}",
        "dpv:isIndicatedAtTime": _date_time(time),
        "dct:date": _date_time(time),
    }
    if status in ("ConsentGiven", "ConsentWithdrawn"):
        made["dpv:isIndicatedBy"] = {"@id": f"urn:uuid:{_uuid(b'holder', record)}"}
        made["dpv:hasIndicationMethod"] = "signed by the wallet of the data subject"
    if status == "ConsentGiven":
        made["dct:valid"] = f"{_date_time(record.body.terms.not_before)}/{_date_time(record.body.terms.not_after)}"
    return made


def _uuid(what: bytes, record: GrantRecord) -> UUID:
    """Of these terms and no others, in the form of a random UUID (RFC 9562 5.4), as the specification wants."""
    return UUID(bytes=sha256(b"regie/receipt/v1" + what + terms_hash(record.body.terms))[:16], version=4)


def _words(nl: str, en: str) -> list[dict[str, str]]:
    return [{"@language": "nl", "@value": nl}, {"@language": "en", "@value": en}]


def _date_time(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
