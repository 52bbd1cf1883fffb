"""The endpoints of the authorization server, and those through which the resident's browser passes.

POST /challenge        challenge for a wallet attestation             attestation-based client authentication
POST /par              what a wallet wants                            RFC 9126
GET  /authorize        the browser comes, and is sent to log in       RFC 6749 4.1.1
GET  /login/callback   it comes back, and is sent to the wallet       OpenID Connect Core 3.1.2.5
POST /token            codes and refresh tokens -> access tokens      RFC 6749 5, VCI 6
"""

from flask import Flask, Response, request

from issuer.authorization_server import AuthorizationServer
from issuer.authorize import LOGIN_SECONDS
from issuer.possession import Possession, Proofs
from issuer.token_server import TokenServer
from issuer.web_errors import DPOP_NONCE_HEADER, page_errors, server_errors
from protocol.canonical import b64u_decode, b64u_encode
from protocol.client_attestation import ATTESTATION_HEADER, CHALLENGE_HEADER, POP_HEADER
from protocol.errors import Rejected
from protocol.oauth import MAX_DETAILS_BYTES, PAR_ERRORS, TOKEN_ERRORS
from service.app import json_response, opened_once, read_form

MAX_FORM_BYTES = 2 * MAX_DETAILS_BYTES
CALLBACK = "/login/callback"
_COOKIE_PREFIX = "regie-login-"


def add_oauth(
    app: Flask, server: AuthorizationServer, tokens: TokenServer, possession: Possession, prefix: str
) -> None:
    """Add them below `prefix`."""
    is_https = possession.issuer.startswith("https:")

    @app.post(f"{prefix}/challenge")
    def challenge() -> Response:
        answer = json_response({"attestation_challenge": possession.challenge()})
        answer.headers[DPOP_NONCE_HEADER] = possession.dpop_nonce()  # who asks will need one next
        return answer

    @app.post(f"{prefix}/par")
    @server_errors(possession, PAR_ERRORS, "invalid_request")
    def par() -> Response:
        form = read_form(MAX_FORM_BYTES)
        answer = json_response(server.push(list(form.items()), _proofs()), status=201)
        answer.headers[CHALLENGE_HEADER] = possession.challenge()  # for the token request, which needs one too
        return answer

    @app.get(f"{prefix}/authorize")
    @opened_once
    @page_errors
    def authorize() -> Response:
        leaving = server.start(list(request.args.items(multi=True)))
        response = _see_other(leaving.url)
        response.set_cookie(
            leaving.cookie,
            b64u_encode(leaving.value),
            max_age=LOGIN_SECONDS,
            path=f"{prefix}/login",
            secure=is_https,
            httponly=True,
            samesite="Lax",  # the provider's answer is a navigation from another site
        )
        return response

    @app.get(f"{prefix}{CALLBACK}")
    @opened_once
    @page_errors
    def login_callback() -> Response:
        answer = {name: values[0] for name, values in request.args.lists() if len(values) == 1}
        arrived = server.finish(answer, _cookies())
        response = _see_other(arrived.url)
        response.delete_cookie(arrived.cookie, path=f"{prefix}/login")
        return response

    @app.post(f"{prefix}/token")
    @server_errors(possession, TOKEN_ERRORS, "invalid_request")
    def token() -> Response:
        form = read_form(MAX_FORM_BYTES)
        return json_response(tokens.token(list(form.items()), _proofs()))


def _see_other(url: str) -> Response:
    """303 and never 307, which would send on what was posted (RFC 9700 4.12)."""
    response = Response(status=303)
    response.headers["Location"] = url
    return response


def _proofs() -> Proofs:
    """One header each: a server that joins two of them makes something that is no token."""
    return Proofs(
        request.headers.get("DPoP"), request.headers.get(ATTESTATION_HEADER), request.headers.get(POP_HEADER)
    )


def _cookies() -> dict[str, bytes]:
    found = {}
    for name, value in request.cookies.items():
        if name.startswith(_COOKIE_PREFIX):
            try:
                found[name] = b64u_decode(value, max_bytes=64)
            except Rejected:
                continue
    return found
