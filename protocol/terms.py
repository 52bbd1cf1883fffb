"""The terms T of a grant: what is asked and what is granted (**ours**).

Protocol sections 3, 4 and 9.

T is fixed by the wallet, hashed as H(JCS(T)), signed through every key-binding JWT and opened from the grant leaf.
Rules of change: members are never renamed or given another meaning; a new meaning is a new `type`. T is only
ever narrowed: see `narrowing`.
The code that ends a grant is in `revocation_code`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import comb
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct
from msgspec.json import Encoder

from protocol.attributes import attribute, credential_type
from protocol.canonical import (
    MAX_SAFE_INTEGER,
    b64u_decode,
    b64u_encode,
    canonical_bytes,
    convert,
    hmac_sha256,
    parse_struct,
    sha256,
    to_builtins,
)
from protocol.errors import Rejected

CONSENT_TYPE = "urn:regie:consent:1"
MAX_CLAIMS = 64
"""Claims of one grant: more than all attributes of all our credential types together."""
MAX_TIME = 253_402_300_799
"""9999-12-31T23:59:59Z in POSIX seconds: the last second that a calendar of the standard library can show."""
MAX_READS = 1_000_000
"""Reads of one grant that a resident can be asked for."""
MAX_ELEMENT_BYTES = 16 * 1024
"""Bytes of a consent element: `MAX_CLAIMS` claims, a KEM key of 1,216 bytes and a ticket fit."""
MAX_URL_CHARS = 512
MAX_OPERATORS = 5
"""Operators of one log: with more of them the pieces of a share would be many (n over k - 1)."""
MAX_PIECES = 10
"""Pieces of a share at `MAX_OPERATORS`: 3 of 5 and 4 of 5 have most."""
BSN_ATTRIBUTE = "burgerservicenummer"
_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_sorted_json = Encoder(order="sorted")

# Text of exactly n bytes in base64url, spare bits zero: the form is in the type, `b64u_decode` cannot fail on it.
B64u16: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{21}[AQgw]\Z")]
B64u24: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{32}\Z")]
B64u32: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")]
B64uKem: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1621}[AQgw]\Z")]
Time: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_TIME)]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Oin: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9]{20}\Z")]
Origin: TypeAlias = Annotated[str, Meta(pattern=r"\A[!-*,-~]{1,128}\Z")]  # a note's key name: no space, no plus
Name: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,128}\Z")]
QueryId: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
Url: TypeAlias = Annotated[str, Meta(pattern=r"\Ahttps?://[!-~]+\Z", max_length=MAX_URL_CHARS)]
Path: TypeAlias = Annotated[list[str], Meta(min_length=1, max_length=1)]
Duration: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\AP(?=[0-9T])([0-9]{1,4}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,5}D)?"
        r"(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,4}M)?([0-9]{1,5}S)?)?\Z"
    ),
]
Mode: TypeAlias = Literal["view", "store"]
Zone: TypeAlias = Literal["office", "remote"]
Basis: TypeAlias = Literal["consent", "legal_obligation", "public_task"]


class Form(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What crosses a wire here: immutable, no unknown members, absent members absent."""


class Claim(Form, frozen=True):
    """One granted attribute: `digest` as in the issuer-signed JWT, `share` by `presentation.share_digest`."""

    credential: QueryId
    vct: Name
    path: Path
    digest: B64u32
    size: Literal[256, 1024, 4096]
    share: B64u32


class Context(Form, frozen=True):
    """When and where reads are admitted: ISO weekdays, hours [from, to) in Europe/Amsterdam, the agency's zone."""

    days: Annotated[list[Annotated[int, Meta(ge=1, le=7)]], Meta(min_length=1, max_length=7)] | None = None
    hours: Annotated[list[Annotated[int, Meta(ge=0, le=24)]], Meta(min_length=2, max_length=2)] | None = None
    zone: Zone | None = None


class Operators(Form, frozen=True):
    """Who holds the shares of a grant instead of the log: any `needed` of `members` (names of the trust list).

    `pieces`: H(`regie/piece/v1` || piece) of each, in the order of `operators.subsets`.
    """

    needed: Annotated[int, Meta(ge=1, le=MAX_OPERATORS)]
    members: Annotated[list[Origin], Meta(min_length=1, max_length=MAX_OPERATORS)]
    pieces: Annotated[list[B64u32], Meta(min_length=1, max_length=MAX_PIECES)]


class Terms(Form, frozen=True):
    """T of protocol section 4. Parse with `parse_terms`; hash with `terms_hash`."""

    type: Literal["urn:regie:terms:1"]
    log: Origin
    lock: B64u32
    tag_key: B64u32
    recipient: Oin
    service: Name
    service_version: Number
    basis: Basis
    claims: Annotated[list[Claim], Meta(min_length=1, max_length=MAX_CLAIMS)]
    not_before: Time
    not_after: Time
    retention: Duration
    mode: Mode
    request_hash: B64u32
    version: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    max_reads: Annotated[int, Meta(ge=1, le=MAX_READS)] | None = None
    case: B64u32 | None = None
    context: Context | None = None
    on_behalf_of: B64u32 | None = None
    operators: Operators | None = None


class ElementClaim(Form, frozen=True):
    """One attribute that is asked for; the resident may leave out what is not `needed`."""

    credential: QueryId
    path: Path
    needed: bool


class LogReference(Form, frozen=True):
    """The consent log that will guard the grant."""

    origin: Origin
    url: Url


class ConsentElement(Form, frozen=True):
    """The one `transaction_data` element of a request for standing access (protocol section 3)."""

    type: Literal["urn:regie:consent:1"]
    credential_ids: Annotated[list[QueryId], Meta(min_length=1, max_length=1)]
    claims: Annotated[list[ElementClaim], Meta(min_length=1, max_length=MAX_CLAIMS)]
    recipient: Oin
    service: Name
    service_version: Number
    max_not_after: Time
    retention: Duration
    mode: Mode
    log: LogReference
    kem_key: B64uKem
    inbox: Url
    ticket: Annotated[str, Meta(max_length=8192)]
    max_reads: Annotated[int, Meta(ge=1, le=MAX_READS)] | None = None
    case: B64u32 | None = None
    context: Context | None = None


class Place(NamedTuple):
    """Where an attribute stands: DCQL credential id, credential type, attribute name."""

    credential: str
    vct: str
    name: str


def _check_context(context: Context | None) -> None:
    if context is None:
        return
    if context == Context():
        raise Rejected("bad_terms", "context is empty")
    if context.days is not None and context.days != sorted(set(context.days)):
        raise Rejected("bad_terms", "days are not ascending")
    if context.hours is not None and context.hours[0] >= context.hours[1]:
        raise Rejected("bad_terms", "hours do not ascend")


def parse_terms(value: Any) -> Terms:
    """Form, limits and the rules that need nobody else, in this order:

    1. members and their forms; written back it is the same object, so that no second text has the same hash;
    2. dates and context ascend; 3. no digest and no attribute twice; one credential id is one credential type;
    4. attributes and sizes as in the vocabulary; 5. a touched credential brings its register flags; 6. operators
    differ, so do pieces, and there is one piece for each set of operators that are one too few.
    Does **not** compare with a request or a registration. Raises `Rejected`: `bad_terms`, `flags_missing`.
    """
    try:  # 1.
        terms = convert(value, Terms)
    except Rejected as error:
        raise Rejected("bad_terms", error.detail) from error
    if to_builtins(terms) != value:
        raise Rejected("bad_terms", "an absent member is spelled out")
    check_terms(terms)
    return terms


def check_terms(terms: Terms) -> None:
    """Steps 2 to 6 of `parse_terms`, for terms that came inside another parsed Struct."""
    if terms.not_before >= terms.not_after:  # 2.
        raise Rejected("bad_terms", "not_before is not before not_after")
    _check_context(terms.context)
    places = places_of(terms)  # 3.
    if len(set(places)) != len(places) or len({claim.digest for claim in terms.claims}) != len(places):
        raise Rejected("bad_terms", "an attribute or digest is named twice")
    if len({place.credential for place in places}) != len({(place.credential, place.vct) for place in places}):
        raise Rejected("bad_terms", "a credential id has two types")
    for claim in terms.claims:  # 4.
        if _size_of(claim.vct, claim.path[0]) != claim.size:
            raise Rejected("bad_terms", "size is not the attribute's padded size")
    if set(with_flags(places)) != set(places):  # 5.
        raise Rejected("flags_missing", "a credential is touched without its register flags")
    _check_operators(terms.operators)  # 6.


def _check_operators(operators: Operators | None) -> None:
    if operators is None:
        return
    count = len(operators.members)
    if len(set(operators.members)) != count or len(set(operators.pieces)) != len(operators.pieces):
        raise Rejected("bad_terms", "an operator or a piece is named twice")
    if operators.needed > count or len(operators.pieces) != comb(count, operators.needed - 1):
        raise Rejected("bad_terms", "not one piece for each set of operators that are one too few")


def _size_of(vct: str, name: str) -> int:
    try:
        return attribute(vct, name).size
    except Rejected as error:
        raise Rejected("bad_terms", "not an attribute of the vocabulary") from error


def parse_element(encoded: str) -> ConsentElement:
    """A `transaction_data` entry (base64url JSON). Raises `Rejected`: `invalid_transaction_data`."""
    try:
        element = parse_struct(b64u_decode(encoded, max_bytes=MAX_ELEMENT_BYTES), ConsentElement)
        _check_context(element.context)
    except Rejected as error:
        raise Rejected("invalid_transaction_data", error.detail) from error
    asked = {claim.credential for claim in element.claims}
    if len({(claim.credential, *claim.path) for claim in element.claims}) != len(element.claims):
        raise Rejected("invalid_transaction_data", "an attribute is asked twice")
    if element.credential_ids[0] not in asked:
        raise Rejected("invalid_transaction_data", "the signing credential is not asked for")
    return element


def terms_bytes(terms: Terms) -> bytes:
    """JCS(T): what is hashed, signed and opened from the grant leaf.

    T holds whole numbers and, once checked, plain ASCII: for those RFC 8785 is compact JSON with sorted members,
    which msgspec writes twenty times as fast. Anything else takes the long way.
    """
    data = _sorted_json.encode(terms)
    return data if data.isascii() and b"\\" not in data else canonical_bytes(terms)


def terms_hash(terms: Terms) -> bytes:
    """H(JCS(T)): 32 bytes."""
    return sha256(terms_bytes(terms))


def salted_hash(salt: bytes, text: str) -> str:
    """`case` and `officer`: b64u(HMAC(salt32, text)), so that the log learns no case number and no name."""
    return b64u_encode(hmac_sha256(salt, text.encode("utf-8")))


def places_of(terms: Terms) -> list[Place]:
    """Where each claim of T stands, in T's order."""
    return [Place(claim.credential, claim.vct, claim.path[0]) for claim in terms.claims]


def with_flags(places: Iterable[Place]) -> list[Place]:
    """`places` and, for each credential that they touch, its missing register flags: what T and READ must name.

    `geheimhouding` decides what an agency may do with all the rest, so no attribute travels without it.
    Raises `Rejected`: `unknown_vct`.
    """
    result = list(dict.fromkeys(places))
    for credential, vct in dict.fromkeys((place.credential, place.vct) for place in result):
        flags = (Place(credential, vct, flag) for flag in credential_type(vct).flags)
        result.extend(flag for flag in flags if flag not in result)
    return result


def with_flag_digests(terms: Terms, digests: Sequence[str]) -> list[str]:
    """Digests for a READ: `digests` (of T) and those of the register flags of every credential they touch.

    Raises `ValueError` if a digest is not in T: asking it would be refused.
    """
    by_digest = {claim.digest: place for claim, place in zip(terms.claims, places_of(terms), strict=True)}
    by_place = {place: digest for digest, place in by_digest.items()}
    if unknown := set(digests) - set(by_digest):
        raise ValueError(f"{len(unknown)} digests are not in the terms")
    return [by_place[place] for place in with_flags(by_digest[digest] for digest in digests)]


def in_context(context: Context | None, now: int, zone: Zone) -> bool:
    """Whether a read from `zone` at `now` is admitted; days and hours are those of Europe/Amsterdam."""
    if context is None:
        return True
    local = datetime.fromtimestamp(now, _AMSTERDAM)
    first, last = context.hours or (0, 24)
    is_day = context.days is None or local.isoweekday() in context.days
    return is_day and first <= local.hour < last and context.zone in (None, zone)
