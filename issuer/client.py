"""Whom the issuer calls: the OpenID provider at which residents log in.

login = Login(config.login, redirect_uri, credentials, fetcher, clock, random)
url = login.url(secrets)                      # the browser goes there
identity = login.identify(code, secrets, iss) # and comes back with a code
"""

from collections.abc import Callable

from issuer.config import LoginConfig
from issuer.identity import Identity, decide_identity
from protocol.openid_connect import LoginSecrets
from service.clock import Clock
from service.fetch import Fetcher
from service.openid import ClientCredentials, OpenIdClient, Registration


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
        self._config = config
        known_as = Registration(config.provider, config.client_id, redirect_uri, config.scope, config.signing_alg)
        self._client = OpenIdClient("issuer", known_as, credentials, fetcher, clock, random)

    def url(self, secrets: LoginSecrets) -> str:
        """Where the browser is sent. Raises `Unavailable`: the provider cannot be reached, or is misconfigured."""
        return self._client.url(secrets, acr_values=tuple(self._config.levels))

    def identify(self, code: str, secrets: LoginSecrets, iss: str | None) -> Identity:
        """Who logged in, and how surely. Raises as `OpenIdClient.claims` and `decide_identity`."""
        claims = self._client.claims(code, secrets, iss, wanted=(self._config.bsn_claim,))
        return decide_identity(claims, bsn_claim=self._config.bsn_claim, levels=self._config.levels)
