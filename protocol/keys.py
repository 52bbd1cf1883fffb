"""Signature keys and the one allow-list of algorithms (protocol section 1).

ES256 signs everything in JOSE; Ed25519 signs checkpoints, cosignatures and receipts, and ML-DSA-44 (FIPS 204) a
second time what must still convince when Ed25519 no longer does. All else is refused by name:
`none` and every HMAC because a public key must never serve as a secret, RSA because no EUDI peer uses it.
PyNaCl verifies Ed25519 about three times as fast as OpenSSL's binding; `cryptography` does the rest.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import nacl.exceptions
import nacl.signing
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from protocol.canonical import b64u_encode, b64u_fixed, canonical_bytes, sha256
from protocol.errors import Rejected

ALLOWED_JWS_ALGORITHMS = frozenset({"ES256"})
ES256_SIGNATURE_BYTES = 64
ED25519_SIGNATURE_BYTES = 64
MLDSA44_PUBLIC_BYTES = 1312
MLDSA44_SIGNATURE_BYTES = 2420
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SECRET_BYTES = 48
_ECDSA = ec.ECDSA(hashes.SHA256())


class Es256Public(msgspec.Struct, frozen=True):
    """A P-256 verification key. Equal keys compare equal by their coordinates."""

    x: bytes
    y: bytes

    @property
    def key(self) -> ec.EllipticCurvePublicKey:
        """The key object; the point is on the curve, or `parse_jwk` would have refused it."""
        return _load_point(self.x, self.y)

    def jwk(self) -> dict[str, str]:
        """Public JWK with exactly the members that its RFC 7638 thumbprint hashes."""
        return {"crv": "P-256", "kty": "EC", "x": b64u_encode(self.x), "y": b64u_encode(self.y)}

    def thumbprint(self) -> str:
        """RFC 7638 SHA-256 thumbprint, base64url."""
        return b64u_encode(sha256(canonical_bytes(self.jwk())))

    def verify(self, signature: bytes, message: bytes) -> None:
        """`signature` is r || s, 64 bytes (RFC 7518 section 3.4). Raises `Rejected`: `bad_signature`."""
        if len(signature) != ES256_SIGNATURE_BYTES:
            raise Rejected("bad_signature", "an ES256 signature is 64 bytes")
        try:
            _load_point(self.x, self.y).verify(_der_signature(signature), message, _ECDSA)
        except InvalidSignature as error:
            raise Rejected("bad_signature", "signature does not verify") from error


def _der_signature(raw: bytes) -> bytes:
    """r || s as DER writes the two: without leading zeros, but one where the first bit would mean a minus."""
    r, s = raw[:32].lstrip(b"\0"), raw[32:].lstrip(b"\0")
    if not r or r[0] > 127:
        r = b"\0" + r
    if not s or s[0] > 127:
        s = b"\0" + s
    return b"\x30%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)


@lru_cache(maxsize=4096)
def _load_point(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    """Loading a point costs a quarter of a verification: holders and issuers come back, so remember them."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    except ValueError as error:
        raise Rejected("bad_key", "point is not on P-256") from error


def es256_public_from(key: Any) -> Es256Public:
    """Our type for a `cryptography` public key. Raises `Rejected`: `bad_key` unless it is P-256."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Rejected("bad_key", "only P-256 keys are accepted")
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return Es256Public(point[1:33], point[33:65])


def parse_jwk(jwk: Mapping[str, Any]) -> Es256Public:
    """A public P-256 JWK; private members are refused. Raises `Rejected`: `bad_key`, `bad_base64`."""
    if "d" in jwk or "k" in jwk:
        raise Rejected("bad_key", "a private key was sent where a public one belongs")
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or jwk.get("alg", "ES256") not in ("ES256", "ECDH-ES"):
        raise Rejected("bad_key", "only P-256 keys are accepted")
    x, y = jwk.get("x"), jwk.get("y")
    if not isinstance(x, str) or not isinstance(y, str):
        raise Rejected("bad_key", "a P-256 key has x and y")
    return _load_coordinates(x, y)


@lru_cache(maxsize=4096)
def _load_coordinates(x: str, y: str) -> Es256Public:
    """The key of two base64url coordinates: the same holder's comes with every presentation."""
    public = Es256Public(b64u_fixed(x, 32), b64u_fixed(y, 32))
    _load_point(public.x, public.y)
    return public


class Es256Private:
    """A P-256 signing key, made from secret bytes so that randomness stays with the caller."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("only P-256 keys sign ES256")
        self.key = key
        self.public = es256_public_from(key.public_key())

    @classmethod
    def from_secret(cls, secret: bytes) -> "Es256Private":
        """`secret`: 48 uniform bytes, reduced as in FIPS 186-5 A.2.1 (extra random bits)."""
        if len(secret) != _SECRET_BYTES:
            raise ValueError("an ES256 key is made from 48 bytes")
        scalar = int.from_bytes(secret, "big") % (P256_ORDER - 1) + 1
        return cls(ec.derive_private_key(scalar, ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> "Es256Private":
        """An unencrypted PKCS#8 PEM as `to_pem` writes it. Raises `ValueError`."""
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("only P-256 keys sign ES256")
        return cls(key)

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8 PEM: for a 0600 file or an encrypted store only."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, message: bytes) -> bytes:
        """r || s, 64 bytes (RFC 7518 section 3.4)."""
        r, s = decode_dss_signature(self.key.sign(message, _ECDSA))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Ed25519Private:
    """An Ed25519 signing key from its 32-byte seed (RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._key = nacl.signing.SigningKey(seed)
        self.public = bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return bytes(self._key.sign(message).signature)


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> None:
    """`public`: 32 bytes; `signature`: 64 bytes. Raises `Rejected`: `bad_signature`."""
    if len(public) != 32 or len(signature) != ED25519_SIGNATURE_BYTES:
        raise Rejected("bad_signature", "Ed25519 keys are 32 bytes and signatures 64")
    try:
        nacl.signing.VerifyKey(public).verify(message, signature)
    except (nacl.exceptions.BadSignatureError, ValueError) as error:
        raise Rejected("bad_signature", "signature does not verify") from error


class MlDsa44Private:
    """An ML-DSA-44 signing key from its 32-byte seed (FIPS 204 section 6.1)."""

    def __init__(self, seed: bytes) -> None:
        self._key = mldsa.MLDSA44PrivateKey.from_seed_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """2420 bytes, with an empty context."""
        return self._key.sign(message)


@lru_cache(maxsize=256)
def _load_mldsa44(public: bytes) -> mldsa.MLDSA44PublicKey:
    """Expanding a key costs as much as a verification: logs and witnesses come back."""
    return mldsa.MLDSA44PublicKey.from_public_bytes(public)


def verify_mldsa44(public: bytes, signature: bytes, message: bytes) -> None:
    """`public`: 1312 bytes; `signature`: 2420 bytes; empty context. Raises `Rejected`: `bad_signature`."""
    if len(public) != MLDSA44_PUBLIC_BYTES or len(signature) != MLDSA44_SIGNATURE_BYTES:
        raise Rejected("bad_signature", "ML-DSA-44 keys are 1312 bytes and signatures 2420")
    try:
        _load_mldsa44(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Rejected("bad_signature", "signature does not verify") from error
