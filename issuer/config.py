"""config.json of an issuer."""

import os
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from issuer.offer import BRP_CREDENTIALS, configuration
from protocol.errors import Rejected
from protocol.issuer_metadata import check_url
from protocol.openid_connect import Algorithm
from service.address import LOOPBACK_HOSTS
from service.database import sqlite_url
from service.home import Home
from service.operations import Contact
from service.staff import StaffConfig

DATABASE = "issuer.db"
COUNTER = "/counter"
"""Where the counter is, below the issuer's URL."""
Loa = Literal["low", "substantial", "high"]


class LoginConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How residents log in, by OpenID Connect at `provider` (its issuer identifier).

    `levels` maps the `acr` of a login to the level of assurance of what is then issued; a login of any other
    kind is refused. `bsn_claim`: where the provider says who it is. `client_auth`: by `login-key.pem` or
    `login-secret` of the home. `redirect_uris`: addresses of wallets that are not on the resident's device, to
    the letter.
    """

    provider: str
    client_id: str
    levels: dict[str, Loa]
    bsn_claim: str = "bsn"
    scope: str = "openid"
    signing_alg: Algorithm = "ES256"
    client_auth: Literal["private_key_jwt", "client_secret_basic"] = "private_key_jwt"
    redirect_uris: list[str] = []


class IssuerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`url` is the issuer identifier, `iss` of every credential; `loa` how surely residents are identified.

    `database` is a URL (`postgresql://...`); without it DATABASE_URL of the environment, else SQLite in the home.
    `credentials`: the kinds that it makes. Without `login` credentials are fetched with a code from the desk only;
    with `staff` there is a counter.
    """

    role: Literal["issuer"]
    url: str
    name: str
    loa: Loa = "substantial"
    database: str | None = None
    trust_list: str | None = None
    registrar: dict[str, Any] | None = None
    contact: Contact | None = None
    credentials: tuple[str, ...] = BRP_CREDENTIALS
    login: LoginConfig | None = None
    staff: StaffConfig | None = None


def check_issuer_url(url: str) -> str:
    """An issuer identifier: https, no query, no slash at the end; http only for this machine, for tests and demos.

    Raises `Rejected`: `bad_url`.
    """
    check_url(url, "bad_url")
    parts = urlsplit(url)
    if parts.query or url.endswith("/") or parts.path != parts.path.replace("//", "/"):
        raise Rejected("bad_url", "an issuer URL has no query and no slash at its end")
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        raise Rejected("bad_url", "an issuer URL is https, except on this machine")
    return url


def made_here(config: IssuerConfig) -> tuple[str, ...]:
    """The kinds of credential that this issuer makes. Raises `Rejected`: `bad_config`."""
    try:
        for name in config.credentials:
            configuration(name)
    except Rejected as error:
        raise Rejected("bad_config", f"credentials: {error.detail}") from error
    if not config.credentials or len(set(config.credentials)) != len(config.credentials):
        raise Rejected("bad_config", "credentials: at least one, each once")
    return config.credentials


def database_url(home: Home, config: IssuerConfig) -> str:
    """Where the register and what was issued are kept."""
    return config.database or os.environ.get("DATABASE_URL") or sqlite_url(home.file(DATABASE))
