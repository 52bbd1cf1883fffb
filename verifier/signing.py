"""The agency's keys in its home: those of `service.certificates`, and the one that seals copies.

copies.key          32 bytes that seal what residents shared once, until it is handed over
registration.jwt    registration certificates (`rc-wrp+jwt`) to show with requests, one on a line; may be absent
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from protocol import x509
from protocol.canonical import parse_object
from protocol.errors import Rejected
from protocol.jws import parse_jws
from protocol.keys import Es256Private
from protocol.registration_certificate import REGISTRATION_TYP, intended_use_id
from protocol.request_object import client_id_of, dns_client_id
from protocol.trust_list import Agency, Service
from service.certificates import load_certificate, make_certificates
from service.home import Home
from verifier.config import VerifierConfig

COPIES_KEY = "copies.key"
REGISTRATION = "registration.jwt"
LEAF_DAYS = 825
"""A new leaf under the same root ends no grant: READs are judged by who is listed when they are made."""


@dataclass(frozen=True)
class Signer:
    """What signs for the agency; `chain` is leaf first, DER, without the trust anchor."""

    key: Es256Private
    chain: tuple[bytes, ...]
    hosts: tuple[str, ...] = ()
    """The dNSNames of the leaf."""

    @property
    def client_id(self) -> str:
        """`x509_hash:` of the leaf."""
        return client_id_of(self.chain[0])

    def client_id_at(self, url: str) -> str:
        """`x509_san_dns:` of the host of this URL. Raises `Rejected`: `bad_config` if the leaf lacks it."""
        host = urlsplit(url).hostname or ""
        if host not in self.hosts:
            raise Rejected("bad_config", "x509_san_dns needs a certificate with the host name of url")
        return dns_client_id(host)

    def is_client(self, client_id: str) -> bool:
        """Whether a request under this identifier can be signed with this leaf."""
        return client_id in (self.client_id, *(dns_client_id(host) for host in self.hosts))

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
    return Signer(key, (leaf.der,), leaf.san_dns)


def load_copies_key(home: Home) -> bytes:
    """32 secret bytes."""
    return home.read_secret(COPIES_KEY)


def load_registrations(home: Home, agency_id: str, service: Service) -> list[str]:
    """Those that a registrar signed for this version of a service, or for no intended use in particular.

    Raises `Rejected`: those of parsing, for a file that holds something else.
    """
    if not home.has(REGISTRATION):
        return []
    use, found = intended_use_id(agency_id, service.id, service.version), []
    for token in home.read_public(REGISTRATION).decode("ascii", "replace").split():
        payload = parse_object(parse_jws(token, typ=REGISTRATION_TYP).payload)
        if payload.get("intended_use_id", use) == use:
            found.append(token)
    return found
