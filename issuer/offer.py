"""Credential offers: who may fetch what, with which code, for how long (OpenID4VCI 1.0 sections 4, 6, 13.6). Pure.

The pre-authorized code is in the link and counts as seen by others; the transaction code travels another way.
A code serves once; five wrong transaction codes kill it, so that guessing 8 digits succeeds once in 20 million.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from issuer.brp import Bsn
from issuer.handle import ID_BYTES, find_id, is_id, make_handle
from protocol.attributes import CREDENTIAL_TYPES, CredentialType
from protocol.canonical import b64u_encode, hmac_sha256, is_equal, sha256
from protocol.errors import Rejected
from protocol.openid4vci import (
    AuthorizationCodeGrant,
    CredentialOffer,
    OfferGrants,
    PreAuthorizedGrant,
    TxCode,
)

OFFER_SECONDS = 900
TOKEN_SECONDS = 300
"""Bearer tokens live no longer (HAIP 1.0 section 4, VCI 13)."""
TX_CODE_DIGITS = 8
MAX_TRIES = 5
_TOKEN_BYTES = 32
_CODE = b"regie/offer-code/v1"
BRP_CREDENTIALS = ("persoon", "adres", "gezin", "gezag")
"""What a register of persons makes; an issuer is configured with these, some of these, or more."""
_TYPES = {kind.configuration_id: kind for kind in CREDENTIAL_TYPES.values()}


@dataclass(frozen=True)
class Under:
    """The mandate (b64u of 16 bytes) that narrows what is fetched, and who its holder is under it."""

    mandate: str
    party: int


@dataclass(frozen=True)
class Offer:
    """One resident, one or more credential types, one code. Times in POSIX seconds.

    `id` is 16 random bytes in hex (no dash at its start to trouble a command line): the name of the offer in its
    URL and, later, of what was issued under it. `replaces` is the offer whose copies are issued again, each in
    the set that it had. `loa`: how surely the resident was identified, where he logged in; `renewal_id`: under
    what he may come back for more; `under`: for somebody who acts for this resident, `bsn` being the represented.
    """

    id: str
    bsn: Bsn
    configurations: tuple[str, ...]
    tx_code_hash: bytes
    expires: int
    tries_left: int
    redeemed: bool
    replaces: str | None = None
    loa: str | None = None
    renewal_id: str | None = None
    under: Under | None = None


def configuration(name: str) -> CredentialType:
    """The credential type of a configuration id. Raises `Rejected`: `unknown_credential_configuration`."""
    kind = _TYPES.get(name)
    if kind is None:
        raise Rejected("unknown_credential_configuration", f"there is {', '.join(_TYPES)}")
    return kind


def check_made(names: Sequence[str], made: Sequence[str]) -> None:
    """This issuer makes all of these. Raises `Rejected`: `unknown_credential_configuration`."""
    if not set(names) <= set(made):
        raise Rejected("unknown_credential_configuration", f"there is {', '.join(made)}")


def make_offer(
    bsn: Bsn,
    configurations: Sequence[str],
    *,
    key: bytes,
    now: int,
    random: Callable[[int], bytes],
    replaces: str | None = None,
    under: Under | None = None,
) -> tuple[Offer, str]:
    """An offer and its transaction code (8 digits), which is kept as a keyed hash only.

    Raises `Rejected`: `unknown_credential_configuration`; `ValueError` for none or one twice.
    """
    if not configurations or len(set(configurations)) != len(configurations):
        raise ValueError("an offer names different credentials")
    for name in configurations:
        configuration(name)
    offer_id = random(ID_BYTES).hex()
    tx_code = f"{int.from_bytes(random(16), 'big') % 10**TX_CODE_DIGITS:0{TX_CODE_DIGITS}}"
    hashed = _tx_code_hash(key, offer_id, tx_code)
    expires = now + OFFER_SECONDS
    made = Offer(offer_id, bsn, tuple(configurations), hashed, expires, MAX_TRIES, False, replaces, under=under)
    return made, tx_code


def _tx_code_hash(key: bytes, offer_id: str, tx_code: str) -> bytes:
    return hmac_sha256(key, b"regie/tx-code/v1", offer_id.encode(), b"\0", tx_code.encode())


def code_of(key: bytes, offer_id: str) -> str:
    """The pre-authorized code: a handle, so that a stolen database holds no code that can be used."""
    return make_handle(key, _CODE, offer_id)


def find_offer_id(key: bytes, code: str) -> str | None:
    """The offer that a pre-authorized code belongs to; None for what is no code of ours."""
    return find_id(key, _CODE, code)


def is_offer_id(text: str) -> bool:
    """Whether it has the form of an id."""
    return is_id(text)


def make_issuance(
    issuance_id: str,
    bsn: Bsn,
    configurations: tuple[str, ...],
    loa: str | None,
    renewal_id: str,
    expires: int,
    under: Under | None = None,
) -> Offer:
    """An offer that nobody was sent: what a resident who logged in, or came back, may fetch. No code opens it."""
    return Offer(issuance_id, bsn, configurations, b"", expires, 0, True, None, loa, renewal_id, under)


def is_open(offer: Offer, now: int) -> bool:
    """Whether its code can still be redeemed."""
    return not offer.redeemed and offer.tries_left > 0 and now < offer.expires


def decide_pre_authorized(
    offer: Offer | None, tx_code: str | None, *, key: bytes, now: int
) -> tuple[Offer | None, Rejected | None]:
    """The state to store, and the refusal if there is one. A wrong transaction code costs a try, which MUST be
    stored although the request is refused.

    1. a transaction code was sent (6.3: else `invalid_request`, at no cost); 2. the offer exists and is open;
    3. the transaction code is right. Unknown, dead, used and wrong are one `invalid_grant`: nobody learns which.
    """
    refusal = Rejected("invalid_grant", "code or transaction code is wrong, used or expired")
    if tx_code is None:  # 1
        return offer, Rejected("invalid_request", "tx_code is missing")
    if offer is None or not is_open(offer, now):  # 2
        return offer, refusal
    if not is_equal(_tx_code_hash(key, offer.id, tx_code), offer.tx_code_hash):  # 3
        return replace(offer, tries_left=offer.tries_left - 1), refusal
    return replace(offer, redeemed=True), None


def make_token(random: Callable[[int], bytes]) -> str:
    """A Bearer token: 256 random bits, b64u."""
    return b64u_encode(random(_TOKEN_BYTES))


def token_hash(token: bytes) -> bytes:
    """What is stored of a token (its decoded bytes)."""
    return sha256(token)


def offer_message(offer: Offer, issuer: str, key: bytes, issuer_state: str | None = None) -> CredentialOffer:
    """What the wallet is given (4.1.1); with `issuer_state` it may as well let the resident log in."""
    tx_code = TxCode("numeric", TX_CODE_DIGITS, "De code die los van deze link is gegeven")
    grant = PreAuthorizedGrant(code_of(key, offer.id), tx_code)
    login = None if issuer_state is None else AuthorizationCodeGrant(issuer_state)
    return CredentialOffer(issuer, list(offer.configurations), OfferGrants(grant, login))
