"""From a passphrase to a key: Argon2id profiles, and the wrapping of a random key under one (protocol section 1).

The key that seals records is random and never changes; the passphrase only wraps it. A wallet file that is stolen
can be guessed at offline, so the standard profile costs 256 MiB and about a second for each guess (security 1.5),
and what a machine guesses in a day is refused as a passphrase.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import nacl.pwhash.argon2id

from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed
from protocol.errors import Rejected
from protocol.seal import KEY_BYTES, NONCE_BYTES, aead_open, aead_seal

Random = Callable[[int], bytes]
MIN_PASSPHRASE_BYTES = 8
MIN_DIGITS = 16
"""Six digits are a million guesses: six days on one core. Digits alone must be as many as a bank card has."""
MAX_PASSPHRASE_BYTES = 1024
_SALT_BYTES = nacl.pwhash.argon2id.SALTBYTES


@dataclass(frozen=True)
class Profile:
    """The price of one guess: `memory` in bytes, `passes` over it."""

    name: str
    memory: int
    passes: int


PROFILES: Mapping[str, Profile] = {
    "standard": Profile("standard", 256 * 1024 * 1024, 3),
    "small": Profile("small", 8 * 1024 * 1024, 1),
}
"""`small` is for tests and throw-away wallets. A file names its profile; unlisted prices are never paid."""


class WrappedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the clear beside sealed records. `salt` 16 bytes, `wrapped` nonce (24) || sealed key (48)."""

    profile: str
    salt: str
    wrapped: str


def passphrase_of(text: str) -> bytes:
    """As it is stretched: Unicode is normalised (NFC), so that every keyboard types the same bytes."""
    return unicodedata.normalize("NFC", text).encode("utf-8")


def check_passphrase(passphrase: bytes) -> None:
    """Refuse what can be guessed offline. Raises `Rejected`: `weak_passphrase`."""
    if not MIN_PASSPHRASE_BYTES <= len(passphrase) <= MAX_PASSPHRASE_BYTES:
        raise Rejected(
            "weak_passphrase",
            f"choose a passphrase of {MIN_PASSPHRASE_BYTES} to {MAX_PASSPHRASE_BYTES} characters; a few words do",
        )
    if passphrase.isdigit() and len(passphrase) < MIN_DIGITS:
        raise Rejected("weak_passphrase", "digits alone are guessed too fast; choose a few words instead")


def wrap_key(key: bytes, passphrase: bytes, profile: Profile, purpose: bytes, random: Random) -> WrappedKey:
    """`key` (32 bytes) under `passphrase`. `purpose` separates the uses of one passphrase: a vault, a backup."""
    salt, nonce = random(_SALT_BYTES), random(NONCE_BYTES)
    sealed = aead_seal(_stretch(passphrase, salt, profile), nonce, key, purpose + profile.name.encode())
    return WrappedKey(profile.name, b64u_encode(salt), b64u_encode(nonce + sealed))


def unwrap_key(wrapped: WrappedKey, passphrase: bytes, purpose: bytes) -> bytes:
    """The key. Raises `Rejected`: `wrong_passphrase` (also when the wrapping was altered), `bad_vault`."""
    profile = PROFILES.get(wrapped.profile)
    if profile is None:
        raise Rejected("bad_vault", "the file names a passphrase profile that this program does not know")
    salt = b64u_fixed(wrapped.salt, _SALT_BYTES)
    sealed = b64u_decode(wrapped.wrapped, max_bytes=256)
    try:
        return aead_open(
            _stretch(passphrase, salt, profile),
            sealed[:NONCE_BYTES],
            sealed[NONCE_BYTES:],
            purpose + profile.name.encode(),
        )
    except Rejected as error:
        raise Rejected(
            "wrong_passphrase", "the passphrase does not open this file; try again", status=403
        ) from error


def _stretch(passphrase: bytes, salt: bytes, profile: Profile) -> bytes:
    return nacl.pwhash.argon2id.kdf(KEY_BYTES, passphrase, salt, opslimit=profile.passes, memlimit=profile.memory)
