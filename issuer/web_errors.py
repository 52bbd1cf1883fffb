"""Refusals in the form that OAuth and OpenID4VCI give them, and pages for a browser that can be sent nowhere.

A refusal that asks for a fresh nonce brings it in a header (RFC 9449 sections 8 and 9, attestation-based client
authentication section 6.2), so that the wallet can simply ask again.
"""

import functools
from collections.abc import Callable, Collection
from html import escape

from flask import Response, request

from issuer.possession import Possession
from protocol.client_attestation import CHALLENGE_HEADER
from protocol.errors import Rejected, Unavailable
from protocol.openid4vci import error_body
from service.app import json_response

DPOP_NONCE_HEADER = "DPoP-Nonce"
View = Callable[..., Response]
Decorator = Callable[[View], View]
_ALGORITHMS = 'algs="ES256"'
_OF_PROOFS = ("invalid_dpop_proof", "use_dpop_nonce")
_PAGE_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def server_errors(possession: Possession, known: Collection[str], otherwise: str) -> Decorator:
    """Of the authorization server: 401 for a client that did not authenticate, else 400 (RFC 6749 5.2)."""

    def refuse(error: Rejected) -> Response:
        status = 401 if error.status == 401 else 400
        return json_response(error_body(error, known, otherwise), status=status)

    return _errors(possession, refuse)


def resource_errors(possession: Possession, known: Collection[str], otherwise: str) -> Decorator:
    """Of the endpoints that take access tokens: 401 with a challenge, else 400 (RFC 6750 3, RFC 9449 7.1)."""

    def refuse(error: Rejected) -> Response:
        if error.status != 401:
            return json_response(error_body(error, known, otherwise), status=400)
        code = error.code if error.code in _OF_PROOFS else "invalid_token"
        return json_response({"error": code}, status=401, headers={"WWW-Authenticate": _challenge(code)})

    return _errors(possession, refuse)


def _challenge(code: str) -> str:
    # RFC 6750 section 3.1: no error code for who showed no token at all.
    header = request.headers.get("Authorization")
    if header is None:
        return f"Bearer, DPoP {_ALGORITHMS}"
    if header.partition(" ")[0].lower() == "dpop":
        return f'DPoP error="{code}", {_ALGORITHMS}'
    return f'Bearer error="{code}"'


def _errors(possession: Possession, refuse: Callable[[Rejected], Response]) -> Decorator:
    def decorate(view: View) -> View:
        @functools.wraps(view)
        def wrapped(*args: object, **kwargs: object) -> Response:
            code = ""
            try:
                response = view(*args, **kwargs)
            except Rejected as error:
                response, code = refuse(error), error.code
            if code == "use_dpop_nonce" or "DPoP" in request.headers:
                response.headers[DPOP_NONCE_HEADER] = possession.dpop_nonce()
            if code == "use_attestation_challenge":
                response.headers[CHALLENGE_HEADER] = possession.challenge()
            return response

        return wrapped

    return decorate


def page_errors(view: View) -> View:
    """Refusals as a page of plain words in two languages: whoever sent the browser here is told nothing."""

    @functools.wraps(view)
    def wrapped(*args: object, **kwargs: object) -> Response:
        try:
            return view(*args, **kwargs)
        except Rejected:
            return _page(
                400,
                "Deze aanvraag is onbekend, verlopen of al gebruikt. Begin opnieuw in uw wallet.",
                "This request is unknown, over or was used before. Begin again in your wallet.",
            )
        except Unavailable:
            return _page(
                503,
                "Inloggen kan op dit moment niet. Probeer het straks opnieuw.",
                "You cannot log in at this moment. Try again later.",
            )

    return wrapped


def _page(status: int, dutch: str, english: str) -> Response:
    text = (
        '<!doctype html><html lang="nl"><meta charset="utf-8"><title>Inloggen</title>'
        f'<p>{escape(dutch)}</p><p lang="en">{escape(english)}</p></html>'
    )
    response = Response(text, status=status, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    if status == 503:
        response.headers["Retry-After"] = "30"
    return response
