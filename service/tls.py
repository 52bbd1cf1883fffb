"""TLS of a role that serves: which files, whether they fit, and certificates for one's own machine.

On the Internet a proxy or an ordinary certificate does this. `make_pki` is for one machine: wallets and verifiers
of others refuse plain HTTP even on it. Its authority may name these hosts only (RFC 5280 4.2.1.10), and its key is
forgotten once it has signed, so that nobody can make a second certificate with it.
"""

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.errors import Rejected
from service.home import Home

CA, CERTIFICATE, KEY = "ca.pem", "server.pem", "server-key.pem"
MAX_DAYS = 398
"""Longer-lived server certificates are refused by some clients (CA/Browser Forum BR 6.3.2)."""
MAX_HOSTS = 16


@dataclass(frozen=True)
class Tls:
    """PEM files of a server: `certificate` with its chain, leaf first, and `key`."""

    certificate: Path
    key: Path


def tls_files(certificate: Path | str | None, key: Path | str | None) -> Tls | None:
    """The two files of a server that speaks TLS, None for one that does not.

    1. both or none; 2. the key is closed to others; 3. they are of one pair, and the key has no passphrase.
    Raises `Rejected`: `bad_tls`, `open_secret`.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:  # 1.
        raise Rejected("bad_tls", "TLS needs a certificate and its key")
    files = Tls(Path(certificate), Path(key))
    try:
        mode = files.key.stat().st_mode
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An empty passphrase: OpenSSL would ask for one on the terminal, and a server has nobody there.
        context.load_cert_chain(files.certificate, files.key, password=bytes)  # 3.
    except OSError as error:  # also ssl.SSLError
        raise Rejected("bad_tls", "the certificate and its key cannot be read, or are not one pair") from error
    if mode & 0o077:  # 2.
        raise Rejected("open_secret", f"{files.key} can be read by others: chmod 600 it")
    return files


def make_pki(folder: Home, hosts: Sequence[str], *, days: int, now: int) -> Tls:
    """Write an authority and one server certificate for `hosts` (names or IP addresses) that it signed.

    Raises `Rejected`: `bad_host`, `bad_days`.
    """
    if not 1 <= days <= MAX_DAYS:
        raise Rejected("bad_days", f"a server certificate is in force for 1 to {MAX_DAYS} days")
    if not 1 <= len(hosts) <= MAX_HOSTS:
        raise Rejected("bad_host", f"a certificate is for 1 to {MAX_HOSTS} hosts")
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    until = now + days * 86_400
    authority = _authority(ca_key, hosts, now, until)
    certificate = _server(key, ca_key, authority, hosts, now, until)
    folder.write_public(CA, authority.public_bytes(serialization.Encoding.PEM))
    folder.write_public(CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.write_secret(KEY, pem)
    return Tls(folder.file(CERTIFICATE), folder.file(KEY))


def _authority(key: ec.EllipticCurvePrivateKey, hosts: Sequence[str], now: int, until: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Regie: this machine only")])
    limits = x509.NameConstraints(permitted_subtrees=[_limit(host) for host in hosts], excluded_subtrees=None)
    builder = _builder(name, name, key.public_key(), now, until)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    return builder.add_extension(limits, critical=True).sign(key, hashes.SHA256())


def _server(
    key: ec.EllipticCurvePrivateKey,
    ca_key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    hosts: Sequence[str],
    now: int,
    until: int,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = _builder(name, authority.subject, key.public_key(), now, until)
    builder = builder.add_extension(issuer, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    return builder.add_extension(names, critical=False).sign(ca_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: int, until: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(now, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(until, datetime.UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not host.isascii() or not all(host.split(".")) or not host.replace("-", "").replace(".", "").isalnum():
        raise Rejected("bad_host", "a host is a name in ASCII or an IP address")
    return x509.DNSName(host.lower())


def _limit(host: str) -> x509.GeneralName:
    name = _general_name(host)
    return x509.IPAddress(ipaddress.ip_network(name.value)) if isinstance(name, x509.IPAddress) else name
