"""X.509 certificates of issuers and agencies: P-256 only, one straight chain to a pinned root (RFC 5280 6.1).

The root is pinned in the trust list and never travels in `x5c`; the leaf is never self-signed (HAIP 1.0 6.1.1).
Signatures of a chain are remembered, dates are checked every time. No revocation list is fetched: leaves are
short-lived and the trust list, which expires, takes roots away.
"""

import base64
import binascii
import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from protocol.canonical import b64u_encode, sha256
from protocol.errors import Rejected
from protocol.keys import Es256Private, Es256Public, es256_public_from

MAX_CHAIN = 4
"""A leaf and three intermediates: PKIoverheid has two."""
MAX_CERTIFICATE_BYTES = 4096
"""A P-256 certificate takes 400 to 900 bytes."""
_KNOWN_CRITICAL = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)


@dataclass(frozen=True)
class VerifiedLeaf:
    """The end of a chain that led to a pinned root; made only by `verify_chain`. Times in POSIX seconds.

    `organization_id`: organizationIdentifier of the subject (ETSI EN 319 412-1, ETSI TS 119 475), empty if none.
    """

    key: Es256Public
    der: bytes
    san_dns: tuple[str, ...]
    san_uri: tuple[str, ...]
    common_name: str
    not_after: int
    organization_id: str = ""


@dataclass(frozen=True)
class _Certificate:
    """What the rules look at, read once."""

    certificate: x509.Certificate
    key: Es256Public
    is_ca: bool
    path_length: int | None
    key_usage: x509.KeyUsage | None
    leaf: VerifiedLeaf
    not_before: int


def _name(common_name: str, organization_id: str = "") -> x509.Name:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization_id:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, organization_id))
    return x509.Name(names)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Es256Public, serial: int, not_before: int, not_after: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.key)
        .serial_number(serial)
        .not_valid_before(datetime.datetime.fromtimestamp(not_before, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(not_after, datetime.UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.key), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, key: Es256Private) -> bytes:
    # Deterministic ECDSA (RFC 6979): the builders stay functions of their arguments.
    certificate = builder.sign(key.key, hashes.SHA256(), ecdsa_deterministic=True)
    return certificate.public_bytes(serialization.Encoding.DER)


def make_root(key: Es256Private, common_name: str, *, serial: int, not_before: int, not_after: int) -> bytes:
    """DER of a self-signed root that signs leaves only (path length 0). Times in POSIX seconds."""
    name = _name(common_name)
    builder = _builder(name, name, key.public, serial, not_before, not_after)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _sign(builder.add_extension(_key_usage(ca=True), critical=True), key)


def make_leaf(
    subject: Es256Public,
    common_name: str,
    issuer_key: Es256Private,
    issuer_der: bytes,
    *,
    san_dns: str | None = None,
    san_uri: str | None = None,
    serial: int,
    not_before: int,
    not_after: int,
    organization_id: str = "",
) -> bytes:
    """DER of a signing certificate (`CA:false`, digitalSignature). Raises `ValueError` without any SAN."""
    names: list[x509.GeneralName] = []
    if san_dns is not None:
        names.append(x509.DNSName(san_dns))
    if san_uri is not None:
        names.append(x509.UniformResourceIdentifier(san_uri))
    if not names:
        raise ValueError("a leaf needs a dNSName or a URI by which its owner is recognised")
    issuer = x509.load_der_x509_certificate(issuer_der)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public.key)
    name = _name(common_name, organization_id)
    builder = _builder(name, issuer.subject, subject, serial, not_before, not_after)
    builder = builder.add_extension(authority, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(ca=False), critical=True)
    return _sign(builder.add_extension(x509.SubjectAlternativeName(names), critical=False), issuer_key)


def x5c(chain: Sequence[bytes]) -> list[str]:
    """The header member: standard base64 with padding, leaf first (RFC 7515 section 4.1.6)."""
    return [base64.b64encode(der).decode("ascii") for der in chain]


def parse_der_base64(text: str) -> bytes:
    """One certificate in padded standard base64, in its only spelling. Raises `Rejected`: `bad_certificate`."""
    if len(text) > (MAX_CERTIFICATE_BYTES + 2) // 3 * 4:
        raise Rejected("bad_certificate", f"a certificate is at most {MAX_CERTIFICATE_BYTES} bytes")
    try:
        der = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Rejected("bad_certificate", "certificate is not standard base64") from error
    if base64.b64encode(der).decode("ascii") != text or not 0 < len(der) <= MAX_CERTIFICATE_BYTES:
        raise Rejected("bad_certificate", "certificate is empty, too long or not spelt canonically")
    return der


def parse_x5c(value: object) -> tuple[bytes, ...]:
    """The certificates of an `x5c` header member: form only. Raises `Rejected`: `bad_x5c`, `bad_certificate`."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHAIN:
        raise Rejected("bad_x5c", f"x5c is a list of 1 to {MAX_CHAIN} certificates")
    chain = []
    for text in value:
        if not isinstance(text, str):
            raise Rejected("bad_x5c", "x5c holds texts")
        chain.append(parse_der_base64(text))
    return tuple(chain)


def thumbprint_hash(der: bytes) -> str:
    """base64url SHA-256 of a certificate, as `x509_hash:` client identifiers carry it (OpenID4VP 5.9.3)."""
    return b64u_encode(sha256(der))


@contextmanager
def _hostile_input() -> Iterator[None]:
    """What the library raises on certificates made to annoy, as one refusal."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise Rejected("bad_certificate", "certificate cannot be read") from error


def _read_extensions(certificate: x509.Certificate) -> tuple[bool, int | None, x509.KeyUsage | None]:
    """(is CA, path length, key usage). A critical extension that we do not process refuses (RFC 5280 4.2)."""
    is_ca, path_length, key_usage = False, None, None
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise Rejected("bad_certificate", "certificate has a critical extension that is not known here")
        if isinstance(extension.value, x509.NameConstraints):
            raise Rejected("bad_certificate", "name constraints are not processed, so not accepted")
        if isinstance(extension.value, x509.BasicConstraints):
            is_ca, path_length = extension.value.ca, extension.value.path_length
        if isinstance(extension.value, x509.KeyUsage):
            key_usage = extension.value
    return is_ca, path_length, key_usage


def _of_subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """The first attribute of this kind, or empty."""
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _alternative_names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(dNSNames in lower case, URIs)."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    dns = tuple(name.lower() for name in san.get_values_for_type(x509.DNSName))
    return dns, tuple(san.get_values_for_type(x509.UniformResourceIdentifier))


def _authority_key_id(certificate: x509.Certificate) -> bytes | None:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return found.value.key_identifier


@lru_cache(maxsize=256)
def authority_key_ids(chain: tuple[bytes, ...]) -> frozenset[str]:
    """KeyIdentifiers (b64u) of the authorities that a chain (DER) names, as `aki` asks for them (OpenID4VP 6.1.1).

    Raises `Rejected`: `bad_certificate`.
    """
    with _hostile_input():
        found = [_authority_key_id(x509.load_der_x509_certificate(der)) for der in chain]
    return frozenset(b64u_encode(key_id) for key_id in found if key_id)


@lru_cache(maxsize=256)
def _read(der: bytes) -> _Certificate:
    """A certificate of a form that the rules accept. Raises `Rejected`: `bad_certificate`."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise Rejected("bad_certificate", f"a certificate is at most {MAX_CERTIFICATE_BYTES} bytes")
    with _hostile_input():
        certificate = x509.load_der_x509_certificate(der)
        if certificate.version is not x509.Version.v3 or certificate.serial_number <= 0:
            raise Rejected("bad_certificate", "only X.509 version 3 with a positive serial number is accepted")
        if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
            raise Rejected("bad_certificate", "only certificates signed with ECDSA and SHA-256 are accepted")
        key = es256_public_from(certificate.public_key())
        is_ca, path_length, key_usage = _read_extensions(certificate)
        san_dns, san_uri = _alternative_names(certificate)
        common_name = _of_subject(certificate, NameOID.COMMON_NAME)
        organization_id = _of_subject(certificate, NameOID.ORGANIZATION_IDENTIFIER)
        certificate.issuer.public_bytes()  # the library reads names when asked: a broken one is found here
        not_before = int(certificate.not_valid_before_utc.timestamp())
        not_after = int(certificate.not_valid_after_utc.timestamp())
    leaf = VerifiedLeaf(key, der, san_dns, san_uri, common_name, not_after, organization_id)
    return _Certificate(certificate, key, is_ca, path_length, key_usage, leaf, not_before)


def subject_name(der: bytes) -> bytes:
    """DER of the subject. Raises `Rejected`: `bad_certificate`."""
    return _read(der).certificate.subject.public_bytes()


def issuer_name(der: bytes) -> bytes:
    """DER of the issuer: what to look for among the roots' subjects. Raises `Rejected`: `bad_certificate`."""
    return _read(der).certificate.issuer.public_bytes()


def _check_issued(child: _Certificate, parent: _Certificate, intermediates_below: int) -> None:
    """RFC 5280 6.1.3 (a)(1), (a)(4) and 6.1.4 (k), (l), (m), (n) for one link."""
    if not parent.is_ca:
        raise Rejected("bad_chain", "a certificate was issued by one that is no CA")
    if parent.key_usage is not None and not parent.key_usage.key_cert_sign:
        raise Rejected("bad_chain", "the issuing certificate may not sign certificates")
    if parent.path_length is not None and parent.path_length < intermediates_below:
        raise Rejected("bad_chain", "more intermediate certificates than the path length allows")
    try:
        child.certificate.verify_directly_issued_by(parent.certificate)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise Rejected("bad_chain", "a certificate was not signed by the next one") from error


@lru_cache(maxsize=512)
def _verify_signatures(chain: tuple[bytes, ...], roots: tuple[bytes, ...]) -> tuple[VerifiedLeaf, int, int]:
    """(leaf, latest not_before, earliest not_after) of the whole path. Only successes are remembered."""
    if any(der in roots for der in chain):
        raise Rejected("bad_chain", "the trust anchor is no part of x5c")
    links = [_read(der) for der in chain]
    if links[0].is_ca:
        raise Rejected("bad_chain", "the first certificate is a CA")
    if links[0].key_usage is not None and not links[0].key_usage.digital_signature:
        raise Rejected("bad_chain", "the first certificate may not sign")
    for link in links:
        if link.certificate.subject == link.certificate.issuer:
            raise Rejected("bad_chain", "a self-signed certificate is no part of x5c")
    root = _find_root(links[-1], roots, len(links) - 1)
    for index, (child, parent) in enumerate(pairwise(links)):
        _check_issued(child, parent, index)
    everything = [*links, root]
    return links[0].leaf, max(c.not_before for c in everything), min(c.leaf.not_after for c in everything)


def _find_root(last: _Certificate, roots: tuple[bytes, ...], intermediates_below: int) -> _Certificate:
    """The pinned root that issued the last certificate. Two roots of one name (a new key) are both tried."""
    refusal = Rejected("untrusted_chain", "the chain does not lead to a listed root")
    for der in roots:
        root = _read(der)
        if root.certificate.subject == last.certificate.issuer:
            try:
                _check_issued(last, root, intermediates_below)
            except Rejected as error:
                refusal = error
            else:
                return root
    raise refusal


def verify_chain(chain: Sequence[bytes], roots: Sequence[bytes], now: int) -> VerifiedLeaf:
    """The leaf of `chain` (DER, leaf first, without anchor), once it leads to one of `roots` (DER) at `now`.

    1. length; 2. no root travels in the chain (HAIP 6.1.1); 3. leaf is no CA and may sign; 4. no self-signed
    certificate; 5. each is issued by the next, the last by a root: names, CA, keyCertSign, path length, signature
    (RFC 5280 6.1.3, 6.1.4); 6. every certificate, the root too, is valid at `now`. Key and signatures are P-256
    with SHA-256. **Not** checked: whose leaf it is; the caller MUST compare its SAN or the roots' owner.
    Raises `Rejected`: `bad_chain`, `untrusted_chain`, `bad_certificate`, `bad_key`, `certificate_expired`,
    `certificate_not_yet_valid`.
    """
    if not 1 <= len(chain) <= MAX_CHAIN:  # 1
        raise Rejected("bad_chain", f"a chain has 1 to {MAX_CHAIN} certificates")
    leaf, not_before, not_after = _verify_signatures(tuple(chain), tuple(roots))  # 2, 3, 4, 5
    if now < not_before:  # 6
        raise Rejected("certificate_not_yet_valid", "a certificate is not valid yet")
    if now > not_after:
        raise Rejected("certificate_expired", "a certificate has expired")
    return leaf
