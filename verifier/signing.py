"""The agency's keys in its home: those of `service.certificates`, and the one that seals copies.

copies.key    32 bytes that seal what residents shared once, until it is handed over
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocol import x509
from protocol.keys import Es256Private
from protocol.request_object import client_id_of
from protocol.trust_list import Agency
from service.certificates import load_certificate, make_certificates
from service.home import Home
from verifier.config import VerifierConfig

COPIES_KEY = "copies.key"
LEAF_DAYS = 825
"""A new leaf under the same root ends no grant: READs are judged by who is listed when they are made."""


@dataclass(frozen=True)
class Signer:
    """What signs for the agency; `chain` is leaf first, DER, without the trust anchor."""

    key: Es256Private
    chain: tuple[bytes, ...]

    @property
    def client_id(self) -> str:
        """`x509_hash:` of the leaf."""
        return client_id_of(self.chain[0])

    @property
    def x5c(self) -> list[str]:
        """The header member."""
        return x509.x5c(self.chain)


def make_keys(home: Home, config: VerifierConfig, *, now: int, random: Callable[[int], bytes]) -> Agency:
    """Draw and write all keys; the entry for the trust list, without services."""
    roots = make_certificates(
        home,
        name=config.name,
        url=config.url,
        leaf_days=LEAF_DAYS,
        now=now,
        random=random,
        organization_id=config.oin,  # a registration certificate names the agency by it
    )
    home.write_secret(COPIES_KEY, random(32))
    return Agency(id=config.oin, name=config.name, roots=roots, bsn_allowed=False, erasure_contact=config.url)


def load_signer(home: Home, now: int) -> Signer:
    """What signs here. Raises as `load_certificate`."""
    key, leaf = load_certificate(home, now)
    return Signer(key, (leaf.der,))


def load_copies_key(home: Home) -> bytes:
    """32 secret bytes."""
    return home.read_secret(COPIES_KEY)
