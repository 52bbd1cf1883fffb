"""An agency's READs in the form of the VNG GEMMA Verwerkingenlogging API 0.9.0 (`POST /verwerkingsacties`). Pure.

The members that the log itself fills in (`url`, `actieId`, `tijdstipRegistratie`) are not ours to give. There is
no `gebruiker`: who read is answered for in the agency's own officers' log. Of a refused READ nothing was
processed, so it has no `verwerkteSoortenGegevens`.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from protocol.attributes import short_name
from protocol.canonical import sha256
from protocol.ldv import processing_activity
from protocol.reading import parse_read
from protocol.terms import Terms, places_of
from protocol.trust_list import Service
from verifier.processing import Processing

OBJECT_TYPE = "persoon"
SUBJECT_KIND = "urn:regie:agreement"
MAX_NAME_CHARS = 242
_NAMESPACE = uuid.UUID(bytes=sha256(b"regie/verwerkingenlogging/v1")[:16], version=4)


def action_of(
    processing: Processing, terms: Terms, service: Service | None, subject: str, *, oin: str, system: str
) -> dict[str, Any]:
    """One `VerwerkingsactieUitgebreidBasis`. `service`: as listed; `subject`: at most 40 characters."""
    activity = processing_activity(oin, processing.service, processing.version)
    action: dict[str, Any] = {
        "actieNaam": "Gegevens lezen" if processing.refusal is None else "Lezen geweigerd",
        "handelingNaam": "Inzien met instemming",
        "verwerkingNaam": (service.name.nl if service is not None else processing.service)[:MAX_NAME_CHARS],
        "verwerkingId": _uuid(processing.grant),
        "verwerkingsactiviteitId": _uuid(activity),
        "verwerkingsactiviteitUrl": activity,
        "vertrouwelijkheid": "normaal",
        "bewaartermijn": terms.retention,
        "uitvoerder": oin,
        "systeem": system[:MAX_NAME_CHARS],
        "gegevensbron": "Kaarten van de inwoner, ondertekend door het basisregister",
        "soortAfnemerId": "OIN",
        "afnemerId": oin,
        "tijdstip": datetime.fromtimestamp(processing.at, UTC).isoformat(),
        "verwerkteObjecten": [_object(processing, terms, subject)],
    }
    return action


def _object(processing: Processing, terms: Terms, subject: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "objecttype": OBJECT_TYPE,
        "soortObjectId": SUBJECT_KIND,
        "objectId": subject,
        "betrokkenheid": "Inwoner",
    }
    return (
        found
        if processing.refusal is not None
        else {**found, "verwerkteSoortenGegevens": _kinds(processing, terms)}
    )


def _kinds(processing: Processing, terms: Terms) -> list[dict[str, str]]:
    """Names of the attributes that the READ opened; no values."""
    asked = set(parse_read(processing.token).read.claims)
    places = zip(terms.claims, places_of(terms), strict=True)
    return [
        {"soortGegeven": f"{short_name(place.vct)}.{place.name}"}
        for claim, place in places
        if claim.digest in asked
    ]


def _uuid(name: str) -> str:
    """The API wants UUIDs: the same name always gives the same one."""
    return str(uuid.uuid5(_NAMESPACE, name))
