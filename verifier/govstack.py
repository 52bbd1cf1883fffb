"""GovStack Consent Building Block: what an agency holds, in the shapes of that API.

After `consent-openapi.yaml` in GovStackWorkingGroup/bb-consent (examples/igrantio, commit 0fbdbbb), the newest
that can be had. A service version is a DataAgreement, an agreement of a resident a ConsentRecord, and its
individual nobody but that agreement: an agency does not know which of its residents are the same person.

Hashes are SHA-256 where that API says SHA-1, on which nothing may rest any more. A snapshot of a consent leaves
out `tag_key`, by which its entries in the log could be found.
"""

from datetime import UTC, datetime
from typing import Any

from protocol.canonical import JsonValue, b64u_decode, canonical_bytes, parse_object, sha256, to_builtins
from protocol.terms import Terms, parse_element, terms_hash
from protocol.trust_list import Agency, Service
from verifier.grants import StoredGrant

METHOD = "ES256 key binding JWT (RFC 9901) with `consent` = H(JCS(terms)), docs/protocol.md section 4"
SECRET_TERMS = ("tag_key",)


def agreement_id(service: Service) -> str:
    """`service@version`: versions never change, so each is an agreement of its own."""
    return f"{service.id}@{service.version}"


def policy_json(service: Service) -> dict[str, JsonValue]:
    """`Policy`: the privacy statement under which a service version runs."""
    return {
        "id": agreement_id(service),
        "name": service.name.en,
        "version": str(service.version),
        "url": service.privacy_policy,
        "jurisdiction": "NL",
    }


def agreement_json(agency: Agency, service: Service, *, active: bool) -> dict[str, JsonValue]:
    """`DataAgreement`; `active`: whether new ones are asked for under it. No DPIA stands in the trust list."""
    return {
        "id": agreement_id(service),
        "version": str(service.version),
        "controller": {"id": agency.id, "name": agency.name, "url": agency.erasure_contact},
        "policy": policy_json(service),
        "purpose": service.purpose.en,
        "lawfulBasis": service.basis,
        "dataUse": "data_using_service",
        "dpia": "",
        "active": active,
        "forgettable": False,
    }


def service_revision(service: Service, since: int) -> dict[str, JsonValue]:
    """`Revision` of a service version: its entry in the trust list. `since`: `iat` of that list."""
    return _revision("DataAgreement", agreement_id(service), to_builtins(service), since)


def record_json(
    grant: StoredGrant, agency: Agency, service: Service | None, *, active: bool, stands: bool
) -> dict[str, JsonValue]:
    """`ConsentRecord`; `stands`: neither stopped nor over. `service`: as listed, None when it left the list;
    `active`: whether that version is the newest.
    """
    record: dict[str, JsonValue] = {
        "id": grant.id,
        "dataAgreementRevisionHash": "" if service is None else _hash(to_builtins(service)),
        "individual": {"id": grant.id, "externalIdType": "urn:regie:agreement"},
        "optIn": stands,
        "state": "signed",
        "signature": _signature(grant),
    }
    if service is not None:
        record["dataAgreement"] = agreement_json(agency, service, active=active)
    return record


def record_revision(grant: StoredGrant) -> dict[str, JsonValue]:
    """`Revision` of a consent: one for each version of the grant."""
    terms = grant.answer.terms
    shown = {name: value for name, value in _members(terms).items() if name not in SECRET_TERMS}
    return _revision("ConsentRecord", grant.id, shown, grant.received)


def _members(terms: Terms) -> dict[str, Any]:
    return parse_object(canonical_bytes(terms), max_bytes=1 << 20)


def _revision(schema: str, object_id: str, value: Any, time: int) -> dict[str, JsonValue]:
    digest = _hash(value)
    return {
        "id": digest[:32],
        "schemaName": schema,
        "objectId": object_id,
        "signedWithoutObjectId": False,
        "serializedSnapshot": canonical_bytes(value).decode(),
        "serializedHash": digest,
        "timestamp": _moment(time),
    }


def _hash(value: Any) -> str:
    return sha256(canonical_bytes(value)).hex()


def _signature(grant: StoredGrant) -> dict[str, JsonValue]:
    """The key-binding JWT that is the consent: by the key that the issuer bound to the resident's card.

    It is the one that the element names: a resident may leave out another card of the query.
    """
    (signing,) = parse_element(grant.request.payload["transaction_data"][0]).credential_ids
    presentations = grant.answer.vp_token[signing]
    text = presentations[0] if isinstance(presentations, list) else str(presentations)
    header, payload, signature = str(text).rpartition("~")[2].split(".")
    said = parse_object(b64u_decode(payload, max_bytes=1 << 16))
    digest = terms_hash(grant.answer.terms).hex()
    return {
        "id": grant.lock,
        "payload": f"{header}.{payload}",
        "signature": signature,
        "verificationMethod": METHOD,
        "verificationPayload": digest,
        "verificationPayloadHash": digest,
        "verificationSignedBy": "cnf.jwk of the card, bound by its issuer",
        "verificationSignedAs": "delegate" if grant.answer.terms.on_behalf_of else "individual",
        "timestamp": _moment(int(said["iat"])),
    }


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
