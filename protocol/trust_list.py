"""The trust list (protocol section 5, ours): one signed file that says who may issue, ask, log and witness.

`regie-trust-list+jwt` by the registrar. Rules of change: `version` only rises; a version of a service never
changes once listed (a new text is a new version); an id stands for one party. Everything else may come and go.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Literal, TypeVar

import msgspec

from protocol import x509
from protocol.canonical import convert, parse_json, parse_struct, to_builtins
from protocol.errors import Rejected
from protocol.jws import MAX_JWS_BYTES, parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public
from protocol.service_law import MAX_CONDITIONS, Answers, Condition, FreeConsent, SelectionNumber, check_question

TRUST_LIST_TYP = "regie-trust-list+jwt"
MAX_TRUST_LIST_BYTES = 4 * 1024 * 1024
"""About 900 agencies with three services of nine attributes; a larger country publishes one list a sector."""
MAX_CLOCK_SKEW = 60
"""Seconds that a peer's clock may run ahead of ours."""
MAX_ROOTS = 8
MAX_RETIRED_KEYS = 64
MAX_FORMER_POLICIES = 32
"""Of one log: a change of witnesses or keys a quarter for eight years."""
_DURATION = (
    r"^P(?=[0-9T])([0-9]{1,4}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,5}D)?"
    r"(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,4}M)?([0-9]{1,5}S)?)?\Z"
)

K = TypeVar("K", bound=Hashable)
E = TypeVar("E")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
ServiceId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}\Z")]
"""Terms name a service by it, so its form is theirs."""
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Url = Annotated[str, msgspec.Meta(max_length=512, pattern=r"^https?://[!-~]+\Z")]
Oin = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{20}\Z")]
"""Organisatie-identificatienummer: 20 digits."""
Root = Annotated[str, msgspec.Meta(min_length=4, max_length=8192)]
"""A root certificate: DER in standard base64."""
VerifierKey = Annotated[str, msgspec.Meta(min_length=1, max_length=2560)]
"""A C2SP vkey: name, key id and public key; one of ML-DSA-44 takes 1752 characters for its key alone."""
DepositKey = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
"""An HPKE public key, base64url."""
Version = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, dict=True):
    """`dict=True` lets the look-ups below be built once for each list."""


class Words(_Entry, frozen=True):
    """One text for the resident in both languages."""

    nl: Text
    en: Text


class ServiceClaim(_Entry, frozen=True):
    """An attribute that a service version may ask; `path` is concrete (SD-JWT VC: one name)."""

    vct: Name
    path: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=8)]
    needed: bool


class Service(_Entry, frozen=True):
    """One immutable version of what an agency does with data.

    `longest_term` in seconds; `retention` is an ISO 8601 duration; `law` the article behind a basis other than
    consent, `law_url` its text; `upl` the uniform product name; `selectielijst` the result of the VNG retention
    list that `retention` follows; `free_consent` the test of a ground of consent; `bsn_law` the law that lets it
    ask the burgerservicenummer (Wabb 10, or a sector's law): without it, it may not. `answers` other than values:
    the agency counts for `asked_by` (an OIN), who hears whether all conditions of `question` hold, and no more.
    """

    id: ServiceId
    version: Version
    name: Words
    purpose: Words
    basis: Literal["consent", "legal_obligation", "public_task"]
    claims: Annotated[list[ServiceClaim], msgspec.Meta(min_length=1, max_length=64)]
    longest_term: Annotated[int, msgspec.Meta(ge=1, le=2**32)]
    retention: Annotated[str, msgspec.Meta(max_length=64, pattern=_DURATION)]
    mode: Literal["view", "store"]
    privacy_policy: Url
    law: Text | None = None
    law_url: Url | None = None
    upl: Name | None = None
    selectielijst: SelectionNumber | None = None
    free_consent: FreeConsent | None = None
    bsn_law: Text | None = None
    answers: Answers = "values"
    question: Annotated[list[Condition], msgspec.Meta(max_length=MAX_CONDITIONS)] = []
    asked_by: Oin | None = None


class Rooted(_Entry, frozen=True):
    """A party that is recognised by certificates under its own roots."""

    name: Name
    roots: Annotated[list[Root], msgspec.Meta(min_length=1, max_length=MAX_ROOTS)]

    @cached_property
    def root_certificates(self) -> tuple[bytes, ...]:
        """The roots as DER. Raises `Rejected`: `bad_certificate` (not for a list that was verified)."""
        return tuple(x509.parse_der_base64(root) for root in self.roots)


class TrustedIssuer(Rooted, frozen=True):
    """`id` is the `iss` URL of its credentials; `vcts` are the types it may issue, whatever it signs."""

    id: Url
    vcts: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=256)]


class Agency(Rooted, frozen=True):
    """`id` is its OIN; `bsn_allowed`: the law lets it use the BSN; `erasure_contact` is shown to residents."""

    id: Oin
    bsn_allowed: bool
    erasure_contact: Name
    services: list[Service] = []


class WalletProvider(Rooted, frozen=True):
    """Who attests wallets to issuers as OAuth clients (HAIP 4.4.1); `id` is the `iss` of what it signs."""

    id: Url


class RetiredKey(_Entry, frozen=True):
    """A note key that is no longer used: it counts for what a quorum cosigned until then, POSIX seconds."""

    vkey: VerifierKey
    until: Seconds


class FormerPolicy(_Entry, frozen=True):
    """A policy of a log that was in force until then: for what a quorum of that time cosigned."""

    policy: Annotated[str, msgspec.Meta(min_length=1, max_length=65536)]
    until: Seconds


class LogOperators(_Entry, frozen=True):
    """Who holds the shares of a log's grants instead of the log: `needed` of the operators in `members`."""

    needed: Annotated[int, msgspec.Meta(ge=1, le=5)]
    members: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=5)]


class TrustedLog(_Entry, frozen=True):
    """A consent log: note keys, its HPKE deposit key (base64url) and the tlog-policy text to pin.

    `pq_vkey`: ML-DSA-44, signs every checkpoint too. `also`: count as `vkey` and `pq_vkey` do while a rotation is
    under way; `retired` and `former` (latest first): for looking back. `status_roots`: who signs its Token Status
    Lists. `until`: from then on it takes no new grants (POSIX seconds); `operators`: hold the shares of its
    grants, by name of the witness list.
    """

    origin: Name
    url: Url
    vkey: VerifierKey
    receipt_vkey: VerifierKey
    deposit_key: DepositKey
    policy: Annotated[str, msgspec.Meta(max_length=65536)] = ""
    pq_vkey: VerifierKey | None = None
    also: Annotated[list[VerifierKey], msgspec.Meta(max_length=4)] = []
    retired: Annotated[list[RetiredKey], msgspec.Meta(max_length=MAX_RETIRED_KEYS)] = []
    former: Annotated[list[FormerPolicy], msgspec.Meta(max_length=MAX_FORMER_POLICIES)] = []
    status_roots: Annotated[list[Root], msgspec.Meta(max_length=MAX_ROOTS)] = []
    until: Seconds | None = None
    operators: LogOperators | None = None

    def takes_grants(self, now: int) -> bool:
        """Whether new grants may be made in it; refreshes, reads and revocations go on for ever."""
        return self.until is None or now < self.until


class TrustedWitness(_Entry, frozen=True):
    """A cosigner; an `auditing` one replays all leaves first and keeps revocations (`receipt_vkey`).

    `deposit_key`: it also holds shares, as one of a log's operators. `also`: its keys while a rotation is under
    way, each a cosigner's; all of them count once.
    """

    name: Name
    url: Url
    vkey: VerifierKey
    auditing: bool
    receipt_vkey: VerifierKey | None = None
    deposit_key: DepositKey | None = None
    also: Annotated[list[VerifierKey], msgspec.Meta(max_length=4)] = []


class TrustList(_Entry, frozen=True):
    """All parties. `version` only rises; `iat` and `exp` in POSIX seconds.

    `registration_roots`: who may sign registration certificates (`rc-wrp+jwt`, ETSI TS 119 472-2) of askers.
    """

    version: Version
    iat: Seconds
    exp: Seconds
    issuers: list[TrustedIssuer] = []
    agencies: list[Agency] = []
    logs: list[TrustedLog] = []
    witnesses: list[TrustedWitness] = []
    wallet_providers: list[WalletProvider] = []
    registration_roots: Annotated[list[Root], msgspec.Meta(max_length=MAX_ROOTS)] = []

    def issuer(self, issuer_id: str) -> TrustedIssuer:
        """The issuer whose `iss` this is. Raises `Rejected`: `not_listed`."""
        return _listed(self._issuers, issuer_id, "issuer")

    def agency(self, agency_id: str) -> Agency:
        """The agency with this OIN. Raises `Rejected`: `not_listed`."""
        return _listed(self._agencies, agency_id, "agency")

    def service(self, agency_id: str, service_id: str, version: int) -> Service:
        """One version of one service of an agency. Raises `Rejected`: `not_listed`."""
        return _listed(self._services, (agency_id, service_id, version), "service version")

    def wallet_provider(self, provider_id: str) -> WalletProvider:
        """The wallet provider whose `iss` this is. Raises `Rejected`: `not_listed`."""
        return _listed(self._wallet_providers, provider_id, "wallet provider")

    def log(self, origin: str) -> TrustedLog:
        """The log with this checkpoint origin. Raises `Rejected`: `not_listed`."""
        return _listed(self._logs, origin, "log")

    def witness(self, name: str) -> TrustedWitness:
        """The witness or auditing cosigner of this key name. Raises `Rejected`: `not_listed`."""
        return _listed(self._witnesses, name, "witness")

    @cached_property
    def _issuers(self) -> Mapping[str, TrustedIssuer]:
        return {issuer.id: issuer for issuer in self.issuers}

    @cached_property
    def _agencies(self) -> Mapping[str, Agency]:
        return {agency.id: agency for agency in self.agencies}

    @cached_property
    def _services(self) -> Mapping[tuple[str, str, int], Service]:
        return {(agency.id, s.id, s.version): s for agency in self.agencies for s in agency.services}

    @cached_property
    def _wallet_providers(self) -> Mapping[str, WalletProvider]:
        return {provider.id: provider for provider in self.wallet_providers}

    @cached_property
    def _logs(self) -> Mapping[str, TrustedLog]:
        return {log.origin: log for log in self.logs}

    @cached_property
    def _witnesses(self) -> Mapping[str, TrustedWitness]:
        return {witness.name: witness for witness in self.witnesses}

    @cached_property
    def agencies_by_root_name(self) -> Mapping[bytes, Sequence[Agency]]:
        """Agencies under the subject name (DER) of each of their roots, so that a chain finds its candidates."""
        found: dict[bytes, list[Agency]] = {}
        for agency in self.agencies:
            for subject in {x509.subject_name(der) for der in agency.root_certificates}:
                found.setdefault(subject, []).append(agency)
        return found


def _listed(entries: Mapping[K, E], key: K, what: str) -> E:
    entry = entries.get(key)
    if entry is None:
        raise Rejected("not_listed", f"the trust list has no such {what}", status=403)
    return entry


def _check_unique(what: str, keys: Iterable[Hashable]) -> None:
    seen = list(keys)
    if len(set(seen)) != len(seen):
        raise Rejected("duplicate_entry", f"the trust list names a {what} twice")


def check_service(agency_id: str, service: Service) -> None:
    """What the members of a service version say of each other; `agency_id`: the OIN that it is listed under.

    Raises `Rejected`: `bad_service`, `bad_question`.
    """
    if service.law_url is not None and service.law is None:
        raise Rejected("bad_service", "a link to a law without the article that it shows")
    if service.free_consent is not None and service.basis != "consent":
        raise Rejected("bad_service", "the test of free consent where consent is not the ground")
    check_question(
        service.answers,
        service.question,
        service.asked_by,
        agency=agency_id,
        mode=service.mode,
        claims=[(claim.vct, *claim.path) for claim in service.claims],
    )


def may_use_bsn(agency: Agency, service: Service) -> bool:
    """Whether the law lets this agency use the burgerservicenummer, and this service says which law."""
    return agency.bsn_allowed and service.bsn_law is not None


def _check_rules(trust: TrustList) -> None:
    """What the form alone does not say: ids are unique, certificates readable, service versions named once."""
    _check_unique("issuer", (issuer.id for issuer in trust.issuers))
    _check_unique("agency", (agency.id for agency in trust.agencies))
    _check_unique("log", (log.origin for log in trust.logs))
    _check_unique("witness", (witness.name for witness in trust.witnesses))
    _check_unique("wallet provider", (provider.id for provider in trust.wallet_providers))
    for agency in trust.agencies:
        _check_unique("service version", ((service.id, service.version) for service in agency.services))
        for service in agency.services:
            _check_unique("claim", ((claim.vct, *claim.path) for claim in service.claims))
            check_service(agency.id, service)
    for party in (*trust.issuers, *trust.agencies, *trust.wallet_providers):
        for der in party.root_certificates:
            x509.subject_name(der)
    for root in trust.registration_roots:
        x509.subject_name(x509.parse_der_base64(root))


def sign_trust_list(trust: TrustList, key: Es256Private) -> str:
    """The compact JWS by the registrar. Raises `Rejected` for a list that no reader would accept."""
    _check_rules(convert(to_builtins(trust), TrustList))
    token = sign_jws(trust, key, typ=TRUST_LIST_TYP, header={"kid": key.public.thumbprint()})
    parse_json(parse_jws(token, typ=TRUST_LIST_TYP, max_bytes=MAX_TRUST_LIST_BYTES).payload, max_bytes=len(token))
    return token


def verify_trust_list(token: str, registrar: Es256Public, now: int, minimum_version: int = 0) -> TrustList:
    """The list that the pinned `registrar` key signed and that is in force at `now`.

    1. size and form; 2. signature; 3. members, bounds and unknown names; 4. `version` not below the last one seen
    (rollback); 5. `iat` not ahead, `exp` not passed; 6. ids unique, certificates readable.
    The caller MUST keep the highest version it has seen, and compare a new list with `check_successor`.
    Raises `Rejected`: `trust_list_rollback`, `expired_trust_list`, `duplicate_entry`, `bad_signature`, of parsing.
    """
    jws = parse_jws(token, typ=TRUST_LIST_TYP, max_bytes=MAX_TRUST_LIST_BYTES)  # 1
    payload = verify_jws(jws, registrar)  # 2
    trust = parse_struct(payload, TrustList, max_bytes=MAX_TRUST_LIST_BYTES)  # 3
    if trust.version < minimum_version:  # 4
        raise Rejected("trust_list_rollback", "an older trust list than the one already seen")
    if trust.iat > now + MAX_CLOCK_SKEW or trust.exp <= now:  # 5
        raise Rejected("expired_trust_list", "the trust list is not in force")
    _check_rules(trust)  # 6
    return trust


def check_successor(old: TrustList, new: TrustList) -> None:
    """Rules of change between two verified lists of one registrar; equal versions must be equal lists.

    Raises `Rejected`: `trust_list_rollback`, `trust_list_fork`, `service_changed`.
    """
    if new.version < old.version:
        raise Rejected("trust_list_rollback", "an older trust list than the one already seen")
    if new.version == old.version and new != old:
        raise Rejected("trust_list_fork", "two different trust lists carry one version")
    for key, service in new._services.items():
        if old._services.get(key, service) != service:
            raise Rejected("service_changed", "a listed version of a service was changed")


def agency_of_leaf(trust: TrustList, chain: Sequence[bytes], now: int) -> Agency:
    """The one agency whose roots this chain (DER, leaf first) leads to at `now`.

    Raises `Rejected`: `not_listed`, `ambiguous_agency` and those of `x509.verify_chain`.
    """
    if not chain:
        raise Rejected("bad_chain", "no certificate was sent")
    candidates = trust.agencies_by_root_name.get(x509.issuer_name(chain[-1]), ())
    found: list[Agency] = []
    refusal = Rejected("not_listed", "the certificate belongs to no listed agency", status=403)
    for agency in candidates:
        try:
            x509.verify_chain(chain, agency.root_certificates, now)
        except Rejected as error:
            refusal = error
        else:
            found.append(agency)
    if len(found) > 1:
        raise Rejected("ambiguous_agency", "two listed agencies share the root of this certificate", status=403)
    if not found:
        raise refusal
    return found[0]


def verify_agency_jws(token: str, *, typ: str, agency: Agency, now: int, max_bytes: int = MAX_JWS_BYTES) -> bytes:
    """The payload of a READ, ticket or message that a leaf of `agency` signed; `max_bytes`: of the whole token.

    1. form, `alg`, `typ`; 2. `x5c` leads to a root listed for the agency at `now`, so keys rotate without ending
    grants (section 5); 3. signature by the leaf. **Not** checked: anything inside the payload.
    Raises `Rejected`: those of `parse_jws`, `parse_x5c`, `verify_chain`, `bad_signature`.
    """
    jws = parse_jws(token, typ=typ, max_bytes=max_bytes)  # 1
    chain = x509.parse_x5c(jws.header.get("x5c"))
    leaf = x509.verify_chain(chain, agency.root_certificates, now)  # 2
    return verify_jws(jws, leaf.key)  # 3
