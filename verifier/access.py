"""The answer to a request for access (GDPR article 15): what this agency has under one agreement and did with it.

It is as things were when the request came in, and is kept as it was answered, so that it is the same each time it
is printed: its hash stands in the log with the answer. A salt is in it, for everybody reads the log and could else
guess at what little it says until the hash fits. It holds no value: those stay sealed, and what was copied stands
in the agency's own records, of which a copy goes with it (article 15 paragraph 3). Nor does it say to whom the
agency passed data on, which only the agency knows: the printed page has room for that. Officers are not named;
cases are.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from protocol.attributes import short_name
from protocol.canonical import b64u_encode, canonical_bytes, hkdf_sha256, hmac_sha256, parse_object, sha256
from protocol.reading import parse_read
from protocol.terms import Terms, places_of
from protocol.trust_list import Agency, Service
from verifier.book import Look
from verifier.desk import Desk
from verifier.grants import StoredGrant
from verifier.seen import Asked

FORMAT = "regie-access/v1"
MAX_LOOKS = 1 << 20
MAX_KEPT = 1 << 20
"""Bytes of a document that is kept: some 5000 reads. A larger one is made again, with the same salt."""


def access_answer(desk: Desk, asked: Asked) -> dict[str, Any]:
    """The document for a request, as it was answered or would be. Raises `Rejected`: `unknown_grant`, and those of
    the trust list.
    """
    if desk.home.has(_file(asked)):
        return parse_object(desk.home.read_secret(_file(asked)), max_bytes=MAX_KEPT)
    store = desk.store
    grant = store.grants.get(asked.request)
    agency = desk.agency(desk.trust(desk.now()))
    versions = [each for each in store.grants.history() if each.id == asked.request]
    reads = [
        dict(row)
        for row in store.reads.all()
        if row["tag_key"] == grant.answer.terms.tag_key and row["created"] <= asked.received
    ]
    looks = store.book.looks_of(asked.request, MAX_LOOKS)
    return document_of(
        agency, grant, versions, reads, looks, asked.received, salt_of(desk.copies_key(), asked.jti)
    )


def keep_answer(desk: Desk, asked: Asked) -> str:
    """Keep the document as it is answered now; its hash, for the log. Raises as `access_answer`."""
    data = canonical_bytes(access_answer(desk, asked))
    if len(data) <= MAX_KEPT:
        desk.home.create_secret(_file(asked), data)
    return document_hash(access_answer(desk, asked))


def salt_of(key: bytes, jti: str) -> bytes:
    """Of the document for request `jti`, 32 bytes: only who has the secret `key` or the document knows it."""
    return hmac_sha256(hkdf_sha256(key, b"regie/access/v1"), jti.encode())


def _file(asked: Asked) -> str:
    """In the agency's home; `jti` is the resident's own text, so it names no file."""
    return f"access-{sha256(asked.jti.encode()).hex()}.json"


def document_of(
    agency: Agency,
    grant: StoredGrant,
    versions: Sequence[StoredGrant],
    reads: Sequence[Mapping[str, Any]],
    looks: Sequence[Look],
    at: int,
    salt: bytes,
) -> dict[str, Any]:
    """Pure: as of `at`, POSIX seconds. `reads`: rows of the store; only what the log admitted is told."""
    terms = grant.answer.terms
    names = {digest: name for version in versions for digest, name in _names(version.answer.terms).items()}
    told = {look.entry: look for look in looks if look.entry is not None}
    return {
        "format": FORMAT,
        "salt": b64u_encode(salt),
        "at": _date_time(at),
        "controller": {"id": agency.id, "name": agency.name, "contact": agency.erasure_contact},
        "agreement": {"log": grant.log, "slot": grant.slot, "from": _date_time(terms.not_before)}
        | {"until": _date_time(terms.not_after), "attributes": list(_names(terms).values())},
        "service": _service(agency, terms),
        "received": _date_time(grant.received),
        "source": "the wallet of the data subject",
        "reads": [_read(row, names, told.get(row["leaf_index"])) for row in reads if row["n"] is not None],
    }


def document_hash(document: Mapping[str, Any]) -> str:
    """What stands in the log of it: b64u."""
    return b64u_encode(sha256(canonical_bytes(dict(document))))


def _service(agency: Agency, terms: Terms) -> dict[str, Any]:
    found: Service | None = next(
        (each for each in agency.services if (each.id, each.version) == (terms.service, terms.service_version)),
        None,
    )
    made: dict[str, Any] = {
        "id": terms.service,
        "version": terms.service_version,
        "basis": terms.basis,
        "retention": terms.retention,
        "mode": terms.mode,
    }
    if found is not None:
        made |= {
            "name": {"nl": found.name.nl, "en": found.name.en},
            "purpose": {"nl": found.purpose.nl, "en": found.purpose.en},
            "law": found.law,
            "privacy_policy": found.privacy_policy,
        }
    return made


def _read(row: Mapping[str, Any], names: Mapping[str, str], look: Look | None) -> dict[str, Any]:
    read = parse_read(str(row["token"])).read
    made: dict[str, Any] = {
        "number": row["n"],
        "at": _date_time(read.iat),
        "attributes": [names[digest] for digest in read.claims if digest in names],
        "channel": read.channel,
    }
    return made if look is None else made | {"case": look.case_number, "reason": look.reason}


def _names(terms: Terms) -> dict[str, str]:
    """`adres.postcode` by digest."""
    places = zip(terms.claims, places_of(terms), strict=True)
    return {claim.digest: f"{short_name(place.vct)}.{place.name}" for claim, place in places}


def _date_time(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
