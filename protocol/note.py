"""C2SP signed-note: a text, a blank line, and one line for each signature.

Three kinds of signatures are used: `0x01`, Ed25519 over the text itself (logs, receipts), and the timestamped ones
of C2SP tlog-cosignature, `0x04` with Ed25519 (witnesses) and `0x06` with ML-DSA-44 (both). Signatures of keys that
nobody asked for are ignored, as the specification demands; a bad one by a key that was asked for condemns the
note.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from protocol.canonical import sha256
from protocol.errors import Rejected
from protocol.keys import (
    MLDSA44_PUBLIC_BYTES,
    Ed25519Private,
    MlDsa44Private,
    verify_ed25519,
    verify_mldsa44,
)

MAX_NOTE_BYTES = 64 * 1024
"""Sixteen post-quantum signatures and a checkpoint fit."""
MAX_SIGNATURES = 32
"""Lines in one note; the specification asks for at least 16."""
MAX_KEY_NAME_BYTES = 255
"""As much as an ML-DSA-44 cosignature can name."""
MAX_SIGNATURE_BYTES = 5000
"""Nearly 5 kB is the largest that the specification foresees; ours have 2428 at most."""
MAX_TIMESTAMP = 2**63 - 1
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE_START = "\u2014 "
_TIMESTAMP_BYTES = 8
_REMEMBERED_SIGNATURES = 512
"""About 4 kB each, with ML-DSA-44."""


class SignatureType(IntEnum):
    """Signature type identifier byte: the allow-list."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    MLDSA44_COSIGNATURE = 0x06


_PUBLIC_BYTES = {
    SignatureType.ED25519: 32,
    SignatureType.COSIGNATURE: 32,
    SignatureType.MLDSA44_COSIGNATURE: MLDSA44_PUBLIC_BYTES,
}


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4), as all C2SP formats use."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, *, max_bytes: int) -> bytes:
    """Inverse of `encode_base64`; one text for each value. Raises `Rejected`: `bad_base64`."""
    if len(text) > (max_bytes + 2) // 3 * 4:
        raise Rejected("bad_base64", f"base64 is longer than {max_bytes} bytes allow")
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Rejected("bad_base64", "not padded base64") from error
    if encode_base64(data) != text or len(data) > max_bytes:
        raise Rejected("bad_base64", "not the one base64 form of this value")
    return data


def decode_hash(line: str) -> bytes:
    """A 32-byte hash in base64, as on a proof line. Raises `Rejected`: `bad_base64`."""
    data = decode_base64(line, max_bytes=32)
    if len(data) != 32:
        raise Rejected("bad_base64", "a hash is 32 bytes")
    return data


def decode_decimal(text: str, *, below: int) -> int:
    """ASCII decimal without leading zeroes. Raises `Rejected`: `bad_decimal`."""
    if not text.isascii() or not text.isdigit() or len(text) > 20 or (text[0] == "0" and text != "0"):
        raise Rejected("bad_decimal", "not a decimal number without leading zeroes")
    number = int(text)
    if number >= below:
        raise Rejected("bad_decimal", "number is out of range")
    return number


def is_key_name(name: str) -> bool:
    """Non-empty, no Unicode space, no plus, no control character."""
    if any(char <= " " or char == "+" or char.isspace() for char in name):
        return False
    return 0 < len(name.encode("utf-8", "replace")) <= MAX_KEY_NAME_BYTES


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name; (name, key id) is how a signature line points to it."""

    name: str
    type: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.public) != _PUBLIC_BYTES[self.type]:
            raise ValueError("not a note key")
        object.__setattr__(self, "_key_id", key_id(self.name, self.type, self.public))

    @property
    def key_id(self) -> bytes:
        """First four bytes of H(name || newline || type || public key)."""
        return self._key_id  # type: ignore[attr-defined, no-any-return]

    def __str__(self) -> str:
        """The vkey: `name+hex key id+base64(type || public key)`."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.type]) + self.public)}"


def key_id(name: str, signature_type: int, public: bytes) -> bytes:
    """Four bytes that tell keys of one name apart."""
    return sha256(name.encode("utf-8"), b"\n", bytes([signature_type]), public)[:4]


def parse_vkey(text: str) -> VerifierKey:
    """A vkey as `str(VerifierKey)` prints it. Raises `Rejected`: `bad_vkey`."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    try:
        material = decode_base64(encoded, max_bytes=1 + MLDSA44_PUBLIC_BYTES)
        key = VerifierKey(name, SignatureType(material[0] if material else 0), material[1:])
    except (Rejected, ValueError) as error:
        raise Rejected("bad_vkey", "not a note verifier key of a type in use") from error
    if str(key) != text:
        raise Rejected("bad_vkey", "key id does not belong to this key")
    return key


@dataclass(frozen=True)
class NoteSignature:
    """One signature line of good form: whose it says it is, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """With em dash and newline, as it stands in a note."""
        return f"{_SIGNATURE_START}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True)
class UnverifiedNote:
    """A note of good form whose signatures nobody has looked at."""

    body: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True)
class VerifiedSignature:
    """A signature that verified; `time` (POSIX seconds) for cosignatures only."""

    key: VerifierKey
    time: int | None
    line: str


@dataclass(frozen=True)
class VerifiedNote:
    """A body and those signatures on it that were asked for and verify, each key once."""

    body: str
    signatures: tuple[VerifiedSignature, ...]


def parse_signature_lines(text: str) -> tuple[NoteSignature, ...]:
    """Zero to `MAX_SIGNATURES` signature lines, as a witness answers them. Raises `Rejected`: `bad_note`."""
    if not text:
        return ()
    lines = text.split("\n")
    if lines.pop() or len(lines) > MAX_SIGNATURES:
        raise Rejected("bad_note", "too many signature lines, or the last one is not ended")
    return tuple(_parse_signature_line(line) for line in lines)


def _parse_signature_line(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_SIGNATURE_START).partition(" ")
    if not line.startswith(_SIGNATURE_START) or not is_key_name(name):
        raise Rejected("bad_note", "not a signature line")
    try:
        data = decode_base64(encoded, max_bytes=4 + MAX_SIGNATURE_BYTES)
    except Rejected as error:
        raise Rejected("bad_note", "signature is not base64") from error
    if len(data) < 5:
        raise Rejected("bad_note", "signature is empty")
    return NoteSignature(name, data[:4], data[4:])


def parse_note(text: str | bytes) -> UnverifiedNote:
    """Form only: UTF-8, no control characters but newline, a blank line, at least one signature line.

    Raises `Rejected`: `bad_note`, `too_large`.
    """
    if len(text) > MAX_NOTE_BYTES:
        raise Rejected("too_large", f"note is larger than {MAX_NOTE_BYTES} bytes")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        elif len(text.encode("utf-8")) > MAX_NOTE_BYTES:
            raise Rejected("too_large", f"note is larger than {MAX_NOTE_BYTES} bytes")
    except UnicodeError as error:
        raise Rejected("bad_note", "note is not UTF-8") from error
    if _CONTROL.search(text):
        raise Rejected("bad_note", "note holds control characters")
    body, blank, signatures = text.rpartition("\n\n")
    if not blank or not signatures:
        raise Rejected("bad_note", "note has no signatures")
    return UnverifiedNote(body + "\n", parse_signature_lines(signatures))


def _signed_message(key: VerifierKey, time: int | None, body: str) -> bytes:
    """What `key` signs: the text, or what tlog-cosignature makes of it. Raises `Rejected`: `bad_note`."""
    if key.type is SignatureType.COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{body}".encode()
    if key.type is SignatureType.MLDSA44_COSIGNATURE:
        return _subtree_message(key.name.encode("utf-8"), time or 0, body)
    return body.encode("utf-8")


def _subtree_message(name: bytes, time: int, body: str) -> bytes:
    """The `cosigned_message` for a checkpoint; it would not cover extension lines, so they are refused."""
    lines = body.split("\n")
    if len(lines) != 4 or lines[3]:
        raise Rejected("bad_note", "ML-DSA-44 signs checkpoints without extension lines only")
    try:
        origin, size, root = lines[0].encode("utf-8"), decode_decimal(lines[1], below=2**63), decode_hash(lines[2])
    except Rejected as error:
        raise Rejected("bad_note", "ML-DSA-44 signs checkpoints only") from error
    if not 0 < len(origin) < 256 or not 0 < len(name) < 256:
        raise Rejected("bad_note", "names are 1 to 255 bytes")
    numbers = (0).to_bytes(8, "big") + size.to_bytes(8, "big")
    head = b"subtree/v1\n\0" + bytes([len(name)]) + name + time.to_bytes(8, "big")
    return head + bytes([len(origin)]) + origin + numbers + root


@lru_cache(maxsize=_REMEMBERED_SIGNATURES)
def _verify_signature(key: VerifierKey, found: NoteSignature, body: str) -> VerifiedSignature:
    """Remembered by exact bytes: a log sees each line of its witnesses twice.

    Raises `Rejected`: `bad_signature`.
    """
    time, signature = None, found.signature
    if key.type is not SignatureType.ED25519:
        time, signature = int.from_bytes(signature[:_TIMESTAMP_BYTES], "big"), signature[_TIMESTAMP_BYTES:]
        if time > MAX_TIMESTAMP:
            raise Rejected("bad_signature", "timestamp is out of range")
    verify = verify_mldsa44 if key.type is SignatureType.MLDSA44_COSIGNATURE else verify_ed25519
    verify(key.public, signature, _signed_message(key, time, body))
    return VerifiedSignature(key, time, found.line())


def verify_signatures(
    body: str, signatures: Sequence[NoteSignature], keys: Sequence[VerifierKey]
) -> tuple[VerifiedSignature, ...]:
    """The signatures by one of `keys`, each key once (its latest time), in the order of `keys`.

    1. a line whose name and key id match none of `keys` is ignored; 2. one that matches must verify.
    Raises `Rejected`: `bad_signature`, `bad_vkey` (two of `keys` share name and key id).
    """
    known = {(key.name, key.key_id): key for key in keys}
    if len(known) != len(set(keys)):
        raise Rejected("bad_vkey", "two keys share a name and a key id")
    verified: dict[VerifierKey, VerifiedSignature] = {}
    for found in signatures:
        key = known.get((found.name, found.key_id))
        if key is None:
            continue
        signature = _verify_signature(key, found, body)
        earlier = verified.get(key)
        if earlier is None or (earlier.time or 0) < (signature.time or 0):
            verified[key] = signature
    return tuple(verified[key] for key in dict.fromkeys(keys) if key in verified)


def verify_note(text: str | bytes, keys: Sequence[VerifierKey]) -> VerifiedNote:
    """The note, once at least one of `keys` is found to have signed it.

    Raises `Rejected`: `bad_note`, `too_large`, `bad_signature`, `unknown_key` (no line is by one of `keys`).
    """
    note = parse_note(text)
    signatures = verify_signatures(note.body, note.signatures, keys)
    if not signatures:
        raise Rejected("unknown_key", "note is not signed by a key that was asked for")
    return VerifiedNote(note.body, signatures)


class NoteSigner:
    """A signing key with its note name. `signature_type` says what it signs: texts, or cosignatures."""

    def __init__(
        self,
        name: str,
        private: Ed25519Private | MlDsa44Private,
        signature_type: SignatureType = SignatureType.ED25519,
    ) -> None:
        if isinstance(private, MlDsa44Private) != (signature_type is SignatureType.MLDSA44_COSIGNATURE):
            raise ValueError("key and signature type do not fit")
        self._private = private
        self.key = VerifierKey(name, signature_type, private.public)

    def sign(self, body: str, *, time: int | None = None) -> str:
        """The signature line over `body`; `time` (POSIX seconds) exactly for a cosignature.

        A log that signs its own checkpoint with ML-DSA-44 gives none, and says 0.
        """
        if self.key.type is SignatureType.MLDSA44_COSIGNATURE and time is None:
            time = 0
        if (self.key.type is SignatureType.ED25519) != (time is None):
            raise ValueError("a cosignature, and only that, has a time")
        signature = self._private.sign(_signed_message(self.key, time, body))
        if time is not None:
            signature = time.to_bytes(_TIMESTAMP_BYTES, "big") + signature
        return NoteSignature(self.key.name, self.key.key_id, signature).line()


def sign_note(body: str, signers: Sequence[NoteSigner]) -> str:
    """A note: `body` (ends in a newline), a blank line and a signature line for each signer."""
    note = f"{body}\n" + "".join(signer.sign(body) for signer in signers)
    if parse_note(note).body != body:
        raise ValueError("body is not the text of a note")
    return note
