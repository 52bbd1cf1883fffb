"""The transaction log of EUDI TS10 (1.2, sections 3.1 to 3.16): what the wallet did, for any wallet to read. Pure.

Names of attributes, never values. Field names are TS10's; times are UTC. What TS10 wants and nobody told the
wallet stays empty rather than invented.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from protocol.attributes import CREDENTIAL_TYPES
from protocol.names import visible
from protocol.terms import places_of
from protocol.trust_list import Service
from wallet.records import Activity, GrantRecord

Transaction: TypeAlias = dict[str, Any]
OIN_SCHEME = "urn:nl:logius:oin"
"""Type of an identifier that is an OIN: the Dutch number of organisations that deal with the government."""
PRIVACY_POLICY = "http://data.europa.eu/eudi/policy/privacy-policy"
COUNTRY = "NL"
SUPERVISOR = "Autoriteit Persoonsgegevens"
SUPERVISOR_SITE = "https://www.autoriteitpersoonsgegevens.nl"
_VCTS = {kind.configuration_id: vct for vct, kind in CREDENTIAL_TYPES.items()}
_REASONS = {"declined": "declined by the user", "maybe_shared": "no confirmation by the interacting party"}


def grant_transaction(record: GrantRecord, registrar: str) -> Transaction:
    """Standing access as the presentation that began it. `registrar`: where the agency's registration is."""
    terms = record.body.terms
    presented = _claims((place.vct, place.name) for place in places_of(terms))
    about = record.about
    asked = _claims((claim.vct, claim.path[0]) for claim in about.claims) if about else presented
    is_done = record.state == "active"
    return {
        **_head(f"urn:regie:grant:{terms.lock}", record.made_at, is_done=is_done),
        "presentation": {
            **_party(record.agency.id, record.agency.name, record.agency.erasure_contact, about, registrar),
            "listOfClaimsRequested": asked,
            "listOfClaimsPresented": presented,
            **({} if is_done else {"reasonOfNoncompletion": record.problem or record.state}),
        },
    }


def activity_transaction(activity: Activity, registrar: str) -> Transaction:
    """A copy that was given once, or a request that was refused."""
    is_done = activity.kind == "shared"
    return {
        **_head(f"urn:regie:activity:{activity.time}:{activity.number}", activity.time, is_done=is_done),
        "presentation": {
            **_party(activity.agency, activity.agency_name, "", activity.about, registrar),
            "listOfClaimsRequested": _claims(map(_named, activity.asked)),
            "listOfClaimsPresented": [] if activity.kind == "declined" else _claims(map(_named, activity.given)),
            **({} if is_done else {"reasonOfNoncompletion": _REASONS[activity.kind]}),
        },
    }


def _head(identifier: str, time: int, *, is_done: bool, kind: str = "Presentation") -> Transaction:
    return {
        "transactionIdentifier": identifier,
        "time": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "transactionType": kind,
        "transactionResult": "Completed" if is_done else "NotCompleted",
    }


def _party(party: str, name: str, contact: str, about: Service | None, registrar: str) -> Transaction:
    """Who asked, for what, under whose supervision."""
    scheme = OIN_SCHEME if party.isdecimal() else "urn:ietf:rfc:3986"
    purposes = about.purpose if about else None
    ways = [visible(contact)] if contact else [about.privacy_policy] if about else []
    return {
        "interactingPartyIdentifier": {"type": scheme, "identifier": party},
        "interactingPartyType": "ServiceProvider",
        "interactingPartyName": {"lang": "nl", "content": visible(name)},
        "interactingPartyContact": [COUNTRY, *ways],
        "isIntermediary": False,
        "registrarURL": registrar,
        "purpose": [
            {"lang": lang, "content": visible(text, 2000)}
            for lang, text in (("nl", purposes.nl), ("en", purposes.en))
        ]
        if purposes
        else [],
        "privacyPolicy": [{"type": PRIVACY_POLICY, "policyURI": about.privacy_policy}] if about else [],
        "dpaName": {"lang": "nl", "content": SUPERVISOR},
        "dpaCountry": {"lang": "nl", "content": COUNTRY},
        "dpaContact": [SUPERVISOR_SITE],
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
