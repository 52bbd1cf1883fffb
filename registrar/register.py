"""The rules of what may enter the draft of the trust list.

Every `add_...` takes a draft and an entry and returns the new draft; the old one is never changed. An entry under
a known id replaces it (roots and keys rotate), but for services: a version once added never changes.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from protocol.attributes import CREDENTIAL_TYPES, credential_type
from protocol.canonical import b64u_decode
from protocol.errors import Rejected
from protocol.seal import KEM_PUBLIC_BYTES, parse_kem_public
from protocol.terms import BSN_ATTRIBUTE
from protocol.trust_list import (
    Agency,
    Service,
    ServiceClaim,
    TrustedIssuer,
    TrustedLog,
    TrustedWitness,
    TrustList,
    check_service,
)
from protocol.x509 import parse_der_base64, subject_name
from registrar.draft import Draft, check_party_name, check_roots, check_text, check_url, put
from registrar.keys import check_log_keys, check_witness_keys, with_history
from registrar.operators import check_operators, operators_of, with_operators
from registrar.policy import check_policy, default_policy

MIN_TERM_SECONDS = 60
MAX_TERM_SECONDS = 5 * 366 * 86_400
"""A grant lasts five years at most: who wants longer asks again, and the resident thinks again."""
MAX_LIST_DAYS = 366
"""A list that is in force for longer could not be withdrawn from a reader without a network."""
DAY = 86_400
_SERVICE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ZERO_DURATION = re.compile(r"P[0YMWDTHS]*")
_OUR_TYPES = "urn:regie:"
"""All of them are in the vocabulary: one that is not is a slip of the pen."""


def add_issuer(draft: Draft, issuer: TrustedIssuer, now: int) -> Draft:
    """1. name and URL; 2. roots in force and nobody else's; 3. types that exist, each once.

    Raises `Rejected`: `bad_text`, `misleading_name`, `bad_url`, `bad_root`, `root_taken`, `unknown_vct`,
    `duplicate_vct`, `no_vct`.
    """
    check_party_name(issuer.name)
    check_url(issuer.id)
    check_roots(draft, f"issuer {issuer.id}", issuer.roots, now)
    if not issuer.vcts:
        raise Rejected("no_vct", "the issuer may issue nothing: name the credential types")
    if len(set(issuer.vcts)) != len(issuer.vcts):
        raise Rejected("duplicate_vct", "a credential type is named twice")
    for vct in issuer.vcts:
        credential_type(vct)
    return msgspec.structs.replace(draft, issuers=put(draft.issuers, issuer, lambda entry: entry.id))


def add_agency(draft: Draft, agency: Agency, now: int) -> Draft:
    """1. texts; 2. roots in force and nobody else's; 3. services by the rules of `add_service`.

    An agency that is listed keeps its services and gets those of the entry besides. Raises `Rejected`: `bad_text`,
    `misleading_name`, `bad_root`, `root_taken` and those of `add_service`.
    """
    check_party_name(agency.name)
    check_text(agency.erasure_contact, "the contact for erasure")
    check_roots(draft, f"agency {agency.id}", agency.roots, now)
    listed = [entry for entry in draft.agencies if entry.id == agency.id]
    entry = msgspec.structs.replace(agency, services=listed[0].services if listed else [])
    draft = msgspec.structs.replace(draft, agencies=put(draft.agencies, entry, lambda entry: entry.id))
    if not agency.bsn_allowed and any(_asks_bsn(service) for service in entry.services):
        raise Rejected("bsn_not_allowed", "a listed service of this agency uses the burgerservicenummer")
    for service in agency.services:
        draft = add_service(draft, agency.id, service)
    return draft


def add_service(draft: Draft, agency_id: str, service: Service) -> Draft:
    """One version of a service of a listed agency. A byte-equal version again changes nothing.

    1. the agency is listed; 2. id; 3. version: never changed, else one above the latest; 4. texts in both
    languages; 5. attributes that exist in their type, if it is ours, each once; 6. BSN only where the law lets the
    agency; 7. a law where consent is not the ground; 8. term and retention; 9. URL of the privacy policy.
    Raises `Rejected`: `not_listed`, `bad_service_id`, `service_changed`, `bad_version`, `bad_text`,
    `duplicate_claim`, `unknown_vct`, `unknown_attribute`, `bsn_not_allowed`, `bsn_law_missing`, `law_missing`,
    `bad_term`, `bad_retention`, `bad_url` and those of `trust_list.check_service`.
    """
    agency = next((entry for entry in draft.agencies if entry.id == agency_id), None)
    if agency is None:  # 1
        raise Rejected("not_listed", "add the agency before its services")
    if not _SERVICE_ID.fullmatch(service.id):  # 2
        raise Rejected("bad_service_id", "a service id is lower-case letters, digits and hyphens")
    versions = {entry.version: entry for entry in agency.services if entry.id == service.id}
    if service.version in versions:  # 3
        if versions[service.version] != service:
            raise Rejected("service_changed", "this version is listed with another content: add a new version")
        return draft
    if service.version != max(versions, default=0) + 1:
        raise Rejected("bad_version", f"the next version of this service is {max(versions, default=0) + 1}")
    _check_service(agency, service)  # 4 to 9
    agency = msgspec.structs.replace(agency, services=[*agency.services, service])
    return msgspec.structs.replace(draft, agencies=put(draft.agencies, agency, lambda entry: entry.id))


def add_log(draft: Draft, log: TrustedLog) -> Draft:
    """1. URL; 2. note keys (`check_log_keys`); 3. deposit key; roots of its status lists in the form we read.

    4. its policy, when it comes with one, is for this log. Without one it gets `default_policy` at signing. A log
    that is listed keeps its operators (`set_operators`) and its end (`close_log`), whatever its entry says.
    Raises `Rejected`: `bad_url`, `bad_vkey`, `wrong_origin`, `same_key`, `bad_key`, `bad_certificate`,
    `bad_policy`.
    """
    check_url(log.url)
    check_log_keys(log)
    parse_kem_public(b64u_decode(log.deposit_key, max_bytes=KEM_PUBLIC_BYTES))
    for root in log.status_roots:
        subject_name(parse_der_base64(root))
    if log.policy:
        check_policy(log, log.policy)
    listed = [entry for entry in draft.logs if entry.origin == log.origin]
    if listed:
        log = msgspec.structs.replace(log, operators=listed[0].operators, until=listed[0].until)
    else:
        log = msgspec.structs.replace(log, operators=None, until=None)
    return msgspec.structs.replace(draft, logs=put(draft.logs, log, lambda entry: entry.origin))


def close_log(draft: Draft, origin: str, until: int, now: int) -> Draft:
    """From `until` on (POSIX seconds) the log takes no new grants; all else goes on in it, for ever.

    An end may be moved as long as it has not come. Raises `Rejected`: `not_listed`, `log_closed`.
    """
    listed = [entry for entry in draft.logs if entry.origin == origin]
    if not listed:
        raise Rejected("not_listed", "no log has this origin", status=404)
    if not listed[0].takes_grants(now):
        raise Rejected("log_closed", "this log has ended; a log never opens again", status=409)
    log = msgspec.structs.replace(listed[0], until=until)
    return msgspec.structs.replace(draft, logs=put(draft.logs, log, lambda entry: entry.origin))


def set_operators(draft: Draft, origin: str, needed: int | None, names: Sequence[str]) -> Draft:
    """From the next list on the shares of this log's grants are dealt to these operators; without names to none.

    Raises `Rejected`: `not_listed`, those of `operators_of` and `check_operators`.
    """
    operators = operators_of(needed, names)
    logs = with_operators(draft.logs, draft.witnesses, origin, operators)
    return msgspec.structs.replace(draft, logs=logs)


def add_witness(draft: Draft, witness: TrustedWitness) -> Draft:
    """1. URL; 2. `check_witness_keys`.

    Raises `Rejected`: `bad_url`, `bad_vkey`, `wrong_name`, `reserved_name`, `receipt_key_missing`, `same_key`.
    """
    check_url(witness.url)
    check_witness_keys(witness, [entry for entry in draft.witnesses if entry.name != witness.name])
    return msgspec.structs.replace(draft, witnesses=put(draft.witnesses, witness, lambda entry: entry.name))


def remove(draft: Draft, kind: str, entry_id: str) -> Draft:
    """Take a party off the next list; `kind` is issuer, agency, log, witness or wallet-provider.

    Raises `Rejected`: `not_listed`.
    """
    field, attribute = {
        "issuer": ("issuers", "id"),
        "agency": ("agencies", "id"),
        "log": ("logs", "origin"),
        "witness": ("witnesses", "name"),
        "wallet-provider": ("wallet_providers", "id"),
    }[kind]
    entries = getattr(draft, field)
    kept = [entry for entry in entries if getattr(entry, attribute) != entry_id]
    if len(kept) == len(entries):
        raise Rejected("not_listed", f"no {kind} of this id is in the draft")
    return msgspec.structs.replace(draft, **{field: kept})


def next_list(draft: Draft, *, version: int, now: int, days: int, before: TrustList | None = None) -> TrustList:
    """The list to sign: each log without a policy of its own gets the one that its witnesses make; what `before`,
    the list signed last, had and this one has not goes to `retired` and `former`.

    Raises `Rejected`: `bad_days`, those of `default_policy`, and of `check_operators` for an operator that left.
    """
    if not 1 <= days <= MAX_LIST_DAYS:
        raise Rejected("bad_days", f"a list is in force for 1 to {MAX_LIST_DAYS} days")
    listed = {log.origin: log for log in before.logs} if before else {}
    earlier = before.witnesses if before else []
    logs = []
    for log in draft.logs:
        full = msgspec.structs.replace(log, policy=log.policy or default_policy(log, draft.witnesses, earlier))
        logs.append(with_history(full, listed.get(log.origin), now))
    for log in logs:
        check_operators(log, draft.witnesses)
    return TrustList(
        version=version,
        iat=now,
        exp=now + days * DAY,
        issuers=draft.issuers,
        agencies=draft.agencies,
        logs=logs,
        witnesses=draft.witnesses,
        wallet_providers=draft.wallet_providers,
        registration_roots=draft.registration_roots,
    )


def _check_service(agency: Agency, service: Service) -> None:
    check_service(agency.id, service)
    for text in _texts(service):
        check_text(text, "a text of the service")
    if service.law_url is not None:
        check_url(service.law_url)
    places = [(claim.vct, *claim.path) for claim in service.claims]
    if len(set(places)) != len(places):
        raise Rejected("duplicate_claim", "an attribute is registered twice")
    for claim in service.claims:
        _check_claim(claim)
    if _asks_bsn(service) and not agency.bsn_allowed:
        raise Rejected("bsn_not_allowed", "this agency has no right to the burgerservicenummer")
    if _asks_bsn(service) and not (service.bsn_law or "").strip():
        raise Rejected("bsn_law_missing", "who asks the burgerservicenummer names the law that allows it")
    if service.basis != "consent" and not (service.law or "").strip():
        raise Rejected("law_missing", "a ground other than consent names its law and article")
    if not MIN_TERM_SECONDS <= service.longest_term <= MAX_TERM_SECONDS:
        raise Rejected("bad_term", f"the longest term is {MIN_TERM_SECONDS} to {MAX_TERM_SECONDS} seconds")
    if _ZERO_DURATION.fullmatch(service.retention):
        raise Rejected("bad_retention", "a retention of nothing: name how long the data is kept at most")
    check_url(service.privacy_policy)


def _texts(service: Service) -> Iterator[str]:
    """All that residents are shown of it."""
    yield from (service.name.nl, service.name.en, service.purpose.nl, service.purpose.en)
    yield from (text for text in (service.law, service.bsn_law, service.upl) if text is not None and text.strip())
    for _, answer in service.free_consent.answers if service.free_consent else ():
        yield from (answer.nl, answer.en)


def _check_claim(claim: ServiceClaim) -> None:
    """Of a type that strangers issue (a diploma, say) nobody here knows the attributes; its path is as it is."""
    known = CREDENTIAL_TYPES.get(claim.vct)
    if known is None:
        check_text(claim.vct, "a type of credential")
        if claim.vct.startswith(_OUR_TYPES):
            raise Rejected("unknown_vct", "this type of credential is not in the vocabulary")
    elif len(claim.path) != 1 or claim.path[0] not in known.by_name:
        raise Rejected("unknown_attribute", "an attribute does not exist in its credential type")


def _asks_bsn(service: Service) -> bool:
    return any(claim.path == [BSN_ATTRIBUTE] for claim in service.claims)
