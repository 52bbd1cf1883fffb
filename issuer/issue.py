"""Copies in sets: what a credential request leads to (protocol section 2, OpenID4VCI 1.0 section 8). Pure.

A resident gets many copies of a credential and spends one on each agency. Copy i of every type carries the same
random `set`, so that a grant can use several credentials of one person and of one person only. Positions count up
for each resident and type: two copies with one set at two agencies would link them. Only an offer that replaces an
earlier one uses its positions again, so that a grant can be refreshed with new data and never with another person.

An offer of several types starts them all at one position. Types that were offered apart therefore meet in the same
sets as long as the resident fetched both from the beginning.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from issuer.offer import Offer
from protocol.canonical import JsonValue, b64u_encode
from protocol.credential import issue_credential
from protocol.errors import Rejected
from protocol.keys import Es256Private, Es256Public
from protocol.status_list import StatusReference

DAY = 86400
CREDENTIAL_DAYS = 730
"""A grant ends with its credentials (protocol section 4); residents should not have to come back each year."""
LIST_SIZE = 2**20
LIST_FILL = LIST_SIZE // 2
"""A list is left when half of it is given out: then two draws suffice on average, and the rest hides the used."""
SET_BYTES = 16


@dataclass(frozen=True)
class Copy:
    """One copy to be signed: where it stands in the resident's sets and in the status lists."""

    position: int
    set_id: str
    status: StatusReference


@dataclass(frozen=True)
class Validity:
    """POSIX seconds, both at midnight UTC, so that copies of one batch cannot be told by their times (VCI 15)."""

    iat: int
    exp: int

    @property
    def day(self) -> datetime.date:
        """The day of issue."""
        return datetime.datetime.fromtimestamp(self.iat, datetime.UTC).date()


@dataclass(frozen=True)
class Signer:
    """What an issuer signs with; `not_after` is the end of its certificate."""

    issuer: str
    key: Es256Private
    x5c: tuple[str, ...]
    loa: str
    not_after: int


@dataclass(frozen=True)
class Narrowed:
    """Copies for somebody who acts for the resident: `mandate` = M (32 bytes), `party` who that is under it,
    `names` the attributes of this type that it opens.
    """

    mandate: bytes
    party: int
    names: frozenset[str]


def validity(now: int, not_after: int) -> Validity:
    """From the start of this day for `CREDENTIAL_DAYS`, but never past `not_after`: the end of the certificate
    that signs, or of a mandate.

    Raises `Rejected`: `credential_request_denied` when that is before tomorrow.
    """
    iat = now - now % DAY
    exp = min(iat + CREDENTIAL_DAYS * DAY, not_after - not_after % DAY)
    if exp < iat + DAY:
        raise Rejected("credential_request_denied", "the issuer's certificate, or the mandate, has expired")
    return Validity(iat, exp)


def decide_positions(offer: Offer, configuration: str, wanted: int, issued: int, room: range) -> range:
    """The positions of the next `wanted` copies; `issued` of this type were given out in `room` under the offer.

    `room` is what it holds in all: a batch, or what the issuance that it repeats gave out.
    Raises `Rejected`: `credential_request_denied` for a type that was not offered or for too many copies.
    """
    if configuration not in offer.configurations:
        raise Rejected("credential_request_denied", "this credential was not offered")
    if issued + wanted > len(room):
        raise Rejected("credential_request_denied", f"this offer holds {len(room)} copies of this credential")
    return room[issued : issued + wanted]


def first_position(offer: Offer, next_positions: Mapping[str, int]) -> int:
    """Where the sets of an offer start: past everything that the resident was given of any of its types."""
    return max(next_positions.get(name, 0) for name in offer.configurations)


def draw_set(random: Callable[[int], bytes]) -> str:
    """A fresh set name, b64u of 16 bytes."""
    return b64u_encode(random(SET_BYTES))


def draw_index(random: Callable[[int], bytes], is_taken: Callable[[int], bool]) -> int:
    """An unpredictable free index of a status list of which at most half is taken."""
    while True:
        index = int.from_bytes(random(4), "big") % LIST_SIZE
        if not is_taken(index):
            return index


def status_uri(issuer: str, number: int) -> str:
    """Address of a status list: one for half a million copies, so that a fetch tells nothing about whom."""
    return f"{issuer}/status-lists/{number}"


def sign_copies(
    vct: str,
    attributes: Mapping[str, JsonValue],
    copies: Sequence[Copy],
    holders: Sequence[Es256Public],
    *,
    signer: Signer,
    valid: Validity,
    random: Callable[[int], bytes],
    narrowed: Narrowed | None = None,
) -> list[str]:
    """One SD-JWT VC for each holder key, in order; every copy has salts, index and set of its own."""
    return [
        issue_credential(
            vct=vct,
            issuer=signer.issuer,
            attributes=attributes,
            holder=holder,
            signer=signer.key,
            x5c=signer.x5c,
            iat=valid.iat,
            exp=valid.exp,
            loa=signer.loa,
            set_id=copy.set_id,
            status=copy.status,
            random=random,
            mandate=narrowed.mandate if narrowed else None,
            party=narrowed.party if narrowed else None,
            names=narrowed.names if narrowed else None,
        )
        for copy, holder in zip(copies, holders, strict=True)
    ]
