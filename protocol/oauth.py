"""OAuth 2.0 as HAIP 1.0 section 4 wants it, both sides: PAR (RFC 9126), PKCE S256 (RFC 7636), `iss` (RFC 9207).

    wallet                                            issuer
      -> pushed authorization request                   authorization_form, parse_authorization_request
      <- request_uri                                    PushedResponse, parse_par_response
      -> browser: client_id and request_uri             authorization_url, parse_pushed_reference
      <- browser: code, state, iss                      response_url, parse_authorization_response
      -> code, or refresh token, or pre-authorized code token_form, parse_token_request
      <- tokens                                         TokenResponse, parse_token_response

What proves who asks travels in headers: modules `dpop` and `client_attestation`. Pure: no network, no store.
Parameters that we do not know are ignored (RFC 6749 3.1). The `code` of a `Rejected` is the specification's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode

import msgspec

from protocol.canonical import b64u_encode, convert, is_equal, parse_json, sha256
from protocol.errors import Rejected
from protocol.issuer_metadata import MAX_METADATA_BYTES, PRE_AUTHORIZED_GRANT, check_url, parse_foreign

AUTHORIZATION_CODE_GRANT = "authorization_code"
REFRESH_TOKEN_GRANT = "refresh_token"  # noqa: S105 - the name of the grant
CREDENTIAL_DETAIL = "openid_credential"
PUSHED_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
MAX_PARAMETER = 1024
"""Longest code, token, state or URL that we look at."""
MAX_DETAILS_BYTES = 16 * 1024
MAX_SCOPES = 32
"""Scopes, and authorization details, of one request."""

AUTHORIZATION_ERRORS = frozenset(
    {
        "invalid_request",
        "unauthorized_client",
        "access_denied",
        "unsupported_response_type",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "invalid_authorization_details",
    }
)
"""RFC 6749 4.1.2.1 and RFC 9396 5."""
CLIENT_ERRORS = frozenset(
    {
        "invalid_client",
        "invalid_client_attestation",
        "use_attestation_challenge",
        "use_fresh_attestation",
        "invalid_dpop_proof",
        "use_dpop_nonce",
    }
)
"""RFC 6749 5.2, attestation-based client authentication, RFC 9449 5 and 8."""
PAR_ERRORS = AUTHORIZATION_ERRORS | CLIENT_ERRORS
TOKEN_ERRORS = CLIENT_ERRORS | {
    "invalid_request",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}\Z")
_SCOPE = re.compile(r"[!#-\[\]-~]+\Z")
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")
_PRIVATE_USE = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:[!\"$-~]*\Z")
"""An address of a private-use scheme: a domain name in reverse, never `javascript` (RFC 8252 7.1)."""
_ERROR_CODE = re.compile(r"[a-z0-9_]{1,64}\Z")
Pairs: TypeAlias = Sequence[tuple[str, str]]


class AuthorizationDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """A credential asked for (RFC 9396, VCI 5.1.1); `credential_identifiers` only in a token response (6.2)."""

    type: str
    credential_configuration_id: str
    credential_identifiers: list[str] | None = None
    locations: list[str] | None = None


@dataclass(frozen=True)
class AuthorizationRequest:
    """An authorization request of good form (VCI 5.1); the method is always S256, the response type `code`."""

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    state: str | None
    code_challenge: str
    issuer_state: str | None = None
    authorization_details: tuple[AuthorizationDetail, ...] = ()


class PushedResponse(msgspec.Struct, frozen=True):
    """Answer of the PAR endpoint, status 201 (RFC 9126 2.2); `expires_in` in seconds."""

    request_uri: str
    expires_in: int


@dataclass(frozen=True)
class PreAuthorizedCode:
    """Token request with a pre-authorized code (VCI 6.1). `details`: to be told the identifiers of what is given,
    without which nothing can be issued again; a server reads them where it answers the request.
    """

    pre_authorized_code: str
    tx_code: str | None = None
    details: tuple[AuthorizationDetail, ...] = ()


@dataclass(frozen=True)
class AuthorizationCode:
    """Token request with the code of an authorization response (RFC 6749 4.1.3, RFC 7636 4.5)."""

    code: str
    redirect_uri: str
    code_verifier: str


@dataclass(frozen=True)
class RefreshToken:
    """Token request with a refresh token (RFC 6749 6). `details`: what is to be issued again, by identifier
    (RFC 9396 section 6)."""

    refresh_token: str
    details: tuple[AuthorizationDetail, ...] = ()


TokenRequest: TypeAlias = PreAuthorizedCode | AuthorizationCode | RefreshToken


class TokenResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """`token_type` is `Bearer` or `DPoP`; seconds until the token dies in `expires_in` (VCI 6.2)."""

    access_token: str
    token_type: str
    expires_in: int | None = None
    refresh_token: str | None = None
    scope: str | None = None
    authorization_details: list[AuthorizationDetail] | None = None


def code_challenge(verifier: str) -> str:
    """S256 of a code verifier of 43 to 128 characters (RFC 7636 4.1, 4.2). Raises `Rejected`: `invalid_grant`."""
    if not _VERIFIER.match(verifier):
        raise Rejected("invalid_grant", "code_verifier is not 43 to 128 unreserved characters")
    return b64u_encode(sha256(verifier.encode("ascii")))


def _known(pairs: Pairs, names: Iterable[str]) -> dict[str, str]:
    """The parameters that we know. An empty value counts as left out, none occurs twice (RFC 6749 3.1, 3.2)."""
    wanted, found = set(names), dict[str, str]()
    for name, value in pairs:
        if name in wanted and value:
            if name in found:
                raise Rejected("invalid_request", f"{name} is repeated")
            if len(value) > (MAX_DETAILS_BYTES if name == "authorization_details" else MAX_PARAMETER):
                raise Rejected("invalid_request", f"{name} is too long")
            if not value.isprintable():
                raise Rejected("invalid_request", f"{name} holds a control character")
            found[name] = value
    return found


def _required(found: Mapping[str, str], *names: str) -> list[str]:
    missing = [name for name in names if name not in found]
    if missing:
        raise Rejected("invalid_request", f"{missing[0]} is missing")
    return [found[name] for name in names]


_AUTHORIZATION_PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "issuer_state",
    "authorization_details",
    "request",
    "request_uri",
)


def parse_authorization_request(pairs: Pairs) -> AuthorizationRequest:
    """A pushed request (RFC 9126 2.1). 1. no parameter twice, no `request_uri` and no request object; 2. the
    response type is `code`; 3. PKCE with S256; 4. a redirect URI; 5. a scope or authorization details.

    **Not** checked: whether the client, the redirect URI and the scopes are known.
    Raises `Rejected`: `invalid_request`, `unsupported_response_type`, `invalid_scope`,
    `invalid_authorization_details`.
    """
    found = _known(pairs, _AUTHORIZATION_PARAMETERS)
    if "request_uri" in found or "request" in found:  # 1.
        raise Rejected("invalid_request", "a pushed request is a plain form")
    response_type, client_id, redirect_uri = _required(found, "response_type", "client_id", "redirect_uri")
    if response_type != "code":  # 2.
        raise Rejected("unsupported_response_type", "only code is supported")
    challenge, method = _required(found, "code_challenge", "code_challenge_method")
    if method != "S256" or not _CHALLENGE.match(challenge):  # 3.
        raise Rejected("invalid_request", "only PKCE with S256 is supported")
    if not _PRIVATE_USE.match(redirect_uri):  # 4.
        check_url(redirect_uri, "invalid_request")
    scope = tuple(found.get("scope", "").split())
    if len(scope) > MAX_SCOPES or not all(map(_SCOPE.match, scope)):
        raise Rejected("invalid_scope", "scope is not a list of names")
    details = (
        parse_authorization_details(found["authorization_details"]) if "authorization_details" in found else ()
    )
    if not scope and not details:  # 5.
        raise Rejected("invalid_scope", "neither a scope nor authorization details")
    return AuthorizationRequest(
        client_id, redirect_uri, scope, found.get("state"), challenge, found.get("issuer_state"), details
    )


def parse_authorization_details(text: str) -> tuple[AuthorizationDetail, ...]:
    """Details of type `openid_credential` without identifiers (VCI 5.1.1).

    Raises `Rejected`: `invalid_authorization_details`.
    """
    try:
        details = convert(parse_json(text, max_bytes=MAX_DETAILS_BYTES, floats=True), list[AuthorizationDetail])
    except Rejected as error:
        raise Rejected("invalid_authorization_details", error.detail) from error
    if not 0 < len(details) <= MAX_SCOPES:
        raise Rejected("invalid_authorization_details", f"between one and {MAX_SCOPES} details are needed")
    for detail in details:
        if detail.type != CREDENTIAL_DETAIL or detail.credential_identifiers is not None:
            raise Rejected("invalid_authorization_details", "only credential configurations can be asked for")
    return tuple(details)


def authorization_form(request: AuthorizationRequest) -> dict[str, str]:
    """The form that a wallet pushes (VCI 5.1, RFC 9126 2.1)."""
    form = {
        "response_type": "code",
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "code_challenge": request.code_challenge,
        "code_challenge_method": "S256",
        "scope": " ".join(request.scope),
        "state": request.state,
        "issuer_state": request.issuer_state,
    }
    if request.authorization_details:
        form["authorization_details"] = msgspec.json.encode(request.authorization_details).decode("utf-8")
    return {name: value for name, value in form.items() if value}


def parse_par_response(data: bytes | str) -> PushedResponse:
    """Raises `Rejected`: `bad_par_response`."""
    answer = parse_foreign(data, PushedResponse, "bad_par_response", MAX_METADATA_BYTES)
    if not 0 < len(answer.request_uri) <= MAX_PARAMETER or not answer.request_uri.isascii():
        raise Rejected("bad_par_response", "request_uri is empty, too long or not a URI")
    return answer


def authorization_url(endpoint: str, client_id: str, request_uri: str) -> str:
    """What the resident's browser opens (RFC 9126 4): nothing of the request stands in it."""
    glue = "&" if "?" in endpoint else "?"
    return endpoint + glue + urlencode({"client_id": client_id, "request_uri": request_uri})


def parse_pushed_reference(pairs: Pairs) -> tuple[str, str]:
    """`client_id` and `request_uri` of a browser that comes for a pushed request. All else is ignored, so that
    nobody can change what was pushed (RFC 9126 4). Raises `Rejected`: `invalid_request`.
    """
    client_id, request_uri = _required(_known(pairs, ("client_id", "request_uri")), "client_id", "request_uri")
    return client_id, request_uri


def response_url(redirect_uri: str, *, issuer: str, state: str | None, **members: str) -> str:
    """Where the browser is sent back to, with `code` or `error` in `members`; `iss` always (RFC 9207 2)."""
    values = {**members, "iss": issuer} if state is None else {**members, "state": state, "iss": issuer}
    return redirect_uri + ("&" if "?" in redirect_uri else "?") + urlencode(values)


def parse_authorization_response(query: str, state: str, issuer: str) -> str:
    """The code in the query of an authorization response, which anybody may have made up.

    1. form, no parameter twice; 2. `state` is that of the request (CSRF); 3. `iss` is there and is the server that
    was asked (mix-up: RFC 9207 2.4, RFC 9700 4.4); 4. no error; 5. a code.
    Raises `Rejected`: `bad_authorization_response`, or the server's refusal under its own code.
    """
    if len(query) > 8 * MAX_PARAMETER:
        raise Rejected("bad_authorization_response", "the response is too long")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=32, errors="strict")
        found = _known(pairs, ("code", "state", "iss", "error", "error_description"))  # 1.
    except (ValueError, Rejected) as error:
        raise Rejected("bad_authorization_response", "not an authorization response") from error
    if not is_equal(found.get("state", "").encode("utf-8"), state.encode("utf-8")):  # 2.
        raise Rejected("bad_authorization_response", "state is not that of the request")
    if found.get("iss") != issuer:  # 3.
        raise Rejected("bad_authorization_response", "the response is not of the server that was asked")
    if "error" in found:  # 4.
        code = found["error"] if _ERROR_CODE.match(found["error"]) else "issuer_refused"
        raise Rejected(code, "the issuer did not authorize this request", status=403)
    if "code" not in found:  # 5.
        raise Rejected("bad_authorization_response", "there is no code")
    return found["code"]


def token_form(request: TokenRequest, client_id: str | None = None) -> dict[str, str]:
    """The form of a token request (RFC 6749 4.1.3, 6; VCI 6.1); without a client_id access is anonymous."""
    if isinstance(request, PreAuthorizedCode):
        form = {"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": request.pre_authorized_code}
        if request.tx_code is not None:
            form["tx_code"] = request.tx_code
    elif isinstance(request, AuthorizationCode):
        form = {
            "grant_type": AUTHORIZATION_CODE_GRANT,
            "code": request.code,
            "redirect_uri": request.redirect_uri,
            "code_verifier": request.code_verifier,
        }
    else:
        form = {"grant_type": REFRESH_TOKEN_GRANT, "refresh_token": request.refresh_token}
    if not isinstance(request, AuthorizationCode) and request.details:
        form["authorization_details"] = msgspec.json.encode(request.details).decode("utf-8")
    return form if client_id is None else {**form, "client_id": client_id}


_TOKEN_PARAMETERS = (
    "grant_type",
    "pre-authorized_code",
    "tx_code",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
)


def parse_token_request(pairs: Pairs) -> TokenRequest:
    """1. no known parameter twice; 2. a grant that we know; 3. what belongs to it.

    Raises `Rejected`: `invalid_request`, `unsupported_grant_type`.
    """
    found = _known(pairs, _TOKEN_PARAMETERS)
    (grant,) = _required(found, "grant_type")
    if grant == PRE_AUTHORIZED_GRANT:
        return PreAuthorizedCode(_required(found, "pre-authorized_code")[0], found.get("tx_code"))
    if grant == AUTHORIZATION_CODE_GRANT:
        return AuthorizationCode(*_required(found, "code", "redirect_uri", "code_verifier"))
    if grant == REFRESH_TOKEN_GRANT:
        return RefreshToken(_required(found, "refresh_token")[0])
    raise Rejected("unsupported_grant_type", "this grant is not supported")


def parse_token_response(data: bytes | str, *, token_type: str) -> TokenResponse:
    """Tokens of the type that was asked for, `Bearer` or `DPoP`: a Bearer token in answer to a DPoP proof could be
    used by whoever steals it (RFC 9449 5). Raises `Rejected`: `bad_token_response`.
    """
    answer = parse_foreign(data, TokenResponse, "bad_token_response", MAX_METADATA_BYTES)
    if answer.token_type.lower() != token_type.lower():
        raise Rejected("bad_token_response", f"the token is not of type {token_type}")
    for token in (answer.access_token, answer.refresh_token):
        if token is not None and (not _TOKEN.match(token) or len(token) > 8 * MAX_PARAMETER):
            raise Rejected("bad_token_response", "a token is empty, too long or has characters that none may have")
    return answer
