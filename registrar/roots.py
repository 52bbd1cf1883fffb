"""What a root certificate must be before it is listed: a CA of its own making, in force, of the form we read."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from protocol.errors import Rejected
from protocol.x509 import issuer_name, parse_der_base64, subject_name


def check_root(root: str, now: int) -> None:
    """`root`: DER in standard base64.

    1. of the form that `protocol.x509` reads (P-256 with SHA-256, no unknown critical extension); 2. self-signed;
    3. a CA; 4. in force at `now`. Raises `Rejected`: `bad_certificate`, `bad_key`, `bad_root`.
    """
    der = parse_der_base64(root)
    if subject_name(der) != issuer_name(der):  # 1, 2
        raise Rejected("bad_root", "the certificate was issued by another: list the root itself")
    certificate = x509.load_der_x509_certificate(der)
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise Rejected("bad_root", "the certificate does not sign itself") from error
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise Rejected("bad_root", "the certificate does not say that it is a CA") from error
    if not constraints.ca:  # 3
        raise Rejected("bad_root", "the certificate is no CA")
    not_before = certificate.not_valid_before_utc.timestamp()
    if not not_before <= now <= certificate.not_valid_after_utc.timestamp():  # 4
        raise Rejected("bad_root", "the certificate is not in force")
