"""The issuer's HTTP endpoints, all of them defined by standards, so errors are answered as those say.

    GET  /.well-known/openid-credential-issuer, oauth-authorization-server, jwt-vc-issuer   metadata
    GET  /offers/{id}                 credential offer by reference       OpenID4VCI 1.0 section 4.1.3
    POST /token                       code and tx_code -> access token    6
    POST /nonce                       c_nonce                             7
    POST /credential                  key proofs -> copies                8
    POST /notification                what became of them                 11
    GET  /status-lists/{n}            statuslist+jwt                      Token Status List 8

An issuer URL with a path has its endpoints under that path, and its metadata between host and path (12.2.2).
"""

import functools
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import ParamSpec
from urllib.parse import urlsplit

from flask import Flask, Response, request

from issuer import store
from issuer.config import IssuerConfig, database_url
from issuer.office import Office
from issuer.openapi import ISSUER, MAX_LISTS
from issuer.signing import load_codes_key, load_signer
from protocol.attributes import CREDENTIAL_TYPES
from protocol.errors import Rejected
from protocol.issuer_metadata import authorization_server_metadata, issuer_metadata
from protocol.openid4vci import (
    CREDENTIAL_ERRORS,
    MAX_CREDENTIAL_REQUEST_BYTES,
    MAX_OFFER_BYTES,
    NOTIFICATION_ERRORS,
    TOKEN_ERRORS,
    NonceResponse,
    error_body,
    parse_token_request,
)
from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from service.app import bearer_token, json_response, make_app, read_body, read_form
from service.clock import Clock, SystemClock
from service.database import engine_for
from service.home import Home
from service.openapi import publish

METADATA_SECONDS = 300
LIST_CACHE_SECONDS = 60
P = ParamSpec("P")
View = Callable[P, Response]


def create(home: Path) -> Flask:
    """The app of the issuer in `home`. Raises `Rejected`: `no_home` and those of a bad home."""
    opened = Home(home)
    config = opened.config(IssuerConfig)
    return make_web(config, open_office(opened, config))


def open_office(
    home: Home,
    config: IssuerConfig,
    *,
    clock: Clock | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Office:
    """The issuer at work on what lies in its home."""
    clock = clock or SystemClock()
    engine = engine_for(database_url(home, config))
    store.create_tables(engine)
    return Office(engine, load_signer(home, config, clock.now()), load_codes_key(home), clock, random)


def make_web(config: IssuerConfig, office: Office) -> Flask:
    """All endpoints around one office."""
    app = make_app("issuer")
    prefix = urlsplit(config.url).path
    _add_metadata(app, config, office, prefix)
    _add_issuance(app, office, prefix)
    _add_public(app, office, prefix)
    publish(app, ISSUER, url=config.url, mount=prefix, contact=config.contact)
    return app


def _add_metadata(app: Flask, config: IssuerConfig, office: Office, prefix: str) -> None:
    jwk = {**office.signer.key.public.jwk(), "alg": "ES256", "use": "sig"}
    documents = {
        "openid-credential-issuer": issuer_metadata(config.url, config.name, CREDENTIAL_TYPES.values()),
        "oauth-authorization-server": authorization_server_metadata(config.url),
        "jwt-vc-issuer": {
            "issuer": config.url,
            "jwks": {"keys": [{**jwk, "kid": office.signer.key.public.thumbprint()}]},
        },
    }
    for name, document in documents.items():
        view = functools.partial(json_response, document, max_age=METADATA_SECONDS)
        app.add_url_rule(f"/.well-known/{name}{prefix}", name, _open_to_all(view))


def _open_to_all(view: View[P]) -> View[P]:
    """Public and the same for everybody, so pages of any origin may read it (Token Status List 8, VCI 12.2)."""

    @functools.wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Response:
        response = view(*args, **kwargs)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return wrapped


def _oauth_errors(known: Collection[str], otherwise: str) -> Callable[[View[P]], View[P]]:
    """Refusals as an OAuth error object, never cached: 401 for a token, else 400 (RFC 6749 5.2, VCI 8.3.1)."""

    def decorate(view: View[P]) -> View[P]:
        @functools.wraps(view)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                return view(*args, **kwargs)
            except Rejected as error:
                if error.status != 401:
                    return json_response(error_body(error, known, otherwise), status=400)
                # RFC 6750 section 3.1: no error code for who showed no token at all.
                challenge = 'Bearer error="invalid_token"' if "Authorization" in request.headers else "Bearer"
                body = {"error": "invalid_token"}
                return json_response(body, status=401, headers={"WWW-Authenticate": challenge})

        return wrapped

    return decorate


def _access_token() -> bytes:
    """The Bearer token of the header; one in the address is refused even beside it, as addresses are logged
    (RFC 6750 section 2.3, RFC 9700 section 4.3.2). Raises `Rejected`: `unauthorized` (401)."""
    if "access_token" in request.args:
        raise Rejected("unauthorized", "a token has no place in an address", status=401)
    return bearer_token()


def _require_json(code: str) -> None:
    if request.mimetype != "application/json":
        raise Rejected(code, "send application/json")


def _add_issuance(app: Flask, office: Office, prefix: str) -> None:
    @app.post(f"{prefix}/token")
    @_oauth_errors(TOKEN_ERRORS, "invalid_request")
    def token() -> Response:
        form = read_form(MAX_OFFER_BYTES)
        return json_response(office.redeem(parse_token_request(list(form.items()))))

    @app.post(f"{prefix}/nonce")
    def nonce() -> Response:
        return json_response(NonceResponse(office.nonce()))

    @app.post(f"{prefix}/credential")
    @_oauth_errors(CREDENTIAL_ERRORS, "invalid_credential_request")
    def credential() -> Response:
        access = _access_token()
        _require_json("invalid_credential_request")
        return json_response(office.credential(access, read_body(max_bytes=MAX_CREDENTIAL_REQUEST_BYTES)))

    @app.post(f"{prefix}/notification")
    @_oauth_errors(NOTIFICATION_ERRORS, "invalid_notification_request")
    def notification() -> Response:
        access = _access_token()
        _require_json("invalid_notification_request")
        office.notify(access, read_body(max_bytes=MAX_OFFER_BYTES))
        return Response(status=204)


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
