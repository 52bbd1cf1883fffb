"""Opening the vault with a passkey: what an authenticator's PRF wraps, and how its answers are judged.

The PRF extension (WebAuthn level 3, 10.1.4) gives 32 bytes that only this authenticator makes, for this salt,
after it has verified the resident. They wrap the store key, beside the passphrase and never in its place: an
authenticator can be lost. The key of a passkey opens nothing without the file, nor the file without the passkey.

Only "none" attestation is asked for, so nothing tells which device it is. Its signature is checked all the same:
an answer that was overheard once opens nothing later through the web app.
"""

from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed, hkdf_sha256, is_equal, parse_object, sha256
from protocol.errors import Rejected
from protocol.keys import Es256Public, es256_public_from
from protocol.passphrase import Random
from protocol.seal import KEY_BYTES, NONCE_BYTES, aead_open, aead_seal

SALT_BYTES = CHALLENGE_BYTES = SECRET_BYTES = 32
USER_BYTES = 16
CHALLENGE_SECONDS = 300
"""WebAuthn level 3, 15.1: the longest that a ceremony should take."""
MAX_PASSKEYS = 8
MAX_CREDENTIAL_BYTES = 1023
"""WebAuthn level 3, 4, Credential ID."""
_MAX_CLIENT_DATA = 4096
_MAX_AUTHENTICATOR_DATA = 4096
_MAX_SIGNATURE = 128
_MAX_PUBLIC = 256
_HEAD_BYTES = 37
_PRESENT, _VERIFIED, _HAS_CREDENTIAL = 0x01, 0x04, 0x40
_PURPOSE = b"regie/passkey/v1"


class Keyhole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the clear: how one passkey wraps the store key. All but `host` b64u.

    `credential`: its id; `host`: the RP ID that it belongs to; `salt` (32 bytes): what its PRF is asked; `public`:
    its key, x || y; `wrapped`: nonce (24) || sealed key (48).
    """

    credential: str
    host: str
    salt: str
    public: str
    wrapped: str


class PasskeyRecord(msgspec.Struct, frozen=True):
    """What lies sealed in the vault: the name that the resident gave it, when, and its last signature count."""

    name: str
    made_at: int
    count: int = 0


@dataclass(frozen=True)
class Ceremony:
    """What an answer must fit: `challenge` (32 bytes), `origin` with its port, `host` (the RP ID)."""

    challenge: bytes
    origin: str
    host: str


class Answer(msgspec.Struct, frozen=True):
    """What the browser hands over, all b64u: `signature` of a login, `public` (SPKI) of a new passkey."""

    credential: str
    client_data: str
    authenticator_data: str
    secret: str
    signature: str = ""
    public: str = ""


@dataclass(frozen=True)
class VerifiedPasskey:
    """`secret`: what the PRF gave, 32 bytes; `count`: of signatures, 0 where the authenticator keeps none."""

    credential: str
    public: Es256Public
    secret: bytes
    count: int


def verify_new_passkey(answer: Answer, ceremony: Ceremony) -> VerifiedPasskey:
    """A passkey that was just made (WebAuthn level 3, 7.1):

    1. client data: type, challenge, origin with its port, not in a frame of another origin; 2. RP ID hash, user
    present and verified; 3. the credential in the authenticator's data is the one named; 4. its key is ES256.
    **Not** checked: who made the authenticator.
    Raises `Rejected`: `bad_passkey`.
    """
    _check_client_data(answer, ceremony, "webauthn.create")  # 1.
    data = _decode(answer.authenticator_data, _MAX_AUTHENTICATOR_DATA)
    count = _check_authenticator_data(data, ceremony)  # 2.
    named = _decode(answer.credential, MAX_CREDENTIAL_BYTES)
    if not data[32] & _HAS_CREDENTIAL or not named or _credential_in(data) != named:  # 3.
        raise _bad("the passkey is not the one that was made")
    return VerifiedPasskey(answer.credential, _public(answer.public), _secret(answer), count)


def verify_login(answer: Answer, ceremony: Ceremony, keyhole: Keyhole) -> VerifiedPasskey:
    """A passkey that is to open the vault (WebAuthn level 3, 7.2):

    1. client data: type, challenge, origin with its port, not in a frame of another origin; 2. RP ID hash, user
    present and verified; 3. the signature over both, under the key of the `keyhole`.
    The caller MUST use each challenge once, and compare `count` with what it kept (`check_count`).
    Raises `Rejected`: `bad_passkey`.
    """
    _check_client_data(answer, ceremony, "webauthn.get")  # 1.
    data = _decode(answer.authenticator_data, _MAX_AUTHENTICATOR_DATA)
    count = _check_authenticator_data(data, ceremony)  # 2.
    point = b64u_fixed(keyhole.public, 64)
    public = Es256Public(point[:32], point[32:])
    signed = data + sha256(_decode(answer.client_data, _MAX_CLIENT_DATA))
    try:
        signature = _decode(answer.signature, _MAX_SIGNATURE)
        public.key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))  # 3.
    except InvalidSignature as error:
        raise _bad("the passkey did not sign this") from error
    return VerifiedPasskey(answer.credential, public, _secret(answer), count)


def check_count(record: PasskeyRecord, passkey: VerifiedPasskey) -> None:
    """A count that does not rise tells of a copy (WebAuthn level 3, 6.1.1). Raises `Rejected`:
    `copied_passkey`.
    """
    if (record.count or passkey.count) and passkey.count <= record.count:
        raise Rejected(
            "copied_passkey", "this passkey may have been copied; use your passphrase and remove it", status=403
        )


def wrap_for_passkey(
    store_key: bytes, passkey: VerifiedPasskey, host: str, salt: bytes, random: Random
) -> Keyhole:
    """The keyhole of a new passkey."""
    nonce = random(NONCE_BYTES)
    key = _wrapping_key(passkey.secret, salt)
    sealed = aead_seal(key, nonce, store_key, _purpose(passkey.credential, host))
    point = b64u_encode(passkey.public.x + passkey.public.y)
    return Keyhole(passkey.credential, host, b64u_encode(salt), point, b64u_encode(nonce + sealed))


def unwrap_by_passkey(keyhole: Keyhole, secret: bytes) -> bytes:
    """The store key. Raises `Rejected`: `wrong_passkey`, also when the keyhole was altered."""
    try:
        key = _wrapping_key(secret, b64u_fixed(keyhole.salt, SALT_BYTES))
        sealed = b64u_decode(keyhole.wrapped, max_bytes=256)
        purpose = _purpose(keyhole.credential, keyhole.host)
        return aead_open(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose)
    except Rejected as error:
        raise Rejected(
            "wrong_passkey", "this passkey does not open the wallet; use your passphrase", status=403
        ) from error


def _wrapping_key(secret: bytes, salt: bytes) -> bytes:
    return hkdf_sha256(secret, _PURPOSE, salt=salt, length=KEY_BYTES)


def _purpose(credential: str, host: str) -> bytes:
    return b"\x00".join((_PURPOSE, credential.encode(), host.encode()))


def _check_client_data(answer: Answer, ceremony: Ceremony, kind: str) -> None:
    data = parse_object(_decode(answer.client_data, _MAX_CLIENT_DATA))
    challenge = data.get("challenge")
    if data.get("type") != kind or not isinstance(challenge, str):
        raise _bad("the passkey answered another question")
    if not is_equal(challenge.encode(), b64u_encode(ceremony.challenge).encode()):
        raise _bad("the passkey answered an older question")
    if data.get("origin") != ceremony.origin or data.get("crossOrigin", False) is not False:
        raise _bad("the passkey was asked from another page")


def _check_authenticator_data(data: bytes, ceremony: Ceremony) -> int:
    """The signature count: u32 after the RP ID hash and the flags."""
    if len(data) < _HEAD_BYTES or not is_equal(data[:32], sha256(ceremony.host.encode())):
        raise _bad("the passkey is of another site")
    if not data[32] & _PRESENT or not data[32] & _VERIFIED:
        raise _bad("the passkey did not check who you are")
    return int.from_bytes(data[33:_HEAD_BYTES], "big")


def _credential_in(data: bytes) -> bytes:
    """After the head: AAGUID (16), length (2), credential id (WebAuthn level 3, 6.5.2)."""
    start = _HEAD_BYTES + 16
    length = int.from_bytes(data[start : start + 2], "big")
    return data[start + 2 : start + 2 + length]


def _public(text: str) -> Es256Public:
    try:
        return es256_public_from(serialization.load_der_public_key(_decode(text, _MAX_PUBLIC)))
    except (ValueError, Rejected) as error:
        raise _bad("the passkey has a key of a kind that is not used here") from error


def _secret(answer: Answer) -> bytes:
    secret = _decode(answer.secret, SECRET_BYTES)
    if len(secret) != SECRET_BYTES:
        raise Rejected("no_prf", "this passkey cannot open a wallet; try another device", status=409)
    return secret


def _decode(text: str, max_bytes: int) -> bytes:
    try:
        return b64u_decode(text, max_bytes=max_bytes)
    except Rejected as error:
        raise _bad("what the browser says of the passkey cannot be read") from error


def _bad(detail: str) -> Rejected:
    return Rejected("bad_passkey", detail, status=403)
