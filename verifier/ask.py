"""What an agency asks: a request built from one registered service version, never from free input (pure).

Standing access names credentials without claims and puts the claims into the consent element (protocol section 3);
a copy asks the same claims, or less, by DCQL (`query.py`). What a resident reads about it stands in the trust
list, not in the request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from protocol.attributes import credential_type
from protocol.canonical import b64u_encode, canonical_bytes, convert
from protocol.case_reference import parse_case_reference
from protocol.consent import Asked
from protocol.dcql import FORMAT, Query, parse_query
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.narrowing import check_element
from protocol.reading import Ticket, sign_ticket
from protocol.request_object import PLAIN_MODE, request_payload
from protocol.seal import KemPrivate
from protocol.terms import (
    CONSENT_TYPE,
    ConsentElement,
    Context,
    ElementClaim,
    LogReference,
    Place,
    parse_element,
    salted_hash,
    with_flags,
)
from protocol.trust_list import Agency, Service, TrustedLog
from verifier.query import query_of, within
from verifier.transaction import make_items

REQUEST_SECONDS = 3000
"""A link lives 50 minutes, below the hour of the ticket in it: consent must not be hurried (WCAG 2.2.1)."""
DAY = 86_400
Kind: TypeAlias = Literal["standing", "copy"]


@dataclass(frozen=True)
class Wish:
    """What the desk adds to a service. `case` is the agency's own number; `days` and `max_reads` only narrow.

    Of a copy (`once`): `query` asks less than the service registers, or lets the wallet choose; `transactions` are
    to be signed besides. `same_device`: the wallet must come back to the browser that began the request.
    """

    once: bool = False
    case: str | None = None
    max_reads: int | None = None
    days: int | None = None
    context: Context | None = None
    query: Query | None = None
    transactions: Sequence[Mapping[str, Any]] = ()
    same_device: bool = False


@dataclass(frozen=True)
class Request:
    """One request as the agency keeps it. Its two keys and the salt are secrets of the home.

    `payload` has all members of the request object but `wallet_nonce`; `kem` and `case_salt` only standing access.
    """

    id: str
    kind: Kind
    service: str
    service_version: int
    payload: Mapping[str, Any]
    answer_key: Es256Private | None
    kem: KemPrivate | None
    case_salt: bytes | None
    created: int

    @property
    def exp(self) -> int:
        """When the link ends."""
        return int(self.payload["exp"])

    @property
    def nonce(self) -> str:
        """What the holder's signature must name."""
        return str(self.payload["nonce"])

    @property
    def state(self) -> str:
        """What the answer must bring back."""
        return str(self.payload["state"])

    @property
    def client_id(self) -> str:
        """The full client identifier: the audience of every KB-JWT."""
        return str(self.payload["client_id"])

    @property
    def query(self) -> Query:
        """The DCQL query."""
        return parse_query(self.payload["dcql_query"])

    @property
    def is_plain(self) -> bool:
        """Whether the answer comes without encryption, as this home was configured when it asked."""
        return bool(self.payload["response_mode"] == PLAIN_MODE)

    @property
    def transactions(self) -> Sequence[str]:
        """The elements of `transaction_data`, as they were sent."""
        return tuple(self.payload.get("transaction_data", ()))

    def asked(self, service: Service, request_hash: bytes) -> Asked:
        """What the rules of standing access compare an answer with. Raises `ValueError` for a copy."""
        (item,) = self.payload["transaction_data"]
        return Asked(
            element=parse_element(item),
            transaction_data=item,
            request_hash=request_hash,
            audience=self.client_id,
            nonce=self.nonce,
            vcts={query.id: query.meta.vct_values[0] for query in self.query.credentials},
            service=service,
        )


@dataclass(frozen=True)
class CopyMode:
    """How this home asks for copies, so that also wallets can answer that are not HAIP's (config.json)."""

    client_id: str
    plain: bool = False
    transaction_types: Sequence[str] = ()


@dataclass(frozen=True)
class Office:
    """Who asks: the agency as listed, its address, its certificate chain and key, its consent log.

    `registrations`: its registration certificates for the service, for wallets that do not know the trust list.
    """

    agency: Agency
    url: str
    client_id: str
    key: Es256Private
    x5c: Sequence[str]
    log: TrustedLog
    copies: CopyMode
    registrations: Sequence[str] = ()


def make_request(
    office: Office, service: Service, wish: Wish, *, now: int, random: Callable[[int], bytes]
) -> Request:
    """A request with fresh id, nonce, state and keys (HAIP 5.5: the key of the answer belongs to one request).

    Raises `Rejected`: `over_asking` 403, `bad_wish`, `answers_only` 403.
    """
    _check_wish(wish)
    _check_answers(service, wish)
    request_id = random(16).hex()  # an operand of commands: base64url may begin with a hyphen
    answer_key = Es256Private.from_secret(random(48))
    kem, case_salt = None, None
    if wish.once:
        query = within(wish.query or query_of(service), service, bsn_allowed=office.agency.bsn_allowed)
        items = make_items(wish.transactions, query, office.copies.transaction_types)
    else:
        places = _places(service)
        query = _query(places)
        kem = KemPrivate(random(96))
        case_salt = random(32) if wish.case is not None else None
        element = _element(office, service, wish, places, request_id, kem, case_salt, now=now, random=random)
        check_element(element, {place.credential: place.vct for place in places}, office.agency, service)
        items = [b64u_encode(canonical_bytes(element))]
    payload = request_payload(
        client_id=office.copies.client_id if wish.once else office.client_id,
        response_uri=f"{office.url}/responses/{request_id}",
        nonce=b64u_encode(random(32)),
        state=b64u_encode(random(16)),
        query=query,
        encryption_key=None if wish.once and office.copies.plain else answer_key.public,
        iat=now,
        exp=now + REQUEST_SECONDS,
        transaction_data=items,
        registrations=office.registrations,
    )
    kind: Kind = "copy" if wish.once else "standing"
    return Request(request_id, kind, service.id, service.version, payload, answer_key, kem, case_salt, created=now)


def _check_wish(wish: Wish) -> None:
    if wish.case is not None:
        _check_case(wish.case)
    if (wish.max_reads is not None and wish.max_reads < 1) or (wish.days is not None and wish.days < 1):
        raise Rejected("bad_wish", "days and reads are at least 1")
    if wish.once and (wish.max_reads, wish.days, wish.context) != (None, None, None):
        raise Rejected("bad_wish", "a copy has no term, no number of reads and no context: nothing can hold it")
    if not wish.once and (wish.query is not None or wish.transactions):
        raise Rejected("bad_wish", "standing access has neither a query nor transactions of your own")


def _check_answers(service: Service, wish: Wish) -> None:
    """A service that answers a question gets no copy, which would be values; its READs are for a question."""
    if service.answers == "values":
        return
    if wish.once:
        raise Rejected(
            "answers_only", "this service answers a question: nothing is shared with it once", status=403
        )
    if wish.case is not None:
        raise Rejected("bad_wish", "this service reads for questions, so it asks for no single case")


def _check_case(case: str) -> None:
    """Written otherwise it would be another case, and nothing could be read for it."""
    try:
        is_plain = parse_case_reference(case).text == case
    except Rejected as error:
        raise Rejected("bad_wish", error.detail) from error
    if not is_plain:
        raise Rejected("bad_wish", "a case is written in its one way (protocol/case_reference.py)")


def _places(service: Service) -> list[Place]:
    """All registered attributes and the flags of their credentials; one DCQL id for each type. `unknown_vct`."""
    places = [Place(credential_type(c.vct).configuration_id, c.vct, c.path[0]) for c in service.claims]
    return with_flags(places)


def _query(places: Sequence[Place]) -> Query:
    """One credential query for each type, in order of appearance, without claims: nothing opens by the query."""
    types = {place.credential: place.vct for place in places}
    asked = [{"id": name, "format": FORMAT, "meta": {"vct_values": [vct]}} for name, vct in types.items()]
    return parse_query({"credentials": asked})


def _element(
    office: Office,
    service: Service,
    wish: Wish,
    places: Sequence[Place],
    request_id: str,
    kem: KemPrivate,
    case_salt: bytes | None,
    *,
    now: int,
    random: Callable[[int], bytes],
) -> ConsentElement:
    """The consent element; it is signed by a credential that the resident cannot leave out, if there is one."""
    needed = _needed(service, places)
    claims = [ElementClaim(place.credential, [place.name], place in needed) for place in places]
    signing = next((place for place in places if place in needed), places[0])
    term = service.longest_term if wish.days is None else min(wish.days * DAY, service.longest_term)
    case = None if wish.case is None or case_salt is None else salted_hash(case_salt, wish.case)
    element = {
        "type": CONSENT_TYPE,
        "credential_ids": [signing.credential],
        "claims": claims,
        "recipient": office.agency.id,
        "service": service.id,
        "service_version": service.version,
        "max_not_after": now + term,
        "retention": service.retention,
        "mode": service.mode,
        "log": LogReference(office.log.origin, office.log.url),
        "kem_key": b64u_encode(kem.public_bytes()),
        "inbox": f"{office.url}/v1/inbox/{request_id}",
        "ticket": _ticket(office, service, now=now, random=random),
        "max_reads": wish.max_reads,
        "case": case,
        "context": wish.context,
    }
    return convert({name: value for name, value in element.items() if value is not None}, ConsentElement)


def _needed(service: Service, places: Sequence[Place]) -> set[Place]:
    """As registered; but a flag is needed only where an attribute of its credential is, whatever the registration
    says: else a resident could not leave out a credential of which nothing is needed.
    """
    registered = {(claim.vct, claim.path[0]) for claim in service.claims if claim.needed}
    flags = {place for place in places if place.name in credential_type(place.vct).flags}
    needed = {place for place in places if place not in flags and (place.vct, place.name) in registered}
    return needed | {flag for flag in flags if any(place.vct == flag.vct for place in needed)}


def _ticket(office: Office, service: Service, *, now: int, random: Callable[[int], bytes]) -> str:
    """Leave to make one grant in the log, for as long as the request lives."""
    ticket = Ticket(
        iss=office.agency.id,
        aud=office.log.origin,
        jti=b64u_encode(random(16)),
        exp=now + REQUEST_SECONDS,
        service=service.id,
        service_version=service.version,
    )
    return sign_ticket(ticket, office.key, office.x5c)
