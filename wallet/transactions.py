"""The transaction log of EUDI TS10 (1.2, sections 3.1 to 3.16): what the wallet did, for any wallet to read. Pure.

Names of attributes, never values. Field names are TS10's; times are UTC. What TS10 wants and nobody told the
wallet stays empty rather than invented.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from protocol.attributes import CREDENTIAL_TYPES
from protocol.names import visible
from protocol.reading import parse_message
from protocol.rights import right_of
from protocol.terms import places_of
from protocol.trust_list import Service
from wallet.asker_facts import AskerFacts, asker_facts
from wallet.records import Activity, Copy, GrantRecord, OutgoingMessage

Transaction: TypeAlias = dict[str, Any]
OIN_SCHEME = "urn:nl:logius:oin"
"""Type of an identifier that is an OIN: the Dutch number of organisations that deal with the government."""
URI_SCHEME = "urn:ietf:rfc:3986"
"""Of one that is a URI."""
PERSON = "urn:regie:nl:persoon:1"
PRIVACY_POLICY = "http://data.europa.eu/eudi/policy/privacy-policy"
COUNTRY = "NL"
_VCTS = {kind.configuration_id: vct for vct, kind in CREDENTIAL_TYPES.items()}
_RIGHTS = {"access": "asked to see the data", "rectification": "asked to correct the data"}
_REASONS = {"declined": "declined by the user", "maybe_shared": "no confirmation by the interacting party"}


def grant_transaction(record: GrantRecord, registrar: str) -> Transaction:
    """Standing access as the presentation that began it. `registrar`: where the agency's registration is."""
    terms = record.body.terms
    presented = _claims((place.vct, place.name) for place in places_of(terms))
    about = record.about
    asked = _claims((claim.vct, claim.path[0]) for claim in about.claims) if about else presented
    is_done = record.state in ("active", "renewing")
    return {
        **_head(f"urn:regie:grant:{terms.lock}", record.made_at, is_done=is_done),
        "presentation": {
            **_party(
                record.agency.id,
                record.agency.name,
                record.agency.erasure_contact,
                about,
                registrar,
                asker_facts(record.request),
            ),
            "listOfClaimsRequested": asked,
            "listOfClaimsPresented": presented,
            **({} if is_done else {"reasonOfNoncompletion": record.problem or record.state}),
        },
    }


def activity_transaction(activity: Activity, registrar: str) -> Transaction:
    """A copy given once, a request refused; a complaint, or a request to erase, that was begun."""
    name = f"urn:regie:activity:{activity.time}:{activity.number}"
    if activity.kind == "reported":
        return {
            **_head(name, activity.time, is_done=True, kind="DPAReport"),
            "dpaReport": _report(activity.request),
        }
    if activity.kind == "deletion_begun":
        made = _deletion(activity.agency, activity.agency_name, _claims(map(_named, activity.given)))
        return {
            **_head(name, activity.time, is_done=True, kind="DataDeletionRequest"),
            "dataDeletionRequest": made,
        }
    is_done = activity.kind == "shared"
    return {
        **_head(name, activity.time, is_done=is_done),
        "presentation": {
            **_party(
                activity.agency, activity.agency_name, "", activity.about, registrar, asker_facts(activity.request)
            ),
            "listOfClaimsRequested": _claims(map(_named, activity.asked)),
            "listOfClaimsPresented": [] if activity.kind == "declined" else _claims(map(_named, activity.given)),
            **({} if is_done else {"reasonOfNoncompletion": _REASONS[activity.kind]}),
        },
    }


def message_transaction(sent: OutgoingMessage, record: GrantRecord) -> Transaction:
    """A request of a right: to erase it has a class of its own, to see and to correct have none."""
    said = parse_message(sent.token)
    right, is_done = right_of(said.kind), sent.at_log and sent.at_agency
    name = f"urn:regie:message:{said.jti}"
    if right == "erasure":
        claims = _claims((place.vct, place.name) for place in places_of(record.body.terms))
        made = _deletion(record.agency.id, record.agency.name, claims)
        return {**_head(name, said.iat, is_done=is_done, kind="DataDeletionRequest"), "dataDeletionRequest": made}
    return {
        **_head(name, said.iat, is_done=is_done, kind="OtherTransaction"),
        "otherTransaction": {
            "description": [f"{_RIGHTS.get(str(right), said.kind)}: {visible(record.agency.name)}"],
            "interactingPartyIdentifier": _identifier(record.agency.id),
        },
    }


def stop_transaction(record: GrantRecord) -> Transaction | None:
    """A stop of standing access: TS10 knows none, so that it is another transaction."""
    if record.stop is None:
        return None
    return {
        **_head(
            f"urn:regie:stop:{record.body.terms.lock}",
            record.stop.asked_at,
            is_done=record.stop.confirmed is not None,
            kind="OtherTransaction",
        ),
        "otherTransaction": {
            "description": [f"stopped sharing: {visible(record.agency.name)}"],
            "interactingPartyIdentifier": _identifier(record.agency.id),
        },
    }


def issuance_transactions(copies: Iterable[Copy]) -> list[Transaction]:
    """Cards as they came: what is kept of one batch of one issuer. How many were asked for is not kept."""
    batches: dict[tuple[str, str, int], list[Copy]] = {}
    for copy in copies:
        batches.setdefault((copy.issuer, copy.batch, copy.received), []).append(copy)
    return [_issuance(issuer, batch, time, held) for (issuer, batch, time), held in batches.items()]


def _issuance(issuer: str, batch: str, time: int, held: list[Copy]) -> Transaction:
    """The issuer is known by its address alone: nothing says who supervises it, nor what it registered as."""
    is_person = any(copy.vct == PERSON for copy in held)
    return {
        **_head(f"urn:regie:batch:{batch}", time, is_done=True, kind="CredentialIssuance"),
        "credentialIssuance": {
            "interactingPartyIdentifier": {"type": URI_SCHEME, "identifier": issuer},
            "interactingPartyType": "PIDProvider" if is_person else "PubEEAProvider",
            "interactingPartyName": {"lang": "nl", "content": visible(urlsplit(issuer).hostname or issuer)},
            "interactingPartyContact": [COUNTRY, issuer],
            "credentialNumberRequested": len(held),
            "credentialNumberIssued": len(held),
            "credentialIdentifier": list(dict.fromkeys(copy.vct for copy in held)),
            "isUserTriggered": True,
        },
    }


def _identifier(party: str) -> Transaction:
    return {"type": OIN_SCHEME if party.isdecimal() else URI_SCHEME, "identifier": party}


def _deletion(party: str, name: str, claims: list[Mapping[str, Any]]) -> Transaction:
    return {
        "interactingPartyIdentifier": _identifier(party),
        "interactingPartyName": {"lang": "nl", "content": visible(name)},
        "listOfClaims": claims,
    }


def _report(request: str) -> Transaction:
    authority = asker_facts(request).authority
    return {
        "dpaName": {"lang": "nl", "content": authority.name},
        "dpaCountry": {"lang": "nl", "content": authority.country},
    }


def _head(identifier: str, time: int, *, is_done: bool, kind: str = "Presentation") -> Transaction:
    return {
        "transactionIdentifier": identifier,
        "time": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "transactionType": kind,
        "transactionResult": "Completed" if is_done else "NotCompleted",
    }


def _party(
    party: str, name: str, contact: str, about: Service | None, registrar: str, facts: AskerFacts
) -> Transaction:
    """Who asked, for what, under whose supervision."""
    contact = contact or facts.support or ""
    purposes = about.purpose if about else None
    ways = [visible(contact)] if contact else [about.privacy_policy] if about else []
    return {
        "interactingPartyIdentifier": _identifier(party),
        "interactingPartyType": "ServiceProvider",
        "interactingPartyName": {"lang": "nl", "content": visible(name)},
        "interactingPartyContact": [facts.country or COUNTRY, *ways],
        "isIntermediary": False,
        "registrarURL": facts.registry or registrar,
        "purpose": [
            {"lang": lang, "content": visible(text, 2000)}
            for lang, text in (("nl", purposes.nl), ("en", purposes.en))
        ]
        if purposes
        else [],
        "privacyPolicy": [{"type": PRIVACY_POLICY, "policyURI": about.privacy_policy}] if about else [],
        "dpaName": {"lang": "nl", "content": facts.authority.name},
        "dpaCountry": {"lang": "nl", "content": facts.authority.country},
        "dpaContact": facts.authority.contacts,
    }


def _named(name: str) -> tuple[str, str]:
    """`adres.postcode` as vct and claim; of a stranger's card the query's id stays in the place of the type."""
    card, _, claim = name.partition(".")
    return _VCTS.get(card, card), claim or card


def _claims(named: Iterable[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """TS10 3.19.2: ClaimInfo of each credential."""
    found: dict[str, list[str]] = {}
    for vct, name in named:
        found.setdefault(vct, []).append(name)
    return [{"credentialIdentifier": vct, "claims": list(dict.fromkeys(names))} for vct, names in found.items()]
