"""C2SP tlog-checkpoint: origin, size and root of a log, signed as a note; and the Structs that carry proofs to it.

Extension lines are refused: witnesses cosign two different ones for the same tree, so they prove nothing. What a
checkpoint must commit to beyond the tree stands in the tree, as its last leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from protocol.canonical import b64u_decode, b64u_encode, b64u_fixed, sha256
from protocol.errors import Rejected
from protocol.log_keys import LogKey, check_signed, keys_of
from protocol.merkle import HASH_BYTES, MAX_PROOF_HASHES, MAX_SIZE
from protocol.note import (
    NoteSigner,
    SignatureType,
    VerifierKey,
    decode_decimal,
    decode_hash,
    encode_base64,
    parse_note,
    parse_signature_lines,
    sign_note,
    verify_note,
    verify_signatures,
)
from protocol.status_tree import CHUNK_BYTES

MAX_ORIGIN_CHARS = 255
MAX_LEAF_BYTES = 128
"""The longest leaf has 70."""


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: unsigned."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True)
class VerifiedCheckpoint:
    """A checkpoint that its log signed; made only by `verify_checkpoint` and what builds on it."""

    origin: str
    size: int
    root: bytes
    note: str

    @property
    def body(self) -> str:
        """The three lines that are signed."""
        return Checkpoint(self.origin, self.size, self.root).body()

    @property
    def body_hash(self) -> bytes:
        """H(note body): what the release of key shares is bound to (protocol section 8.3)."""
        return sha256(self.body.encode("utf-8"))


def parse_checkpoint_body(body: str) -> Checkpoint:
    """Exactly three lines in their one form. Raises `Rejected`: `bad_checkpoint`."""
    lines = body.split("\n")
    if len(lines) != 4 or lines[3]:
        raise Rejected("bad_checkpoint", "a checkpoint has three lines and no extension")
    origin, size, root, _ = lines
    if not origin or len(origin) > MAX_ORIGIN_CHARS:
        raise Rejected("bad_checkpoint", "origin is empty or too long")
    try:
        return Checkpoint(origin, decode_decimal(size, below=MAX_SIZE), decode_hash(root))
    except Rejected as error:
        raise Rejected("bad_checkpoint", "size or root hash is not in its one form") from error


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> str:
    """The note. The caller MUST NOT have a log sign what is inconsistent with anything it signed before."""
    parse_checkpoint_body(checkpoint.body())
    return sign_note(checkpoint.body(), signers)


def verify_checkpoint(note: str, log: LogKey) -> VerifiedCheckpoint:
    """The checkpoint, once the log itself is found to have signed it.

    1. form; 2. of each kind of key that the log has now, one signed; 3. origin is the name of those keys. **Not**
    the cosignatures; a checkpoint from before a rotation is `policy.satisfied`'s matter.
    Raises `Rejected`: `bad_checkpoint`, `bad_note`, `bad_signature`, `unknown_key`, `one_kind_missing`,
    `wrong_origin`.
    """
    keys = keys_of(log)
    if any(key.type is SignatureType.COSIGNATURE for key in keys.current):
        raise Rejected("bad_vkey", "a log signs as itself, not as a witness")
    verified = verify_note(note, keys.current)
    checkpoint = parse_checkpoint_body(verified.body)
    signed = {signature.key for signature in verified.signatures}
    check_signed(signed, keys.current, {key.type for key in keys.current})
    if checkpoint.origin != keys.name:
        raise Rejected("wrong_origin", "checkpoint is of another log")
    return VerifiedCheckpoint(checkpoint.origin, checkpoint.size, checkpoint.root, note)


def cosign_checkpoint(checkpoint: VerifiedCheckpoint, signer: NoteSigner, *, time: int) -> str:
    """The signature line of a witness (tlog-cosignature); `time` in POSIX seconds.

    MUST be shown to nobody before the new state is durably stored (C2SP tlog-witness).
    """
    return signer.sign(checkpoint.body, time=time)


def verify_cosignatures(
    checkpoint: VerifiedCheckpoint, answer: str, keys: Sequence[VerifierKey]
) -> tuple[str, ...]:
    """The lines of a witness's answer that are cosignatures by `keys`; lines by others are dropped.

    Raises `Rejected`: `bad_note`, `bad_signature`, `unknown_key` when none is left.
    """
    if any(key.type is SignatureType.ED25519 for key in keys):
        raise ValueError("a witness key makes cosignatures")
    found = verify_signatures(checkpoint.body, parse_signature_lines(answer), keys)
    if not found:
        raise Rejected("unknown_key", "answer holds no cosignature of this witness")
    return tuple(signature.line for signature in found)


def add_cosignatures(note: str, lines: Sequence[str]) -> str:
    """The note with verified cosignature `lines` after its own. Raises `Rejected`: `bad_note`, `too_large`."""
    cosigned = note + "".join(lines)
    parse_note(cosigned)
    return cosigned


def encode_hashes(hashes: Sequence[bytes]) -> str:
    """A Merkle proof in our JSON: b64u of the concatenated 32-byte hashes, so that it is decoded in one go."""
    return b64u_encode(b"".join(hashes))


def decode_hashes(text: str) -> list[bytes]:
    """Inverse of `encode_hashes`. Raises `Rejected`: `bad_base64`, `too_large`."""
    data = b64u_decode(text, max_bytes=MAX_PROOF_HASHES * HASH_BYTES)
    if len(data) % HASH_BYTES:
        raise Rejected("bad_base64", "a proof is a row of 32-byte hashes")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


class LeafProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A leaf, where it stands, and its inclusion proof; b64u."""

    index: int
    leaf: str
    hashes: str

    @classmethod
    def make(cls, index: int, leaf: bytes, hashes: Sequence[bytes]) -> "LeafProof":
        """From the bytes."""
        return cls(index, b64u_encode(leaf), encode_hashes(hashes))

    def leaf_bytes(self) -> bytes:
        """Raises `Rejected`: `bad_base64`, `too_large`."""
        return b64u_decode(self.leaf, max_bytes=MAX_LEAF_BYTES)

    def proof(self) -> list[bytes]:
        """From the leaf's sibling up. Raises `Rejected`: `bad_base64`, `too_large`."""
        return decode_hashes(self.hashes)


class ChunkProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A 256-byte chunk of the status array and its inclusion proof in the status tree; b64u."""

    chunk: str
    hashes: str

    @classmethod
    def make(cls, chunk: bytes, hashes: Sequence[bytes]) -> "ChunkProof":
        """From the bytes."""
        return cls(b64u_encode(chunk), encode_hashes(hashes))

    def chunk_bytes(self) -> bytes:
        """Raises `Rejected`: `bad_base64`, `too_large`."""
        return b64u_fixed(self.chunk, CHUNK_BYTES)

    def proof(self) -> list[bytes]:
        """Raises `Rejected`: `bad_base64`, `too_large`."""
        return decode_hashes(self.hashes)


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that a light check needs, under one checkpoint: head leaf, grant leaf, status chunk of its slot."""

    checkpoint: str
    head: LeafProof
    grant: LeafProof
    status: ChunkProof


@dataclass(frozen=True)
class VerifiedStanding:
    """A grant that stood, unrevoked, at a witnessed checkpoint; made only by `light_check.verify_light_check`.

    `time`: POSIX seconds, the latest at which a whole quorum had seen no larger tree. `slots`: grants so far.
    """

    slot: int
    lock: bytes
    grant_index: int
    checkpoint: VerifiedCheckpoint
    slots: int
    time: int
