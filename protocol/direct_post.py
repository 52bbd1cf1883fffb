"""The answer to an OpenID4VP request, both sides: `direct_post.jwt` (OpenID4VP 1.0 section 8, HAIP 1.0 section 5).

A form with one JWE, or with the wallet's error. The JWE holds `vp_token`, `state` and, under standing access, our
`regie_sealed` (protocol section 4). Where a request asks for a plain answer (`direct_post`, section 8.2), the form
has `vp_token` and `state` themselves.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from protocol import jwe
from protocol.canonical import convert, is_equal, parse_object, parse_struct
from protocol.errors import Rejected
from protocol.keys import Es256Private
from protocol.presentation import RegieSealed
from protocol.terms import check_terms

MAX_FORM_BYTES = jwe.MAX_JWE_BYTES + 1024
MAX_PRESENTATIONS = 16
"""Credentials in one answer."""
WALLET_ERRORS = frozenset(
    {
        "access_denied",
        "invalid_request",
        "invalid_client",
        "invalid_transaction_data",
        "invalid_request_uri_method",
        "invalid_scope",
        "unsupported_response_type",
        "vp_formats_not_supported",
        "wallet_unavailable",
    }
)
"""RFC 6749 section 4.1.2.1 and OpenID4VP section 8.5: the error codes a wallet may send."""
MAX_URL_CHARS = 2048
"""As long as browsers and servers surely take."""
_URL = re.compile(r"https?://[!\"$-.0->A-\[\]-~]+(?:[/?][!\"$-\[\]-~]*)?")
"""Printable ASCII without user, fragment and backslash: browsers differ on the rest, or show another host."""

_FRAGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]*")
"""RFC 3986 section 3.5."""


@dataclass(frozen=True)
class EncryptionKey:
    """The first key of the request that we can use, and the content encryption to use it with."""

    jwk: Mapping[str, Any]
    enc: str


def check_url(value: Any, name: str) -> str:
    """An absolute http(s) URL of others; **not** whether it may be fetched. Raises: `invalid_request`."""
    if not isinstance(value, str) or len(value) > MAX_URL_CHARS or not _URL.fullmatch(value):
        raise Rejected("invalid_request", f"{name} is not a plain http(s) URL without user or fragment")
    try:
        parts = urlsplit(value)
        has_host = bool(parts.hostname)
        _ = parts.port
    except ValueError as error:
        raise Rejected("invalid_request", f"{name} has a host or port that cannot be") from error
    if not has_host:
        raise Rejected("invalid_request", f"{name} names no host")
    return value


def parse_form(text: str) -> dict[str, str]:
    """application/x-www-form-urlencoded with each member once. Raises `Rejected`: `invalid_request`."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError as error:
        raise Rejected("invalid_request", "parameters are not form encoded") from error
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Rejected("invalid_request", "a parameter occurs twice")
    return members


Presentations = Annotated[
    list[Annotated[str, Meta(max_length=jwe.MAX_JWE_BYTES)]], Meta(min_length=1, max_length=MAX_PRESENTATIONS)
]


class ResponseObject(Struct, frozen=True, omit_defaults=True):
    """The JSON inside the JWE (sections 8.1, 8.3): DCQL id to presentations; `regie_sealed` is **ours**."""

    vp_token: Annotated[dict[str, Presentations], Meta(min_length=1, max_length=MAX_PRESENTATIONS)]
    state: str | UnsetType = UNSET
    regie_sealed: RegieSealed | UnsetType = UNSET


@dataclass(frozen=True)
class WalletError:
    """The wallet says no, or that it could not (section 8.5). `code` is one of `WALLET_ERRORS`."""

    code: str
    state: str | None


def encrypt_response(
    key: EncryptionKey,
    *,
    nonce: str,
    state: str | None,
    vp_token: Mapping[str, Sequence[str]],
    sealed: RegieSealed | None = None,
) -> bytes:
    """The form body for `response_uri`: `response=<JWE>` (section 8.3.1); `nonce` and `state` of the request."""
    response = ResponseObject(
        {name: list(presentations) for name, presentations in vp_token.items()},
        UNSET if state is None else state,
        UNSET if sealed is None else sealed,
    )
    token = jwe.encrypt(msgspec.json.encode(response), key.jwk, enc=key.enc, apv=nonce.encode("ascii"))
    return urlencode({"response": token}).encode("ascii")


def plain_form(*, state: str | None, vp_token: Mapping[str, Sequence[str]]) -> bytes:
    """The form body for `response_uri` under `direct_post` (section 8.2): whoever reads the transport reads it."""
    members = {"vp_token": msgspec.json.encode({name: list(many) for name, many in vp_token.items()})}
    if state is not None:
        members["state"] = state.encode()
    return urlencode(members).encode("ascii")


def error_form(state: str | None, code: str = "access_denied") -> bytes:
    """The form body that declines. A refusal and a missing card MUST use the same code (section 15.3)."""
    members = {"error": code}
    if state is not None:
        members["state"] = state
    return urlencode(members).encode("ascii")


def parse_response_form(body: bytes, *, plain: bool = False) -> str | ResponseObject | WalletError:
    """The JWE of an answer, or the wallet's error; under `plain` the answer itself, which `check_state` MUST see.

    What was not asked for is refused: a plain `vp_token` where encryption was, a JWE where it was not.
    Raises `Rejected`: `too_large`, `invalid_request` and those of parsing.
    """
    if len(body) > MAX_FORM_BYTES:
        raise Rejected("too_large", f"answer is larger than {MAX_FORM_BYTES} bytes")
    members = parse_form(body.decode("utf-8", "replace"))
    if "error" in members:
        if members["error"] not in WALLET_ERRORS:
            raise Rejected("invalid_request", "unknown error code")
        return WalletError(members["error"], members.get("state"))
    wanted, other = ("vp_token", "response") if plain else ("response", "vp_token")
    if wanted not in members or other in members:
        raise Rejected("invalid_request", "the answer does not come in the response mode that was asked for")
    if not plain:
        return members["response"]
    answer = {name: members[name] for name in ("state",) if name in members}
    presentations = parse_object(members["vp_token"], max_bytes=jwe.MAX_JWE_BYTES)
    return convert({**answer, "vp_token": presentations}, ResponseObject)


def check_state(response: ResponseObject, state: str) -> None:
    """Whoever answers has read the request. Raises `Rejected`: `invalid_request`."""
    if response.state is UNSET or not is_equal(response.state.encode(), state.encode()):
        raise Rejected("invalid_request", "state is not that of the request")


def decrypt_response(token: str, key: Es256Private, *, state: str) -> ResponseObject:
    """The answer inside a JWE. `key` and `state` are those of the one request that it answers.

    1. the JWE names our key, where it names one; 2. decryption; 3. form; 4. `state` comes back; 5. the rules that
    terms have of their own. **Not** checked: anything signed.
    Raises `Rejected`: `invalid_request`, `bad_terms`, `flags_missing` and those of `jwe.decrypt` and parsing.
    """
    kid = jwe.parse_header(token).get("kid")
    if kid is not None and kid != key.public.thumbprint():  # 1.
        raise Rejected("invalid_request", "encrypted to the key of another request")
    response = parse_struct(jwe.decrypt(token, key), ResponseObject, max_bytes=jwe.MAX_JWE_BYTES)  # 2., 3.
    check_state(response, state)  # 4.
    if response.regie_sealed is not UNSET:  # 5.
        check_terms(response.regie_sealed.terms)
    return response


def parse_redirect(body: bytes) -> str | None:
    """`redirect_uri` of the verifier's 200 answer, which the wallet opens (section 8.2). Raises `Rejected`.

    It may have a fragment, unlike other addresses: a verifier can put its response_code there (section 13.3).
    """
    uri = parse_object(body).get("redirect_uri")
    if uri is None:
        return None
    page, _, fragment = uri.partition("#") if isinstance(uri, str) else (uri, "", "")
    check_url(page, "redirect_uri")
    if not _FRAGMENT.fullmatch(fragment) or len(uri) > MAX_URL_CHARS:
        raise Rejected("invalid_request", "redirect_uri has a fragment that is too long or not plain ASCII")
    return str(uri)
