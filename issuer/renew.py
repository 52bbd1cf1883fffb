"""Who may come back for more, and with which refresh token (RFC 6749 section 6, RFC 9700 section 4.14). Pure.

A renewal lives as long as its credentials can. Each refresh opens a new issuance under it: fresh copies, or,
when the request names identifiers of earlier ones, those again, with the data of now in the sets of then. A
refresh token is a handle with a number that counts up. The newest number is the good one; the one before it only
repeats a refresh whose answer was lost, and gets the same next token; an older one was stolen, or its thief came
first, and ends the renewal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from issuer.authorize import Client
from issuer.brp import Bsn
from issuer.handle import is_id, make_handle, read_handle
from issuer.issue import CREDENTIAL_DAYS, DAY
from issuer.offer import Under
from protocol.canonical import convert, parse_json
from protocol.errors import Rejected
from protocol.oauth import CREDENTIAL_DETAIL, MAX_DETAILS_BYTES, AuthorizationDetail

RENEWAL_SECONDS = CREDENTIAL_DAYS * DAY
MAX_REFRESHES_A_DAY = 24
"""A wallet refills when it runs low; a hundred thousand copies a day would fill the status lists."""
MAX_AGAIN = 64
"""Identifiers in one refresh: three types of twenty issuances."""
_LABEL = b"regie/refresh-token/v1"
_NUMBER_BYTES = 4


@dataclass(frozen=True)
class Renewal:
    """What was authorized, and the keys that its refresh tokens are bound to. `client`: None for a wallet that
    came with a pre-authorized code and is bound by its DPoP key alone (RFC 9449 section 5).
    """

    id: str
    bsn: Bsn
    configurations: tuple[str, ...]
    loa: str | None
    client: Client | None
    dpop_jkt: str
    with_details: bool
    expires: int
    number: int = 0
    day: int = 0
    refreshes: int = 0
    under: Under | None = None


def make_renewal(
    id_: str,
    bsn: Bsn,
    configurations: tuple[str, ...],
    dpop_jkt: str,
    *,
    now: int,
    loa: str | None = None,
    client: Client | None = None,
    with_details: bool = False,
    under: Under | None = None,
) -> Renewal:
    """A renewal from now on."""
    expires = now + RENEWAL_SECONDS
    return Renewal(id_, bsn, configurations, loa, client, dpop_jkt, with_details, expires, under=under)


def refresh_token_of(key: bytes, renewal: Renewal) -> str:
    """The token that counts now."""
    return make_handle(key, _LABEL, renewal.id, renewal.number.to_bytes(_NUMBER_BYTES, "big"))


def read_refresh_token(key: bytes, token: str) -> tuple[str, int] | None:
    """The renewal and the number of a token; None for what is none of ours."""
    found = read_handle(key, _LABEL, token, _NUMBER_BYTES)
    return None if found is None else (found[0], int.from_bytes(found[1], "big"))


def decide_refresh(
    renewal: Renewal | None, number: int, client: Client | None, dpop_jkt: str, now: int
) -> tuple[Renewal | None, Rejected | None]:
    """The renewal to store (None: it ends, with all its tokens) and the refusal if there is one.

    1. it is there and in time; 2. the same wallet with the same keys; 3. the newest number, or the one before;
    4. not too often in a day. 1 to 3 are one `invalid_grant`.
    """
    refusal = Rejected("invalid_grant", "the refresh token is unknown, used or expired")
    if renewal is None or renewal.expires <= now:  # 1
        return None, refusal
    if dpop_jkt != renewal.dpop_jkt or (renewal.client is not None and client != renewal.client):  # 2
        return renewal, refusal
    if number not in (renewal.number, renewal.number - 1):  # 3
        return None, refusal
    day = now - now % DAY
    refreshes = renewal.refreshes + 1 if renewal.day == day else 1
    if refreshes > MAX_REFRESHES_A_DAY:  # 4
        return renewal, Rejected("invalid_request", f"no more than {MAX_REFRESHES_A_DAY} refreshes a day")
    return replace(renewal, number=number + 1, day=day, refreshes=refreshes), None


def identifier_of(configuration: str, issuance: str) -> str:
    """The `credential_identifier` of what one issuance holds of one type (VCI 6.2)."""
    return f"{configuration}:{issuance}"


def split_identifier(identifier: str) -> tuple[str, str] | None:
    """Configuration and issuance; None for what is no identifier of ours."""
    name, _, issuance = identifier.partition(":")
    return (name, issuance) if name and is_id(issuance) else None


def parse_again(text: str | None) -> tuple[str, ...]:
    """The identifiers in `authorization_details` of a refresh: what is to be issued again (RFC 9396 section 6).

    Only by name, never by default: a wallet that is given two copies with one set might spend them at two
    agencies, which could then tell that they serve one person. Raises `Rejected`: `invalid_request`.
    """
    if text is None:
        return ()
    try:
        details = convert(parse_json(text, max_bytes=MAX_DETAILS_BYTES, floats=True), list[AuthorizationDetail])
    except Rejected as error:
        raise Rejected("invalid_request", error.detail) from error
    names = tuple(name for detail in details for name in detail.credential_identifiers or ())
    if not names or len(names) > MAX_AGAIN or any(split_identifier(name) is None for name in names):
        raise Rejected("invalid_request", f"a refresh names 1 to {MAX_AGAIN} identifiers that were given, or none")
    return tuple(dict.fromkeys(names))


def list_details(renewal: Renewal, issuance: str, again: Sequence[str]) -> list[AuthorizationDetail]:
    """What a token gives, by identifier (VCI 6.2): `again`, or else what is new in `issuance`."""
    identifiers = again or [identifier_of(name, issuance) for name in renewal.configurations]
    found: dict[str, list[str]] = {}
    for identifier in identifiers:
        found.setdefault(identifier.partition(":")[0], []).append(identifier)
    return [AuthorizationDetail(CREDENTIAL_DETAIL, name, names) for name, names in found.items()]
