"""What an authorization goes through, from the pushed request to the code's redemption (HAIP 1.0 section 4). Pure.

    pushed --browser comes--> login --provider sends it back--> known --wallet redeems--> used
       \\-----------------------\\--refused or over: the answer, where there is one, names an error--/

Every step is taken once, in the transaction that stores the next phase. Codes, request URIs and the provider's
`state` are handles of the authorization's id (module `handle`), each with a label of its own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from issuer.brp import Bsn
from issuer.handle import derive, find_id, make_handle
from issuer.identity import Identity
from issuer.offer import BRP_CREDENTIALS, Offer, check_made, is_open
from protocol.canonical import is_equal, sha256
from protocol.errors import Rejected
from protocol.oauth import PUSHED_URI_PREFIX, AuthorizationCode, AuthorizationRequest, code_challenge
from protocol.openid_connect import LoginSecrets

PUSHED_SECONDS = 300
"""From the wallet's request until the resident has opened the browser (FAPI 2.0 5.3.2.2: less than 600)."""
LOGIN_SECONDS = 600
"""For the login at the provider."""
CODE_SECONDS = 60
"""For the wallet to redeem the code (FAPI 2.0 5.3.2.1: at most 60)."""
KEEP_SECONDS = 86_400
"""A used authorization is remembered so long, so that a second use of its code is told from a made-up one."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

Phase = Literal["pushed", "login", "returned", "known", "used", "dead"]
_REQUEST, _STATE, _CODE = b"regie/request-uri/v1", b"regie/login-state/v1", b"regie/authorization-code/v1"
_NONCE, _VERIFIER, _ISSUER_STATE = b"regie/login-nonce/v1", b"regie/login-verifier/v1", b"regie/issuer-state/v1"


@dataclass(frozen=True)
class Client:
    """A wallet instance: what its attestation calls it, and the thumbprint of the key that is attested."""

    client_id: str
    jkt: str


@dataclass(frozen=True)
class Authorization:
    """One pushed request and what became of it. Times in POSIX seconds.

    `browser`: hash of the cookie that binds the login to one browser. `offer_id`: the offer whose `issuer_state`
    was shown. `bsn` and `loa` are there once the resident is known.
    """

    id: str
    client: Client
    dpop_jkt: str | None
    redirect_uri: str
    state: str | None
    code_challenge: str
    configurations: tuple[str, ...]
    with_details: bool
    offer_id: str | None
    phase: Phase
    expires: int
    browser: bytes = b""
    bsn: Bsn | None = None
    loa: str | None = None


def request_uri_of(key: bytes, id_: str) -> str:
    """The `request_uri` of a pushed request (RFC 9126 2.2)."""
    return PUSHED_URI_PREFIX + make_handle(key, _REQUEST, id_)


def find_pushed(key: bytes, request_uri: str) -> str | None:
    """The authorization that a `request_uri` names."""
    return find_id(key, _REQUEST, request_uri.removeprefix(PUSHED_URI_PREFIX))


def code_of(key: bytes, id_: str) -> str:
    """The authorization code."""
    return make_handle(key, _CODE, id_)


def find_coded(key: bytes, code: str) -> str | None:
    """The authorization that a code belongs to."""
    return find_id(key, _CODE, code)


def issuer_state_of(key: bytes, offer_id: str) -> str:
    """`issuer_state` of an offer: who shows it has seen the offer (VCI 4.1.1, 5.1.3)."""
    return make_handle(key, _ISSUER_STATE, offer_id)


def find_offered(key: bytes, issuer_state: str) -> str | None:
    """The offer of an `issuer_state`."""
    return find_id(key, _ISSUER_STATE, issuer_state)


def login_secrets(key: bytes, id_: str) -> LoginSecrets:
    """The secrets of one login, derived and so written down nowhere."""
    return LoginSecrets(make_handle(key, _STATE, id_), derive(key, _NONCE, id_), derive(key, _VERIFIER, id_))


def find_login(key: bytes, state: str) -> str | None:
    """The authorization that the provider's `state` belongs to."""
    return find_id(key, _STATE, state)


def check_redirect_uri(uri: str, allowed: Collection[str]) -> None:
    """Where a code may go: to a program on the resident's own device, or to an address that this issuer lists.

    PAR lets a wallet name any address (RFC 9126 2.4), and anybody can send a resident a link to log in: the code,
    and with it his data, would go to whoever sent it. A loopback address (RFC 8252 7.3) or a private-use scheme
    (7.1) brings it to the device in his hands, where no wallet waits for it.
    Raises `Rejected`: `invalid_request`.
    """
    parts = urlsplit(uri)
    is_loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    is_private = parts.scheme not in ("http", "https") and "." in parts.scheme
    if not (is_loopback or is_private or uri in allowed) or "#" in uri:
        raise Rejected("invalid_request", "redirect_uri is neither on the resident's device nor known here")


def wanted(request: AuthorizationRequest, made: Sequence[str] = BRP_CREDENTIALS) -> tuple[str, ...]:
    """The configurations that a request asks for, by scope (each is named as its configuration) or by details,
    all of them `made` here.

    Raises `Rejected`: `invalid_scope`, `invalid_authorization_details`.
    """
    details = tuple(detail.credential_configuration_id for detail in request.authorization_details)
    for names, code in ((request.scope, "invalid_scope"), (details, "invalid_authorization_details")):
        for name in names:
            try:
                check_made((name,), made)
            except Rejected as error:
                raise Rejected(code, error.detail) from error
    return tuple(dict.fromkeys((*request.scope, *details)))


def check_offered(offer: Offer | None, configurations: Sequence[str], now: int) -> None:
    """The offer that `issuer_state` names is open and has what is asked. Raises `Rejected`: `invalid_request`."""
    if offer is None or not is_open(offer, now) or not set(configurations) <= set(offer.configurations):
        raise Rejected("invalid_request", "issuer_state is of no open offer of these credentials")


def decide_start(found: Authorization | None, client_id: str, browser: bytes, now: int) -> Authorization:
    """A browser comes with a `request_uri`: once, in time, for the client that pushed it (RFC 9126 4, 7.3).

    Raises `Rejected`: `invalid_request`, to be shown and not sent anywhere.
    """
    if found is None or found.phase != "pushed" or found.expires <= now or found.client.client_id != client_id:
        raise Rejected("invalid_request", "this request is unknown, over or was opened before")
    return replace(found, phase="login", expires=now + LOGIN_SECONDS, browser=sha256(browser))


def decide_return(found: Authorization | None, browser: bytes | None, now: int) -> Authorization:
    """The provider sends the browser back: once, in time, the one that was sent there (RFC 9700 4.7: CSRF).

    Raises `Rejected`: `invalid_request`, to be shown and not sent anywhere.
    """
    if found is None or found.phase != "login" or found.expires <= now:
        raise Rejected("invalid_request", "this login is unknown, over or was finished before")
    if browser is None or not is_equal(sha256(browser), found.browser):
        raise Rejected("invalid_request", "this login was started in another browser")
    return replace(found, phase="returned")


def decide_known(found: Authorization, identity: Identity, offer: Offer | None, now: int) -> Authorization:
    """The resident has logged in; an offer serves only whom it was made for, and only while it is open.

    Raises `Rejected`: `access_denied`.
    """
    if found.offer_id is not None and (offer is None or not is_open(offer, now) or offer.bsn != identity.bsn):
        raise Rejected("access_denied", "the offer is over, or was made for somebody else")
    return replace(found, phase="known", expires=now + CODE_SECONDS, bsn=identity.bsn, loa=identity.loa)


def decide_redemption(
    found: Authorization | None, request: AuthorizationCode, client: Client, dpop_jkt: str, now: int
) -> tuple[Authorization | None, Rejected | None]:
    """The state to store, and the refusal if there is one: a code serves one try, which MUST be stored although
    the request is refused. What was given for a code that comes again MUST be taken back (RFC 6749 4.1.2).

    1. the code is known and waits; 2. in time; 3. the client that pushed the request, with the same key (HAIP
    4.4.1); 4. the redirect URI, to the letter; 5. PKCE; 6. the DPoP key that was named when it was pushed, if one
    was (RFC 9449 10). All are one `invalid_grant`: nobody learns which.
    """
    refusal = Rejected("invalid_grant", "the code is wrong, used or expired, or not for this request")
    if found is None or found.phase != "known":  # 1
        return (None if found is None else replace(found, phase="dead")), refusal
    is_good = (
        now < found.expires  # 2
        and client == found.client  # 3
        and request.redirect_uri == found.redirect_uri  # 4
        and is_challenge_of(found.code_challenge, request.code_verifier)  # 5
        and found.dpop_jkt in (None, dpop_jkt)  # 6
    )
    if not is_good:
        return replace(found, phase="dead"), refusal
    return replace(found, phase="used", expires=now + KEEP_SECONDS), None


def is_challenge_of(challenge: str, verifier: str) -> bool:
    """Whether a PKCE verifier belongs to this challenge (S256)."""
    try:
        return is_equal(code_challenge(verifier).encode(), challenge.encode())
    except Rejected:
        return False
