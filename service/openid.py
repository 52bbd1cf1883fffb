"""A client of an OpenID provider (OpenID Connect Core 1.0, Discovery 1.0): so residents log in at an issuer, and
staff at a desk.

    client = OpenIdClient("issuer", registration, credentials, fetcher, clock, random)
    url = client.url(secrets)                  # the browser goes there
    claims = client.claims(code, secrets, iss) # and comes back with a code

The provider's documents are kept for some minutes. Everything goes through `service.fetch`.
"""

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from protocol.canonical import b64u_encode, parse_json
from protocol.errors import Rejected, Unavailable
from protocol.issuer_metadata import check_url, parse_foreign
from protocol.jws import sign_jws
from protocol.keys import Es256Private
from protocol.oauth import code_challenge
from protocol.openid_connect import Algorithm, LoginSecrets, parse_keys, verify_id_token
from service.clock import Clock
from service.fetch import Fetcher
from service.journal import log_event

KEEP_SECONDS = 300
RETRY_SECONDS = 5
"""So long a provider that failed is not asked again: else everybody who waits for it would hold a thread."""
ASSERTION_SECONDS = 60
MAX_DOCUMENT_BYTES = 256 * 1024


@dataclass(frozen=True)
class ClientCredentials:
    """What we authenticate with at the provider: a key, or else a secret that both know."""

    key: Es256Private | None = None
    secret: str | None = None


@dataclass(frozen=True)
class Registration:
    """How we are known at `provider` (its issuer identifier), and where it sends the browser back to."""

    provider: str
    client_id: str
    redirect_uri: str
    scope: str = "openid"
    signing_alg: Algorithm = "ES256"


class ProviderMetadata(msgspec.Struct, frozen=True):
    """`/.well-known/openid-configuration`, as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str | None = None


@dataclass(frozen=True)
class _Known:
    metadata: ProviderMetadata
    keys: tuple[Mapping[str, Any], ...]
    fetched: int


class OpenIdClient:
    """Thread-safe. `room`: who we are in the journal."""

    def __init__(
        self,
        room: str,
        registration: Registration,
        credentials: ClientCredentials,
        fetcher: Fetcher,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self.registration = registration
        self._room = room
        self._credentials = credentials
        self._fetcher = fetcher
        self._clock = clock
        self._random = random
        self._known: _Known | None = None
        self._failed: int | None = None
        self._lock = threading.Lock()

    def url(self, secrets: LoginSecrets, *, acr_values: Sequence[str] = (), ui_locales: str = "") -> str:
        """Where the browser is sent; `ui_locales`: the language of the page that it leaves.

        Raises `Unavailable`: the provider cannot be reached, or is misconfigured.
        """
        endpoint = self._provider().metadata.authorization_endpoint
        question = {
            "response_type": "code",
            "client_id": self.registration.client_id,
            "redirect_uri": self.registration.redirect_uri,
            "scope": self.registration.scope,
            "prompt": "login",  # a session that somebody left open on this device is nobody's will
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": code_challenge(secrets.verifier),
            "code_challenge_method": "S256",
        }
        if acr_values:
            question["acr_values"] = " ".join(acr_values)
        if ui_locales:
            question["ui_locales"] = ui_locales
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(question)

    def claims(
        self, code: str, secrets: LoginSecrets, iss: str | None, *, wanted: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """What the provider says of who logged in. `iss` of the answer names the provider (RFC 9207).

        `wanted`: claims that are taken from the userinfo endpoint when the ID token does not have them; nothing
        else is, so that how surely somebody was identified is always what was signed for this login.
        Raises `Rejected`: `access_denied`, `bad_id_token` or the provider's refusal; `Unavailable`.
        """
        known = self._provider()
        if iss != self.registration.provider and (
            iss is not None or known.metadata.authorization_response_iss_parameter_supported
        ):
            raise Rejected("access_denied", "the answer is of another provider")
        tokens = self._redeem(known.metadata, code, secrets.verifier)
        claims = self._verify(known, tokens.id_token, secrets.nonce)
        missing = [name for name in wanted if name not in claims]
        endpoint = known.metadata.userinfo_endpoint
        if not missing or endpoint is None or tokens.access_token is None:
            return claims
        more = self._userinfo(endpoint, tokens.access_token, claims["sub"])
        return {**claims, **{name: more[name] for name in missing if name in more}}

    def _redeem(self, metadata: ProviderMetadata, code: str, verifier: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.registration.redirect_uri,
            "code_verifier": verifier,
            "client_id": self.registration.client_id,
        }
        headers = {}
        if self._credentials.key is not None:
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self._assertion(self._credentials.key, metadata.issuer)
        elif self._credentials.secret is not None:
            headers["Authorization"] = _basic(self.registration.client_id, self._credentials.secret)
        answer = self._fetcher.post_form(metadata.token_endpoint, form, headers=headers)
        return parse_foreign(answer.body, _Tokens, "bad_id_token", MAX_DOCUMENT_BYTES)

    def _assertion(self, key: Es256Private, audience: str) -> str:
        """`private_key_jwt` (OpenID Connect Core 9), for the provider's identifier and no other server."""
        now = self._clock.now()
        claims = {
            "iss": self.registration.client_id,
            "sub": self.registration.client_id,
            "aud": audience,
            "jti": b64u_encode(self._random(16)),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        return sign_jws(claims, key, typ="JWT", header={"kid": key.public.thumbprint()})

    def _userinfo(self, endpoint: str, access_token: str, subject: str) -> Mapping[str, Any]:
        answer = self._fetcher.get(endpoint, headers={"Authorization": f"Bearer {access_token}"})
        more = parse_json(answer.body, max_bytes=MAX_DOCUMENT_BYTES, floats=True)
        if not isinstance(more, dict) or more.get("sub") != subject:  # OpenID Connect Core 5.3.2
            raise Rejected("bad_id_token", "userinfo is of somebody else")
        return more

    def _verify(self, known: _Known, token: str, nonce: str) -> dict[str, Any]:
        def verify(keys: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
            return verify_id_token(
                token,
                keys,
                provider=self.registration.provider,
                client_id=self.registration.client_id,
                algorithm=self.registration.signing_alg,
                nonce=nonce,
                now=self._clock.now(),
            )

        try:
            return verify(known.keys)
        except Rejected:
            fresh = self._provider(renew=known)  # its keys may have changed since
            if fresh.keys == known.keys:
                raise
            return verify(fresh.keys)

    def _provider(self, *, renew: _Known | None = None) -> _Known:
        """The provider's documents, not older than `KEEP_SECONDS` and not those of `renew`."""
        with self._lock:
            known, now = self._known, self._clock.now()
            if known is None or known is renew or not 0 <= now - known.fetched <= KEEP_SECONDS:
                if self._failed is not None and 0 <= now - self._failed < RETRY_SECONDS:
                    raise Unavailable("login", "the OpenID provider could not be reached a moment ago")
                known = self._known = self._discover_or_note(now)
            return known

    def _discover_or_note(self, now: int) -> _Known:
        """Raises `Unavailable`, also for what the provider says wrong: nobody who logs in did it."""
        try:
            found = self._discover(now)
        except (Rejected, Unavailable) as error:
            self._failed = now
            log_event(self._room, "provider_failed", code=error.code)
            raise Unavailable("login", f"the OpenID provider cannot be used: {error.detail}") from error
        self._failed = None
        return found

    def _discover(self, fetched: int) -> _Known:
        location = f"{self.registration.provider.rstrip('/')}/.well-known/openid-configuration"
        answer = self._fetcher.get(location, max_bytes=MAX_DOCUMENT_BYTES)
        metadata = parse_foreign(answer.body, ProviderMetadata, "bad_metadata", MAX_DOCUMENT_BYTES)
        if metadata.issuer != self.registration.provider:  # OpenID Connect Discovery 4.3
            raise Rejected("bad_metadata", "issuer is not the provider that is configured")
        check_url(metadata.authorization_endpoint, "bad_metadata")
        keys = self._fetcher.get(
            metadata.jwks_uri,
            accept=("application/json", "application/jwk-set+json"),
            max_bytes=MAX_DOCUMENT_BYTES,
        )
        return _Known(metadata, parse_keys(keys.body), fetched)


def _basic(client_id: str, secret: str) -> str:
    """Both are form-encoded before they are joined (RFC 6749 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
