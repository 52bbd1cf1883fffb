"""The OAuth authorization server of the issuer (HAIP 1.0 section 4), up to the code; then comes `token_server`.

    push     POST /par             a wallet that is attested says what it wants
    start    GET /authorize        the resident's browser comes, and is sent to log in
    finish   GET /login/callback   it comes back from there, and is sent to the wallet with a code

The OpenID provider is asked between two transactions, never inside one. What is decided: `authorize`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from issuer import store, store_oauth
from issuer.authorize import (
    PUSHED_SECONDS,
    Authorization,
    Client,
    check_offered,
    check_redirect_uri,
    code_of,
    decide_known,
    decide_return,
    decide_start,
    find_login,
    find_offered,
    find_pushed,
    login_secrets,
    request_uri_of,
    wanted,
)
from issuer.client import Login
from issuer.handle import ID_BYTES
from issuer.identity import Identity
from issuer.office import Office
from issuer.possession import Possession, Proofs
from protocol.errors import Rejected, Unavailable
from protocol.oauth import PushedResponse, parse_authorization_request, parse_pushed_reference, response_url
from service.database import immediate, snapshot
from service.journal import log_event

COOKIE_BYTES = 32
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}\Z")
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Departure:
    """A browser that is sent to log in: where, and the cookie by which it is known again."""

    url: str
    cookie: str
    value: bytes


@dataclass(frozen=True)
class Arrival:
    """A browser that came back: where it goes now, and the cookie that has served."""

    url: str
    cookie: str


def cookie_of(id_: str) -> str:
    """The name of the cookie of one login, so that two in one browser do not disturb each other."""
    return f"regie-login-{id_[:8]}"


class AuthorizationServer:
    """Around one office. `login`: None when residents cannot log in here; `redirect_uris`: see `LoginConfig`."""

    def __init__(
        self, office: Office, possession: Possession, login: Login | None = None, redirect_uris: Sequence[str] = ()
    ) -> None:
        self._office = office
        self._possession = possession
        self._login = login
        self._redirect_uris = frozenset(redirect_uris)
        self._key = office.codes_key
        self._engine = office.engine

    @property
    def _issuer(self) -> str:
        return self._office.signer.issuer

    def _now(self) -> int:
        return self._office.clock.now()

    def _provider(self) -> Login:
        if self._login is None:
            raise Rejected("unauthorized_client", "residents cannot log in here")
        return self._login

    # ---- the wallet pushes a request

    def push(self, pairs: Pairs, proofs: Proofs) -> PushedResponse:
        """1. residents can log in here; 2. the wallet is attested; 3. form; 4. the client is the attested one;
        5. the answer goes where it may go; 6. what is wanted is made here, and offered when an offer is named;
        7. the code will be bound to the DPoP key that is shown or named, if one is (RFC 9449 10).

        Raises `Rejected` with the codes of `oauth.PAR_ERRORS`; `Unavailable`.
        """
        self._provider()  # 1
        attested = self._possession.client(proofs)  # 2
        request = parse_authorization_request(pairs)  # 3
        if request.client_id != attested.client_id:  # 4
            raise Rejected("invalid_client", "client_id is not the attested one", status=401)
        check_redirect_uri(request.redirect_uri, self._redirect_uris)  # 5
        names, now = wanted(request, self._office.credentials), self._now()  # 6
        offer_id = None
        if request.issuer_state is not None:
            offer_id = find_offered(self._key, request.issuer_state)
            with snapshot(self._engine) as connection:
                check_offered(store.find_offer(connection, offer_id), names, now)
        bound = self._bound_to(dict(pairs).get("dpop_jkt"), proofs)  # 7
        made = Authorization(
            id=self._office.random(ID_BYTES).hex(),
            client=Client(attested.client_id, attested.key.thumbprint()),
            dpop_jkt=bound,
            redirect_uri=request.redirect_uri,
            state=request.state,
            code_challenge=request.code_challenge,
            configurations=names,
            with_details=bool(request.authorization_details),
            offer_id=offer_id,
            phase="pushed",
            expires=now + PUSHED_SECONDS,
        )
        with immediate(self._engine) as connection:
            store_oauth.add_authorization(connection, made, now)
        return PushedResponse(request_uri_of(self._key, made.id), PUSHED_SECONDS)

    def _bound_to(self, named: str | None, proofs: Proofs) -> str | None:
        """The thumbprint that a code is bound to, by a proof or by name (RFC 9449 10); both are one key."""
        if named is not None and not _THUMBPRINT.match(named):
            raise Rejected("invalid_request", "dpop_jkt is not a thumbprint")
        if proofs.dpop is None:
            return named
        shown = self._possession.dpop(proofs.dpop, method="POST", path="/par").jkt
        if named not in (None, shown):
            raise Rejected("invalid_dpop_proof", "dpop_jkt names another key than the one that is shown")
        return shown

    # ---- the browser comes and goes

    def start(self, pairs: Pairs) -> Departure:
        """The browser comes with `client_id` and `request_uri`. Raises `Rejected`: `invalid_request`, which is
        shown; `Unavailable`: the provider cannot be reached, and nothing was used up.
        """
        client_id, request_uri = parse_pushed_reference(pairs)
        id_ = find_pushed(self._key, request_uri)
        if id_ is None:
            raise Rejected("invalid_request", "this request is unknown, over or was opened before")
        url = self._provider().url(login_secrets(self._key, id_))
        browser = self._office.random(COOKIE_BYTES)
        with immediate(self._engine) as connection:
            found = store_oauth.find_authorization(connection, id_)
            started = decide_start(found, client_id, browser, self._now())
            store_oauth.update_authorization(connection, started)
        return Departure(url, cookie_of(id_), browser)

    def finish(self, answer: Mapping[str, str], cookies: Mapping[str, bytes]) -> Arrival:
        """The browser comes back from the provider: where it is sent now, with a code or an error (RFC 6749
        4.1.2).

        Raises `Rejected`: `invalid_request`, which is shown, for what is no answer to a login of this browser.
        """
        id_ = find_login(self._key, answer.get("state", ""))
        if id_ is None:
            raise Rejected("invalid_request", "this login is unknown, over or was finished before")
        with immediate(self._engine) as connection:
            found = store_oauth.find_authorization(connection, id_)
            returned = decide_return(found, cookies.get(cookie_of(id_)), self._now())
            store_oauth.update_authorization(connection, returned)
        try:
            self._know(returned, self._identify(returned, answer))
        except Rejected as error:  # the wallet learns no more; the resident has seen the provider's own words
            log_event("issuer", "login_refused", code=error.code)
            return self._back(returned, error="access_denied")
        except Unavailable as error:
            log_event("issuer", "login_failed", code=error.code)
            return self._back(returned, error="temporarily_unavailable")
        return self._back(returned, code=code_of(self._key, id_))

    def _back(self, known: Authorization, **members: str) -> Arrival:
        url = response_url(known.redirect_uri, issuer=self._issuer, state=known.state, **members)
        return Arrival(url, cookie_of(known.id))

    def _identify(self, returned: Authorization, answer: Mapping[str, str]) -> Identity:
        if "code" not in answer or "error" in answer:
            raise Rejected("access_denied", "the resident did not log in")
        secrets = login_secrets(self._key, returned.id)
        return self._provider().identify(answer["code"], secrets, answer.get("iss"))

    def _know(self, returned: Authorization, identity: Identity) -> None:
        with immediate(self._engine) as connection:
            if store.person_record(connection, identity.bsn) is None:
                raise Rejected("access_denied", "the register does not know who logged in")
            offer = store.find_offer(connection, returned.offer_id)
            known = decide_known(returned, identity, offer, self._now())
            store_oauth.update_authorization(connection, known)
