"""The wallet on a phone in the same house: over TLS with a certificate made here, on the address of this machine.

The certificate is nobody's but ours, so a phone warns; what it shows is compared with the fingerprint on our page.
"""

import socket
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from protocol.canonical import parse_struct
from protocol.errors import Rejected, Unavailable
from service.home import Home
from service.tls import Tls, make_pki

FILE, FOLDER = "lan.json", "lan-tls"
DAYS = 90
_NOWHERE = ("192.0.2.1", 9)
"""An address for documentation (RFC 5737): asking for the way there sends nothing."""


class Lan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`address`: of this machine in its network; `host`: what browsers say, with the port; `fingerprint`: SHA-256
    of the certificate, hexadecimal with colons.
    """

    address: str
    host: str
    fingerprint: str


def own_address() -> str:
    """The address with which this machine goes out. Raises `Unavailable`: `no_network`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_NOWHERE)
        except OSError as error:
            raise Unavailable(
                "no_network", "this machine is in no network; say its address with --address"
            ) from error
        return str(probe.getsockname()[0])


def prepare(home: Home, address: str, port: int, name: str, now: int) -> tuple[Lan, Tls]:
    """A fresh certificate for `address` and our own host `name`; kept until the next start.

    Raises `Rejected`: `bad_host` for what is no IP address of this house (a public one would offer the wallet to
    everybody).
    """
    try:
        found = ip_address(address)
    except ValueError as error:
        raise Rejected("bad_host", "say the IP address of this machine, as 192.168.1.20") from error
    if not found.is_private or found.is_unspecified:
        raise Rejected(
            "bad_host", "this address is one of the whole Internet; a wallet is served in the house only"
        )
    folder = Home(home.path / FOLDER).create()
    files = make_pki(folder, (address, name), days=DAYS, now=now)
    shown = f"[{address}]" if ":" in address else address
    lan = Lan(address, f"{shown}:{port}", fingerprint_of(files.certificate))
    home.write_json(FILE, lan, secret=True)
    return lan, files


def fingerprint_of(certificate: Path) -> str:
    """SHA-256 of the certificate as browsers show it: `AB:CD:...`."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    digest = sha256(found.public_bytes(Encoding.DER)).hexdigest().upper()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def forget(home: Home) -> None:
    """Served on this machine alone again."""
    home.remove(FILE)


def read(home: Home) -> Lan | None:
    """How it is served now; None when on this machine alone."""
    return parse_struct(home.read_secret(FILE), Lan) if home.has(FILE) else None
