"""Whom the issuer calls: the OpenID provider at which residents log in (OpenID Connect Core 1.0, Discovery 1.0).

    login = Login(config.login, redirect_uri, credentials, fetcher, clock, random)
    url = login.url(secrets)                 # the browser goes there
    identity = login.identify(code, secrets) # and comes back with a code

The provider's documents are kept for some minutes. Everything goes through `service.fetch`.
"""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from issuer.authorize import LoginSecrets
from issuer.config import LoginConfig
from issuer.id_token import Identity, decide_identity, parse_keys, verify_id_token
from protocol.canonical import b64u_encode, parse_json
from protocol.errors import Rejected, Unavailable
from protocol.issuer_metadata import check_url, parse_foreign
from protocol.jws import sign_jws
from protocol.keys import Es256Private
from protocol.oauth import code_challenge
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
    """What this issuer authenticates with at the provider: a key, or else a secret that both know."""

    key: Es256Private | None = None
    secret: str | None = None


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


class Login:
    """Thread-safe. `redirect_uri`: where the provider sends the browser back to."""

    def __init__(
        self,
        config: LoginConfig,
        redirect_uri: str,
        credentials: ClientCredentials,
        fetcher: Fetcher,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self.config = config
        self.redirect_uri = redirect_uri
        self._credentials = credentials
        self._fetcher = fetcher
        self._clock = clock
        self._random = random
        self._known: _Known | None = None
        self._failed: int | None = None
        self._lock = threading.Lock()

    def url(self, secrets: LoginSecrets) -> str:
        """Where the browser is sent. Raises `Unavailable`: the provider cannot be reached, or is misconfigured."""
        endpoint = self._provider().metadata.authorization_endpoint
        question = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.config.scope,
            "acr_values": " ".join(self.config.levels),
            "prompt": "login",  # a session that somebody left open on this device is nobody's consent
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": code_challenge(secrets.verifier),
            "code_challenge_method": "S256",
        }
        return endpoint + ("&" if "?" in endpoint else "?") + urlencode(question)

    def identify(self, code: str, secrets: LoginSecrets, iss: str | None) -> Identity:
        """Who logged in, and how surely. `iss` of the answer names the provider, if it has one (RFC 9207).

        Raises `Rejected`: `access_denied`, `bad_id_token` or the provider's refusal; `Unavailable`.
        """
        known = self._provider()
        if iss != self.config.provider and (
            iss is not None or known.metadata.authorization_response_iss_parameter_supported
        ):
            raise Rejected("access_denied", "the answer is of another provider")
        tokens = self._redeem(known.metadata, code, secrets.verifier)
        claims = self._claims(known, tokens, secrets.nonce)
        return decide_identity(claims, bsn_claim=self.config.bsn_claim, levels=self.config.levels)

    def _redeem(self, metadata: ProviderMetadata, code: str, verifier: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
            "client_id": self.config.client_id,
        }
        headers = {}
        if self._credentials.key is not None:
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self._assertion(self._credentials.key, metadata.issuer)
        elif self._credentials.secret is not None:
            headers["Authorization"] = _basic(self.config.client_id, self._credentials.secret)
        answer = self._fetcher.post_form(metadata.token_endpoint, form, headers=headers)
        return parse_foreign(answer.body, _Tokens, "bad_id_token", MAX_DOCUMENT_BYTES)

    def _assertion(self, key: Es256Private, audience: str) -> str:
        """`private_key_jwt` (OpenID Connect Core 9), for the provider's identifier and no other server."""
        now = self._clock.now()
        claims = {
            "iss": self.config.client_id,
            "sub": self.config.client_id,
            "aud": audience,
            "jti": b64u_encode(self._random(16)),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        return sign_jws(claims, key, typ="JWT", header={"kid": key.public.thumbprint()})

    def _claims(self, known: _Known, tokens: _Tokens, nonce: str) -> Mapping[str, Any]:
        """Of the ID token; of the userinfo endpoint only who it is, when the ID token does not say: how surely is
        what the provider signed for this login."""
        claims = self._verify(known, tokens.id_token, nonce)
        endpoint = known.metadata.userinfo_endpoint
        if self.config.bsn_claim in claims or endpoint is None or tokens.access_token is None:
            return claims
        answer = self._fetcher.get(endpoint, headers={"Authorization": f"Bearer {tokens.access_token}"})
        more = parse_json(answer.body, max_bytes=MAX_DOCUMENT_BYTES, floats=True)
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:  # OpenID Connect Core 5.3.2
            raise Rejected("bad_id_token", "userinfo is of somebody else")
        return {**claims, self.config.bsn_claim: more.get(self.config.bsn_claim)}

    def _verify(self, known: _Known, token: str, nonce: str) -> dict[str, Any]:
        def verify(keys: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
            return verify_id_token(
                token,
                keys,
                provider=self.config.provider,
                client_id=self.config.client_id,
                algorithm=self.config.signing_alg,
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
        """Raises `Unavailable`, also for what the provider says wrong: no resident and no wallet did it."""
        try:
            found = self._discover(now)
        except (Rejected, Unavailable) as error:
            self._failed = now
            log_event("issuer", "provider_failed", code=error.code)
            raise Unavailable("login", f"the OpenID provider cannot be used: {error.detail}") from error
        self._failed = None
        return found

    def _discover(self, fetched: int) -> _Known:
        location = f"{self.config.provider.rstrip('/')}/.well-known/openid-configuration"
        answer = self._fetcher.get(location, max_bytes=MAX_DOCUMENT_BYTES)
        metadata = parse_foreign(answer.body, ProviderMetadata, "bad_metadata", MAX_DOCUMENT_BYTES)
        if metadata.issuer != self.config.provider:  # OpenID Connect Discovery 4.3
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
