"""Becoming an issuer's client: who we are to it, and a token to ask with (OpenID4VCI 1.0 5 and 6, HAIP 1.0 4).

Three ways to a token: the code of an offer, a login in the resident's browser, a refresh token of an earlier time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.issuer_metadata import AuthorizationServerMetadata, IssuerMetadata
from protocol.oauth import (
    CREDENTIAL_DETAIL,
    AuthorizationCode,
    AuthorizationDetail,
    AuthorizationRequest,
    PreAuthorizedCode,
    RefreshToken,
    TokenResponse,
    authorization_url,
    code_challenge,
    parse_authorization_response,
)
from protocol.openid4vci import AuthorizationCodeGrant, PreAuthorizedGrant
from wallet.conversation import Conversation, Identity
from wallet.opened import OpenWallet
from wallet.receive import (
    PUBLIC_CLIENT_ID,
    Batch,
    Source,
    check_endpoints,
    check_server,
    choose_server,
    has_dpop,
    wants_attestation,
)
from wallet.records import Access
from wallet.seed import BATCH_BYTES, client_keys

_STATE_BYTES = 16
_VERIFIER_BYTES = 32
"""43 characters of base64url, the least that RFC 7636 4.1 takes and 256 bits of entropy."""
DEFAULT_TOKEN_SECONDS = 300
"""Of a token whose server does not say how long it lives."""


class Browser(Protocol):
    """The resident's browser: where it comes back to, and a visit that ends there."""

    @property
    def redirect_uri(self) -> str:
        """An address on this machine (RFC 8252 7.3)."""

    def visit(self, url: str) -> str:
        """Have the resident open `url`; the query with which the browser comes back. Raises `Unavailable`."""


@dataclass(frozen=True)
class Client:
    """One errand at one issuer: whom it is, what it says of itself, and the conversation with it."""

    source: Source
    metadata: IssuerMetadata
    server: AuthorizationServerMetadata
    name: str
    attested: bool
    conversation: Conversation


def meet(wallet: OpenWallet, source: Source, *, login: bool, server: str | None, known: Access | None) -> Client:
    """1. metadata of issuer and server; 2. every endpoint where it belongs; 3. the server can what we need; 4. who
    we are there: by the keys of `known`, to which a refresh token is bound, else by new ones for this issuer only.

    Raises `Rejected`: `bad_metadata`, `no_wallet_provider` and those of the peers; `Unavailable`.
    """
    peers = wallet.peers.issuers
    metadata = peers.issuer_metadata(source.id, source.roots, wallet.now())  # 1.
    named = peers.server_metadata(choose_server(metadata, server, source))
    check_endpoints(metadata, named, source)  # 2.
    if known is None:
        check_server(named, login=login)  # 3.
    name = known.client if known else b64u_encode(wallet.random(BATCH_BYTES))
    attested = known.attested if known else wants_attestation(named, login=login)
    identity = _identity(wallet, named, name, attested=attested, login=login, known=known)  # 4.
    talk = Conversation(peers.fetcher, metadata, named, identity, wallet.now, wallet.random)
    return Client(source, metadata, named, name, attested, talk)


def _identity(
    wallet: OpenWallet,
    server: AuthorizationServerMetadata,
    name: str,
    *,
    attested: bool,
    login: bool,
    known: Access | None,
) -> Identity:
    key, dpop = client_keys(wallet.secrets(), name)
    proves = has_dpop(server) if known is None else known.token_type != "Bearer"  # noqa: S105 - a kind of token
    if not attested:
        anonymous = not login and server.pre_authorized_anonymous
        client_id = known.client_id if known else (None if anonymous else PUBLIC_CLIENT_ID)
        return Identity(client_id, dpop if proves else None)
    providers = wallet.trust_list().wallet_providers
    if not providers:
        raise Rejected("no_wallet_provider", "the issuer wants to know your wallet, and nobody listed attests it")
    answer = wallet.peers.issuers.attestation(providers[0].id, key, wallet.now())
    return Identity(answer.client_id, dpop if proves else None, key, answer.attestation)


def redeem(
    client: Client, grant: PreAuthorizedGrant, tx_code: str | None, batches: tuple[Batch, ...] = ()
) -> TokenResponse:
    """The token for the code of an offer (6.1). A listed issuer, which can issue a batch again in its sets, is
    asked by what name (6.2); others get the plain request that all of them know.
    """
    code = tx_code if grant.tx_code is not None else None
    asks = client.source.is_listed and client.conversation.identity.dpop is not None
    return client.conversation.token(
        PreAuthorizedCode(grant.pre_authorized_code, code, _details(batches) if asks else ())
    )


def _details(batches: tuple[Batch, ...]) -> tuple[AuthorizationDetail, ...]:
    return tuple(AuthorizationDetail(CREDENTIAL_DETAIL, batch.configuration) for batch in batches)


@dataclass(frozen=True)
class Login:
    """A login that was asked for: the address for the resident's browser, and what the answer is held against."""

    url: str
    redirect_uri: str
    state: str
    verifier: str


def push_login(
    wallet: OpenWallet,
    client: Client,
    batches: tuple[Batch, ...],
    grant: AuthorizationCodeGrant,
    redirect_uri: str,
) -> Login:
    """Ask for a login (5). 1. a fresh verifier and state; 2. the request goes to the server itself (PAR), by
    scopes, or by details where a type has no scope and at a listed issuer (see `redeem`); 3. the browser carries a
    reference only.

    Raises `Rejected`: the server's refusal; `Unavailable`.
    """
    verifier = b64u_encode(wallet.random(_VERIFIER_BYTES))  # 1.
    state = b64u_encode(wallet.random(_STATE_BYTES))
    scopes = tuple(dict.fromkeys(batch.scope for batch in batches if batch.scope is not None))
    has_scopes = all(batch.scope is not None for batch in batches) and not client.source.is_listed
    client_id = client.conversation.identity.client_id or PUBLIC_CLIENT_ID
    request = AuthorizationRequest(
        client_id,
        redirect_uri,
        scopes if has_scopes else (),
        state,
        code_challenge(verifier),
        grant.issuer_state,
        () if has_scopes else _details(batches),
    )
    pushed = client.conversation.push(request)  # 2.
    url = authorization_url(str(client.server.authorization_endpoint), client_id, pushed.request_uri)  # 3.
    return Login(url, redirect_uri, state, verifier)


def redeem_login(client: Client, login: Login, query: str) -> TokenResponse:
    """The token for what the browser brought back: 1. it is of this request and this server; 2. code and verifier
    make a token. Raises `Rejected`: the server's refusal, `bad_authorization_response`.
    """
    code = parse_authorization_response(query, login.state, client.server.issuer)  # 1.
    return client.conversation.token(AuthorizationCode(code, login.redirect_uri, login.verifier))  # 2.


def log_in(
    wallet: OpenWallet, client: Client, batches: tuple[Batch, ...], grant: AuthorizationCodeGrant, browser: Browser
) -> TokenResponse:
    """The token for a login, waiting for the browser; the vault is free for others meanwhile.

    Raises `Rejected`: those of `push_login` and `redeem_login`; `Unavailable`: `no_login`.
    """
    login = push_login(wallet, client, batches, grant, browser.redirect_uri)
    with wallet.vault.released():
        query = browser.visit(login.url)
    return redeem_login(client, login, query)


def refresh(
    wallet: OpenWallet, client: Client, name: str, access: Access, again: Mapping[str, Sequence[str]] | None = None
) -> tuple[Access, TokenResponse]:
    """A new token for the refresh token of `access`, whose record gets the next one before anything else happens:
    the old one may be good for nothing now. A token that the server no longer takes is forgotten.
    `again`: what is to be issued again in its sets, identifiers by configuration.

    Raises `Rejected`: `invalid_grant` and other refusals of the server; `Unavailable`.
    """
    if access.refresh_token is None:
        raise Rejected("no_refresh", "this issuer gave no right to come back; ask it for a new offer")
    try:
        details = tuple(
            AuthorizationDetail(CREDENTIAL_DETAIL, configuration, list(names))
            for configuration, names in (again or {}).items()
        )
        answer = client.conversation.token(RefreshToken(access.refresh_token, details))
    except Rejected as error:
        if error.code == "invalid_grant":
            keep_access(wallet, name, replace(access, refresh_token=None))
        raise
    renewed = replace(
        access,
        access_token=answer.access_token,
        expires=wallet.now() + (answer.expires_in or DEFAULT_TOKEN_SECONDS),
        refresh_token=answer.refresh_token or access.refresh_token,
    )
    keep_access(wallet, name, renewed)
    return renewed, answer


def access_of(wallet: OpenWallet, client: Client, batches: tuple[Batch, ...], token: TokenResponse) -> Access:
    """What to keep of a token, to come back with."""
    return Access(
        issuer=client.source.id,
        server=client.server.issuer,
        client=client.name,
        client_id=client.conversation.identity.client_id,
        attested=client.attested,
        configurations=[batch.configuration for batch in batches],
        access_token=token.access_token,
        token_type=client.conversation.identity.token_type,
        expires=wallet.now() + (token.expires_in or DEFAULT_TOKEN_SECONDS),
        refresh_token=token.refresh_token,
        mandate=next((batch.under.mandate for batch in batches if batch.under), None),
    )


def keep_access(wallet: OpenWallet, name: str, access: Access) -> None:
    """Durably; joins a transaction that is open."""
    with wallet.vault.transaction():
        wallet.vault.put("accesses", name, access)
