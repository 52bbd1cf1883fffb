"""Registered relying parties as EUDI TS5 shows them (section 2, API 1.4), and how they are looked up: pure.

A listed agency is a `WalletRelyingParty`, a service a `WalletRelyingPartyService`, each of its versions an
`IntendedUse`. What TS5 asks and a trust list does not hold is left out: postal addresses, intermediaries (there
are none), histories of access certificates (the trust list pins roots).
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.canonical import b64u_decode, b64u_encode, parse_json, to_builtins
from protocol.errors import Rejected
from protocol.registration_certificate import (
    CREDENTIAL_FORMAT,
    SERVICE_PROVIDER,
    intended_use_id,
    registered_credentials,
)
from protocol.trust_list import Agency, Service, Words
from registrar.certify import Book

OIN_SCHEME = "urn:regie:nl:oin"
"""The national scheme of identifiers (TS5 section 2.4.2.1): twenty digits of Logius' register."""
PRIVACY_POLICY = "http://data.europa.eu/eudi/policy/privacy-policy"
DEFAULT_LIMIT, MAX_LIMIT = 20, 100
MAX_FILTER_CHARACTERS = 512
_OIN = re.compile(r"[0-9]{20}")
_LIST_FILTERS = frozenset(
    {
        "identifier", "serviceidentifier", "isolateService", "legalname", "tradename", "policy", "entitlement",
        "providesattestation", "credentialmeta", "credentialformat", "claimpath", "usesintermediary",
        "isintermediary", "intendeduseidentifier", "limit", "cursor",
    }
)  # fmt: skip
_USE_FILTERS = frozenset(
    {
        "identifier", "serviceidentifier", "intendeduseidentifier", "credentialformat", "claimpath",
        "credentialmeta", "policyurl",
    }
)  # fmt: skip
_BOOLEANS = {"true": True, "false": False}
Json = dict[str, Any]


@dataclass(frozen=True)
class Register:
    """What there is to look up: agencies by OIN, and since when their intended uses are listed.

    `uri`: where the read API begins; `supervisor`: `email`, `phone`, `uri` of the data protection authority.
    """

    agencies: tuple[Agency, ...]
    since: Mapping[str, int]
    uri: str
    country: str
    supervisor: Mapping[str, str]

    def find(self, identifier: str) -> Agency:
        """Raises `Rejected`: `not_listed` (404)."""
        for agency in self.agencies:
            if agency.id == identifier:
                return agency
        raise Rejected("not_listed", "no relying party of this identifier is registered", status=404)

    def find_service(self, identifier: str, service_id: str) -> Agency:
        """The relying party that has this service. Raises `Rejected`: `not_listed` (404)."""
        agency = self.find(identifier)
        if all(service.id != service_id for service in agency.services):
            raise Rejected("not_listed", "this relying party has no such service", status=404)
        return agency


def register_of(
    agencies: Sequence[Agency], book: Book, *, uri: str, country: str, supervisor: Mapping[str, str]
) -> Register:
    """The listed agencies in the order of their identifiers, which pages follow."""
    since: dict[str, int] = {}
    for entry in book.certificates:
        since.setdefault(entry.use, entry.since)
    return Register(tuple(sorted(agencies, key=lambda agency: agency.id)), since, uri, country, supervisor)


def relying_party(register: Register, agency: Agency, services: Sequence[str] | None = None) -> Json:
    """A `WalletRelyingParty`; with `services` of these services only."""
    ids = list(dict.fromkeys(service.id for service in agency.services))
    shown = [each for each in ids if services is None or each in services]
    authority = {"email": [], "phone": [], **{key: [value] for key, value in register.supervisor.items()}}
    uris = authority.pop("uri", [])
    return {
        "identifier": [{"type": OIN_SCHEME, "identifier": agency.id}],
        "legalPerson": {"legalName": [agency.name]},
        "tradeName": agency.name,
        "country": register.country,
        "isPSB": True,
        "policy": [_policy(each) for each in dict.fromkeys(s.privacy_policy for s in agency.services)],
        "supervisoryAuthority": {"country": register.country, **authority, "formURI": uris},
        "registryURI": register.uri,
        "walletRelyingPartyService": [_service(register, agency, each) for each in shown],
    }


def _service(register: Register, agency: Agency, service_id: str) -> Json:
    versions = [service for service in agency.services if service.id == service_id]
    latest = max(versions, key=lambda service: service.version)
    return {
        "serviceTradeName": latest.name.nl,
        "serviceIdentifier": service_id,
        "supportURI": [agency.erasure_contact],
        "srvDescription": [_words(latest.name)],
        "intendedUse": [_intended_use(register, agency, service) for service in versions],
        "entitlements": [SERVICE_PROVIDER],
        "isIntermediary": False,
    }


def _intended_use(register: Register, agency: Agency, service: Service) -> Json:
    use = intended_use_id(agency.id, service.id, service.version)
    since = datetime.datetime.fromtimestamp(register.since.get(use, 0), datetime.UTC).date()
    credentials = [
        {"format": entry.format, "meta": entry.meta, "claims": to_builtins(entry.registered)}
        for entry in registered_credentials(service)
    ]
    return {
        "intendedUseIdentifier": use,
        "createdAt": since.isoformat(),
        "purpose": _words(service.purpose),
        "privacyPolicy": [_policy(service.privacy_policy)],
        "credentials": credentials,
    }


def _words(words: Words) -> list[Json]:
    return [{"lang": "nl", "content": words.nl}, {"lang": "en", "content": words.en}]


def _policy(url: str) -> Json:
    return {"type": PRIVACY_POLICY, "policyURI": url}


def look_up(register: Register, query: Mapping[str, str]) -> tuple[list[Json], Json]:
    """(relying parties, pagination) of `GET /wrp`: all filters have to match (TS5 section 3.2.2).

    Raises `Rejected`: `unknown_filter`, `bad_filter`, `bad_cursor`.
    """
    _check_filters(query, _LIST_FILTERS)
    isolate = _boolean(query, "isolateService", default=False)
    limit, after, uses = _limit(query), _after(query), _of_a_use(query)
    found: list[Agency] = []
    for agency in () if _asks_for_nobody(query) else register.agencies:
        if agency.id > after and _matches(agency, query, uses):
            found.append(agency)
            if len(found) > limit:
                break
    page = found[:limit]
    alone = [query["serviceidentifier"]] if isolate and "serviceidentifier" in query else None
    more = len(found) > limit
    pagination: Json = {"has_next_page": more}
    if more:
        pagination["next_cursor"] = b64u_encode(page[-1].id.encode())
    return [relying_party(register, agency, alone) for agency in page], pagination


def check_intended_use(register: Register, query: Mapping[str, str]) -> Json:
    """`data` of `GET /wrp/check-intended-use`: whether one intended use has all that is named.

    Raises `Rejected`: `unknown_filter`, `bad_filter`, `not_listed`.
    """
    _check_filters(query, _USE_FILTERS)
    if "identifier" not in query:
        raise Rejected("bad_filter", "name the relying party by its identifier")
    agency, wanted = register.find(query["identifier"]), _of_a_use(query)
    is_registered = any(_has(agency, service, wanted) for service in agency.services)
    details = "an intended use has all of this" if is_registered else "no intended use has all of this"
    return {"isRegistered": is_registered, "details": details}


def _of_a_use(query: Mapping[str, str]) -> dict[str, Any]:
    """What a query says of an intended use. Raises `Rejected`: `bad_filter`."""
    wanted: dict[str, Any] = {name: query[name] for name in _USE_FILTERS if name in query and name != "identifier"}
    if "policy" in query:
        wanted["policyurl"] = query["policy"]
    if "claimpath" in wanted:
        wanted["claimpath"] = _path(wanted["claimpath"])
    return wanted


def _matches(agency: Agency, query: Mapping[str, str], uses: Mapping[str, Any]) -> bool:
    if query.get("identifier", agency.id) != agency.id:
        return False
    name = agency.name.casefold()
    if not all(query.get(each, "").casefold() in name for each in ("legalname", "tradename")):
        return False
    return not uses or any(_has(agency, service, uses) for service in agency.services)


def _asks_for_nobody(query: Mapping[str, str]) -> bool:
    """Whether it asks for a kind of party that is not here. Raises `Rejected`: `bad_filter`."""
    return (
        _boolean(query, "isintermediary", default=False)
        or bool({"providesattestation", "usesintermediary"} & set(query))
        or query.get("entitlement", SERVICE_PROVIDER) != SERVICE_PROVIDER
    )


def _has(agency: Agency, service: Service, query: Mapping[str, Any]) -> bool:
    """Whether one intended use has all that is named of one; `claimpath` is a path."""
    for name, wanted in query.items():
        if name == "serviceidentifier" and service.id != wanted:
            return False
        if name == "intendeduseidentifier" and intended_use_id(agency.id, service.id, service.version) != wanted:
            return False
        if name == "policyurl" and service.privacy_policy != wanted:
            return False
        if name == "credentialformat" and wanted != CREDENTIAL_FORMAT:
            return False
    vct, path = query.get("credentialmeta"), query.get("claimpath")
    if vct is None and path is None:
        return True
    return any(vct in (None, claim.vct) and path in (None, list(claim.path)) for claim in service.claims)


def _path(text: str) -> list[Any]:
    """A path as JSON, as in DCQL, or the one name that it consists of."""
    if not text.startswith("["):
        return [text]
    try:
        found = parse_json(text, max_bytes=4 * MAX_FILTER_CHARACTERS)
    except Rejected as error:
        raise Rejected("bad_filter", "claimpath is a name or a JSON array") from error
    return found if isinstance(found, list) else [found]


def _check_filters(query: Mapping[str, str], known: frozenset[str]) -> None:
    if not set(query) <= known:
        raise Rejected("unknown_filter", f"the filters are {', '.join(sorted(known))}")
    if any(len(value) > MAX_FILTER_CHARACTERS for value in query.values()):
        raise Rejected("bad_filter", f"a filter has at most {MAX_FILTER_CHARACTERS} characters")


def _boolean(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    if name not in query:
        return default
    found = _BOOLEANS.get(query[name])
    if found is None:
        raise Rejected("bad_filter", f"{name} is true or false")
    return found


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise Rejected("bad_filter", f"limit is 1 to {MAX_LIMIT}")
    return int(text)


def _after(query: Mapping[str, str]) -> str:
    """The identifier that the last page ended with; empty for the first."""
    if "cursor" not in query:
        return ""
    try:
        text = b64u_decode(query["cursor"], max_bytes=64).decode("ascii", "replace")
    except Rejected as error:
        raise Rejected("bad_cursor", "the cursor is not one that was given") from error
    if not _OIN.fullmatch(text):
        raise Rejected("bad_cursor", "the cursor is not one that was given")
    return text
