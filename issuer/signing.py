"""The issuer's keys in its home: those of `service.certificates`, and the one that keys codes.

codes.key    32 bytes that key codes, transaction codes and nonces
"""

from collections.abc import Callable

from issuer.config import IssuerConfig
from issuer.issue import Signer
from protocol import x509
from protocol.attributes import CREDENTIAL_TYPES
from protocol.trust_list import TrustedIssuer
from service.certificates import load_certificate, make_certificates
from service.home import Home

CODES_KEY = "codes.key"
LEAF_DAYS = 1825
"""Longer than credentials live, for they are verified with this leaf until they end."""


def make_keys(home: Home, config: IssuerConfig, *, now: int, random: Callable[[int], bytes]) -> TrustedIssuer:
    """Draw and write all keys; the entry for the trust list."""
    roots = make_certificates(home, name=config.name, url=config.url, leaf_days=LEAF_DAYS, now=now, random=random)
    home.write_secret(CODES_KEY, random(32))
    vcts = [kind.vct for kind in CREDENTIAL_TYPES.values()]
    return TrustedIssuer(id=config.url, name=config.name, roots=roots, vcts=vcts)


def load_signer(home: Home, config: IssuerConfig, now: int) -> Signer:
    """What signs here. Raises as `load_certificate`."""
    key, leaf = load_certificate(home, now)
    return Signer(config.url, key, tuple(x509.x5c([leaf.der])), config.loa, leaf.not_after)


def load_codes_key(home: Home) -> bytes:
    """32 secret bytes."""
    return home.read_secret(CODES_KEY)
