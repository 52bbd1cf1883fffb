"""Credentials that come later (OpenID4VCI 1.0 section 9): a clerk looks at the record of a resident first. Pure.

A resident whose record is held gets a transaction instead of copies. Once a clerk has approved, the wallet's next
poll is answered with copies of the register's data of that moment, bound to the keys that it proved when it asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from issuer.brp import Bsn
from issuer.handle import find_id, make_handle
from protocol.canonical import canonical_bytes, parse_json
from protocol.errors import Rejected
from protocol.keys import Es256Public, parse_jwk

DEFERRED_SECONDS = 30 * 86_400
"""For the clerk to look, and for the wallet to come back."""
INTERVAL = 30
"""Seconds between two polls of a wallet."""
MAX_WAITING = 6
"""Transactions of one issuance that wait: two of each credential type."""
State = Literal["waiting", "approved", "denied", "issued"]
_LABEL = b"regie/transaction/v1"


@dataclass(frozen=True)
class Deferred:
    """A credential request that waits. `again`: the issuance whose sets are issued again; times in POSIX
    seconds.
    """

    id: str
    offer_id: str
    bsn: Bsn
    configuration: str
    again: str | None
    holders: tuple[Es256Public, ...]
    state: State
    asked: int
    expires: int


def transaction_id_of(key: bytes, id_: str) -> str:
    """The `transaction_id` of the wallet."""
    return make_handle(key, _LABEL, id_)


def find_transaction(key: bytes, transaction_id: str) -> str | None:
    """The deferred request that a `transaction_id` names."""
    return find_id(key, _LABEL, transaction_id)


def decide_poll(found: Deferred | None, now: int) -> Deferred | None:
    """None while the wallet has to wait, else the request as it stands once it is issued.

    Raises `Rejected`: `invalid_transaction_id`; `credential_request_denied` when the clerk refused.
    """
    if found is None or found.state == "issued" or found.expires <= now:
        raise Rejected("invalid_transaction_id", "this transaction is unknown, over or was answered before")
    if found.state == "denied":
        raise Rejected("credential_request_denied", "the issuer does not issue this credential")
    return replace(found, state="issued") if found.state == "approved" else None


def write_holders(holders: Sequence[Es256Public]) -> str:
    """The public keys as they are kept."""
    return canonical_bytes([holder.jwk() for holder in holders]).decode()


def read_holders(text: str) -> tuple[Es256Public, ...]:
    """The keys of `write_holders`."""
    jwks: list[dict[str, Any]] = parse_json(text)
    return tuple(map(parse_jwk, jwks))
