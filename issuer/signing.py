"""The issuer's keys in its home: those of `service.certificates`, and its own.

codes.key            32 bytes that key codes, tokens that are handles, transaction codes and nonces
encryption-key.pem   P-256, opens encrypted credential requests; made at the first start that misses it
login-key.pem        P-256, or login-secret: what the issuer authenticates with at the OpenID provider
"""

from collections.abc import Callable

from issuer.config import IssuerConfig, LoginConfig
from issuer.issue import Signer
from issuer.offer import configuration
from protocol import x509
from protocol.keys import Es256Private, Es256Public
from protocol.trust_list import TrustedIssuer
from service.certificates import load_certificate, make_certificates
from service.home import Home
from service.openid import ClientCredentials

CODES_KEY, ENCRYPTION_KEY = "codes.key", "encryption-key.pem"
LOGIN_KEY, LOGIN_SECRET = "login-key.pem", "login-secret"
LEAF_DAYS = 1825
"""Longer than credentials live, for they are verified with this leaf until they end."""


def make_keys(home: Home, config: IssuerConfig, *, now: int, random: Callable[[int], bytes]) -> TrustedIssuer:
    """Draw and write all keys; the entry for the trust list."""
    roots = make_certificates(home, name=config.name, url=config.url, leaf_days=LEAF_DAYS, now=now, random=random)
    home.write_secret(CODES_KEY, random(32))
    vcts = [configuration(kind).vct for kind in config.credentials]
    return TrustedIssuer(id=config.url, name=config.name, roots=roots, vcts=vcts)


def load_signer(home: Home, config: IssuerConfig, now: int) -> Signer:
    """What signs here. Raises as `load_certificate`."""
    key, leaf = load_certificate(home, now)
    return Signer(config.url, key, tuple(x509.x5c([leaf.der])), config.loa, leaf.not_after)


def load_codes_key(home: Home) -> bytes:
    """32 secret bytes."""
    return home.read_secret(CODES_KEY)


def load_encryption_key(home: Home, random: Callable[[int], bytes]) -> Es256Private:
    """The key for encrypted requests; homes of before there was one get it now."""
    home.create_secret(ENCRYPTION_KEY, Es256Private.from_secret(random(48)).to_pem())
    return Es256Private.from_pem(home.read_secret(ENCRYPTION_KEY))


def make_login_key(home: Home, random: Callable[[int], bytes]) -> Es256Public:
    """The public key to register at the OpenID provider; drawn when there is none."""
    home.create_secret(LOGIN_KEY, Es256Private.from_secret(random(48)).to_pem())
    return Es256Private.from_pem(home.read_secret(LOGIN_KEY)).public


def load_login_credentials(home: Home, login: LoginConfig) -> ClientCredentials:
    """What the provider knows this issuer by. Raises `Rejected`: `no_home`, `open_secret`."""
    if login.client_auth == "private_key_jwt":
        return ClientCredentials(key=Es256Private.from_pem(home.read_secret(LOGIN_KEY)))
    return ClientCredentials(secret=home.read_secret(LOGIN_SECRET).decode().strip())
