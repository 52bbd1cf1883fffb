"""The issuer's HTTP endpoints, all of them defined by standards, so errors are answered as those say.

    GET  /.well-known/openid-credential-issuer, oauth-authorization-server, jwt-vc-issuer   metadata
    GET  /offers/{id}                 credential offer by reference       OpenID4VCI 1.0 section 4.1.3
    GET  /status-lists/{n}            statuslist+jwt                      Token Status List 8
    login, tokens                     web_oauth
    credentials                       web_issuance
    mandates                          web_mandate (the one part that is ours)

An issuer URL with a path has its endpoints under that path, and its metadata between host and path (12.2.2).
"""

import functools
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import urlsplit

from flask import Flask, Response, request

from issuer import store
from issuer.authorization_server import AuthorizationServer
from issuer.board import Board
from issuer.client import Login
from issuer.config import IssuerConfig, database_url, made_here
from issuer.issuing import Issuing
from issuer.mandates import Mandates
from issuer.metadata import keys_of_issuer, metadata_of_issuer, metadata_of_server
from issuer.office import Office
from issuer.openapi import ISSUER, MAX_LISTS
from issuer.possession import Possession
from issuer.signing import load_codes_key, load_encryption_key, load_login_credentials, load_signer
from issuer.token_server import TokenServer
from issuer.web_issuance import add_issuance
from issuer.web_mandate import add_mandates
from issuer.web_oauth import CALLBACK, add_oauth
from issuer.wishes import Wishes
from protocol import x509
from protocol.issuer_metadata import IssuerMetadata
from protocol.keys import Es256Private
from protocol.signed_metadata import SIGNED_METADATA_MEDIA_TYPE, sign_issuer_metadata
from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from protocol.trust_list import TrustList
from service.app import json_response, make_app
from service.clock import Clock, SystemClock
from service.database import engine_for
from service.fetch import Fetcher
from service.home import Home
from service.openapi import publish
from service.trust import TrustSource

METADATA_SECONDS = 300
SIGNED_METADATA_SECONDS = 86_400
LIST_CACHE_SECONDS = 60
Random = Callable[[int], bytes]
P = ParamSpec("P")
View = Callable[P, Response]


def create(home: Path) -> Flask:
    """The app of the issuer in `home`. Raises `Rejected`: `no_home` and those of a bad home."""
    opened = Home(home)
    config = opened.config(IssuerConfig)
    office = open_office(opened, config)
    return make_web(
        config,
        office,
        encryption=load_encryption_key(opened, office.random),
        trust=open_trust(opened, config),
        login=open_login(opened, config, office.clock, office.random),
    )


def open_office(
    home: Home, config: IssuerConfig, *, clock: Clock | None = None, random: Random = secrets.token_bytes
) -> Office:
    """The issuer at work on what lies in its home."""
    clock = clock or SystemClock()
    engine = engine_for(database_url(home, config))
    store.create_tables(engine)
    signer = load_signer(home, config, clock.now())
    has_login = config.login is not None
    made = made_here(config)
    return Office(engine, signer, load_codes_key(home), clock, random, has_login=has_login, credentials=made)


def open_trust(home: Home, config: IssuerConfig) -> Callable[[int], TrustList] | None:
    """Which wallet providers are listed; None for a home without a trust list."""
    if config.trust_list is None or config.registrar is None:
        return None
    return TrustSource(home, config.trust_list, config.registrar).current


def open_login(home: Home, config: IssuerConfig, clock: Clock, random: Random) -> Login | None:
    """The OpenID provider of `config.login`; None without one. Raises `Rejected`: `no_home` without its key."""
    if config.login is None:
        return None
    credentials = load_login_credentials(home, config.login)
    return Login(config.login, f"{config.url}{CALLBACK}", credentials, Fetcher(), clock, random)


def make_web(
    config: IssuerConfig,
    office: Office,
    *,
    encryption: Es256Private | None = None,
    trust: Callable[[int], TrustList] | None = None,
    login: Login | None = None,
) -> Flask:
    """All endpoints around one office. `encryption` opens encrypted requests; a fresh key when there is none."""
    app = make_app("issuer")
    prefix = urlsplit(config.url).path
    encryption = encryption or Es256Private.from_secret(office.random(48))
    possession = Possession(office.engine, office.codes_key, office.clock, office.random, config.url, trust)
    redirect_uris = config.login.redirect_uris if config.login else ()
    server = AuthorizationServer(office, possession, login, redirect_uris)
    _add_metadata(app, config, office, encryption, prefix)
    add_oauth(app, server, TokenServer(office, possession), possession, prefix)
    add_issuance(app, Issuing(office, possession), possession, encryption, prefix)
    _add_public(app, office, prefix)
    mandates = Mandates(office)
    add_mandates(app, mandates, Wishes(office, mandates), Board(office, mandates), prefix)
    publish(app, ISSUER, url=config.url, mount=prefix, contact=config.contact)
    return app


def _add_metadata(app: Flask, config: IssuerConfig, office: Office, encryption: Es256Private, prefix: str) -> None:
    has_login = office.has_login
    about = metadata_of_issuer(config.url, config.name, encryption.public, office.credentials, has_login=has_login)

    def issuer() -> Response:
        if request.accept_mimetypes.best_match(["application/json", SIGNED_METADATA_MEDIA_TYPE]) == (
            SIGNED_METADATA_MEDIA_TYPE
        ):
            response = _signed(about, office)
        else:
            response = json_response(about, max_age=METADATA_SECONDS)
        response.headers["Vary"] = "Accept"
        return response

    documents: dict[str, Any] = {
        "oauth-authorization-server": metadata_of_server(config.url, office.credentials, has_login=has_login),
        "jwt-vc-issuer": keys_of_issuer(config.url, office.signer.key.public),
    }
    app.add_url_rule(
        f"/.well-known/openid-credential-issuer{prefix}", "openid-credential-issuer", _open_to_all(issuer)
    )
    for name, document in documents.items():
        view = functools.partial(json_response, document, max_age=METADATA_SECONDS)
        app.add_url_rule(f"/.well-known/{name}{prefix}", name, _open_to_all(view))


def _signed(about: IssuerMetadata, office: Office) -> Response:
    """For who asks for a JWT (12.2.3)."""
    signer, now = office.signer, office.clock.now()
    chain = x509.parse_x5c(list(signer.x5c))
    text = sign_issuer_metadata(about, signer.key, chain, iat=now, exp=now + SIGNED_METADATA_SECONDS)
    response = Response(text, content_type=SIGNED_METADATA_MEDIA_TYPE)
    response.headers["Cache-Control"] = f"public, max-age={METADATA_SECONDS}"
    return response


def _open_to_all(view: View[P]) -> View[P]:
    """Public and the same for everybody, so pages of any origin may read it (Token Status List 8, VCI 12.2)."""

    @functools.wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Response:
        response = view(*args, **kwargs)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return wrapped


def _add_public(app: Flask, office: Office, prefix: str) -> None:
    @app.get(f"{prefix}/offers/<offer_id>")
    def offer(offer_id: str) -> Response:
        return json_response(office.open_offer(offer_id))

    def status_list(number: int) -> Response:
        response = Response(office.status_token(number), content_type=STATUS_LIST_MEDIA_TYPE)
        response.headers["Cache-Control"] = f"public, max-age={LIST_CACHE_SECONDS}"
        return response

    app.add_url_rule(
        f"{prefix}/status-lists/<int(max={MAX_LISTS}):number>", "status_list", _open_to_all(status_list)
    )
