"""The agency's keys in its home: a root that the trust list pins, and the leaf that signs under it.

root-key.pem, root.der          signs leaves only; after `init` it belongs in a safe, not on this machine
signing-key.pem, signing.der    signs requests, tickets and READs; travels in `x5c`, without the root
copies.key                      32 bytes that seal what residents shared once, until it is handed over
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from protocol import x509
from protocol.keys import Es256Private
from protocol.request_object import client_id_of
from protocol.trust_list import Agency
from service.home import Home
from verifier.config import VerifierConfig

ROOT_KEY, ROOT, SIGNING_KEY, SIGNING = "root-key.pem", "root.der", "signing-key.pem", "signing.der"
COPIES_KEY = "copies.key"
DAY = 86_400
ROOT_DAYS = 3650
LEAF_DAYS = 825
"""A new leaf under the same root ends no grant: READs are judged by who is listed when they are made."""
_MAX_COMMON_NAME = 64
_SECRET_BYTES = 48


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
    """Draw keys, write them and their certificates, and return the entry for the trust list, without services.

    The leaf's SAN has the verifier's URL, and its host unless that is an IP address, which is no dNSName.
    """
    root_key, key = (Es256Private.from_secret(random(_SECRET_BYTES)) for _ in range(2))
    today = now - now % DAY
    root = x509.make_root(
        root_key,
        f"{config.name[: _MAX_COMMON_NAME - 7]} (root)",
        serial=_serial(random),
        not_before=today,
        not_after=today + ROOT_DAYS * DAY,
    )
    leaf = x509.make_leaf(
        key.public,
        config.name[:_MAX_COMMON_NAME],
        root_key,
        root,
        san_dns=_dns_name(config.url),
        san_uri=config.url,
        serial=_serial(random),
        not_before=today,
        not_after=today + LEAF_DAYS * DAY,
    )
    home.write_secret(ROOT_KEY, root_key.to_pem())
    home.write_public(ROOT, root)
    home.write_secret(SIGNING_KEY, key.to_pem())
    home.write_public(SIGNING, leaf)
    home.write_secret(COPIES_KEY, random(32))
    return Agency(
        id=config.oin, name=config.name, roots=x509.x5c([root]), bsn_allowed=False, erasure_contact=config.url
    )


def _serial(random: Callable[[int], bytes]) -> int:
    """Positive and at most 20 octets (RFC 5280 4.1.2.2)."""
    return int.from_bytes(random(16), "big") | 1


def _dns_name(url: str) -> str | None:
    host = urlsplit(url).hostname or ""
    is_address = ":" in host or host.replace(".", "").isdigit()
    return None if is_address or not host else host


def load_signer(home: Home, now: int) -> Signer:
    """The chain is verified as everybody else will, so that a bad home is found at the start.

    Raises `Rejected`: `no_home`, `open_secret`, `certificate_expired` and others of `x509.verify_chain`.
    """
    leaf = x509.verify_chain([home.read_public(SIGNING)], [home.read_public(ROOT)], now)
    return Signer(Es256Private.from_pem(home.read_secret(SIGNING_KEY)), (leaf.der,))


def load_copies_key(home: Home) -> bytes:
    """32 secret bytes."""
    return home.read_secret(COPIES_KEY)
