"""Sealing: hybrid HPKE (RFC 9180) to a party's key, and XChaCha20-Poly1305 under a shared one.

HPKE base mode with MLKEM768_X25519 (0x647A), HKDF-SHA256, ChaCha20-Poly1305: traffic recorded today stays closed
to a quantum computer. The library offers no aad, so the context goes into `info`.
"""

from dataclasses import dataclass

import nacl.exceptions
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)

from protocol.errors import Rejected

KEM_SEED_BYTES = 96
"""ML-KEM-768 seed (64) followed by the X25519 secret (32)."""
KEM_PUBLIC_BYTES = 1184 + 32
HPKE_OVERHEAD = 1088 + 32 + 16
"""Encapsulated ML-KEM ciphertext, X25519 share and tag."""
NONCE_BYTES = 24
KEY_BYTES = 32
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class KemPrivate:
    """A party's HPKE key, kept as its 96-byte seed."""

    seed: bytes

    def __post_init__(self) -> None:
        if len(self.seed) != KEM_SEED_BYTES:
            raise ValueError("a KEM key is made from 96 bytes")

    @property
    def key(self) -> hpke.MLKEM768X25519PrivateKey:
        """The key object of the library."""
        return hpke.MLKEM768X25519PrivateKey(
            MLKEM768PrivateKey.from_seed_bytes(self.seed[:64]), X25519PrivateKey.from_private_bytes(self.seed[64:])
        )

    def public_bytes(self) -> bytes:
        """As on the wire: ML-KEM encapsulation key (1184) || X25519 (32)."""
        mlkem = MLKEM768PrivateKey.from_seed_bytes(self.seed[:64]).public_key().public_bytes_raw()
        return mlkem + X25519PrivateKey.from_private_bytes(self.seed[64:]).public_key().public_bytes_raw()


def parse_kem_public(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    """A key from the wire. Raises `Rejected`: `bad_key`."""
    if len(public) != KEM_PUBLIC_BYTES:
        raise Rejected("bad_key", f"a KEM public key is {KEM_PUBLIC_BYTES} bytes")
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(public[:1184])
        x25519 = X25519PublicKey.from_public_bytes(public[1184:])
    except ValueError as error:
        raise Rejected("bad_key", "not an ML-KEM-768 and X25519 key") from error
    return hpke.MLKEM768X25519PublicKey(mlkem, x25519)


def hpke_seal(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """enc || ct, `HPKE_OVERHEAD` longer than `plaintext`. Raises `Rejected`: `bad_key`."""
    try:
        return _SUITE.encrypt(plaintext, parse_kem_public(public), info)
    except ValueError as error:  # an all-zero X25519 share
        raise Rejected("bad_key", "key cannot be sealed to") from error


def hpke_open(private: KemPrivate, sealed: bytes, info: bytes) -> bytes:
    """The plaintext; every failure looks the same. Raises `Rejected`: `unsealable`."""
    try:
        return _SUITE.decrypt(sealed, private.key, info)
    except (InvalidTag, ValueError) as error:
        raise Rejected("unsealable", "not sealed to this key in this context") from error


def aead_seal(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """XChaCha20-Poly1305 (IETF); `key` 32 bytes, `nonce` 24 random bytes; 16 bytes longer than `plaintext`."""
    return bytes(crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, nonce, key))


def aead_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The plaintext. Raises `Rejected`: `unsealable`."""
    if len(nonce) != NONCE_BYTES or len(sealed) < 16:
        raise Rejected("unsealable", "nonce or ciphertext has the wrong length")
    try:
        return bytes(crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, aad, nonce, key))
    except (nacl.exceptions.CryptoError, ValueError) as error:
        raise Rejected("unsealable", "does not open with this key and context") from error


def pad(data: bytes, size: int) -> bytes:
    """ISO/IEC 7816-4 padding to exactly `size` bytes, as sodium_pad writes it. Raises `ValueError` if too long."""
    if len(data) >= size:
        raise ValueError("data does not fit its padded size")
    return data + b"\x80" + bytes(size - len(data) - 1)


def unpad(data: bytes) -> bytes:
    """Inverse of `pad`. Raises `Rejected`: `bad_padding`."""
    body = data.rstrip(b"\x00")
    if not body.endswith(b"\x80"):
        raise Rejected("bad_padding", "padding does not end as sodium_pad writes it")
    return body[:-1]
