"""Receipts that can be checked offline: C2SP tlog-proof for a leaf, and the note that acknowledges a revocation.

A tlog-proof carries its checkpoint; whoever relies on it MUST hold that checkpoint against a policy. The note of a
revocation (**ours**, protocol section 9) is given before the leaf is in any checkpoint: a promise with a deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.canonical import b64u_encode, b64u_fixed
from protocol.checkpoint import VerifiedCheckpoint, parse_checkpoint_body
from protocol.errors import Rejected
from protocol.merkle import MAX_PROOF_HASHES, MAX_SIZE, leaf_hash, verify_inclusion
from protocol.note import (
    MAX_NOTE_BYTES,
    NoteSigner,
    VerifierKey,
    decode_base64,
    decode_decimal,
    decode_hash,
    encode_base64,
    parse_note,
    sign_note,
    verify_note,
)

MAX_EXTRA_BYTES = 1024
"""Opaque extra data of others; we neither write nor read any."""
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 8192
INCLUSION_SECONDS = 60
"""A revocation is in the log this long after its receipt, or the receipt convicts the log."""
_MAGIC = "c2sp.org/tlog-proof@v1"
_REVOCATION = "regie/revocation/v1"
_MAX_TIME = 2**53


@dataclass(frozen=True)
class TlogProof:
    """A tlog-proof of good form; nothing in it is verified, `extra` never will be."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


@dataclass(frozen=True)
class VerifiedInclusion:
    """That a leaf stands at `index` in the tree of `checkpoint`."""

    index: int
    checkpoint: VerifiedCheckpoint


@dataclass(frozen=True)
class RevocationReceipt:
    """What a log or cosigner promised; made only by `verify_revocation_receipt`. Times in POSIX seconds."""

    origin: str
    lock: bytes
    time: int
    deadline: int


def make_tlog_proof(index: int, hashes: Sequence[bytes], checkpoint: str) -> str:
    """The text of a proof without extra data; `checkpoint` is the published note."""
    lines = "".join(f"{encode_base64(value)}\n" for value in hashes)
    return f"{_MAGIC}\nindex {index}\n{lines}\n{checkpoint}"


def parse_tlog_proof(text: str) -> TlogProof:
    """Form only. Raises `Rejected`: `bad_proof`, `too_large`, `bad_note`, `bad_checkpoint`."""
    if len(text) > MAX_PROOF_BYTES:
        raise Rejected("too_large", f"proof is larger than {MAX_PROOF_BYTES} bytes")
    head, blank, checkpoint = text.partition("\n\n")
    magic, *lines = head.split("\n")
    extra_line = lines.pop(0) if lines and lines[0].startswith("extra ") else None
    if not blank or magic != _MAGIC or not lines or not lines[0].startswith("index "):
        raise Rejected("bad_proof", "not a tlog-proof of version 1")
    if len(lines) - 1 > MAX_PROOF_HASHES:
        raise Rejected("bad_proof", f"more than {MAX_PROOF_HASHES} proof lines")
    try:
        extra = None if extra_line is None else decode_base64(extra_line[6:], max_bytes=MAX_EXTRA_BYTES)
        index = decode_decimal(lines[0].removeprefix("index "), below=MAX_SIZE)
        hashes = tuple(decode_hash(line) for line in lines[1:])
    except Rejected as error:
        raise Rejected("bad_proof", "a line of the proof is not in its one form") from error
    parse_checkpoint_body(parse_note(checkpoint).body)
    return TlogProof(index, hashes, checkpoint, extra)


def verify_tlog_proof(proof: TlogProof, leaf: bytes, checkpoint: VerifiedCheckpoint) -> VerifiedInclusion:
    """That `leaf` is in the tree of `checkpoint`, which the caller verified under its policy.

    1. the proof names that very checkpoint (by its signed text); 2. inclusion.
    Raises `Rejected`: `other_checkpoint`, `bad_inclusion`.
    """
    if parse_note(proof.checkpoint).body != checkpoint.body:
        raise Rejected("other_checkpoint", "proof is to another checkpoint")
    verify_inclusion(leaf_hash(leaf), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return VerifiedInclusion(proof.index, checkpoint)


def make_revocation_receipt(origin: str, lock: bytes, time: int, *signers: NoteSigner) -> str:
    """The signed note: version, origin, b64u lock, time, deadline (time + 60), one a line.

    Two `signers` while the receipt key rotates: whoever knows either reads it.
    """
    deadline = time + INCLUSION_SECONDS
    return sign_note(f"{_REVOCATION}\n{origin}\n{b64u_encode(lock)}\n{time}\n{deadline}\n", signers)


def verify_revocation_receipt(text: str, key: VerifierKey, *, origin: str, lock: bytes) -> RevocationReceipt:
    """The promise for `lock` in the log `origin`, once `key` (the log's or cosigner's receipt key) signed it.

    1. signature; 2. version and form; 3. this log and this lock; 4. deadline is `time` + 60. A retired key never
    counts: only its signer says when a receipt was signed, and who has an old key can give any time.
    Raises `Rejected`: `bad_receipt` and those of `verify_note`.
    """
    verified = verify_note(text, [key])
    lines = verified.body.split("\n")
    if len(lines) != 6 or lines[0] != _REVOCATION:
        raise Rejected("bad_receipt", "not a revocation receipt of version 1")
    try:
        named = b64u_fixed(lines[2], 32)
        time, deadline = decode_decimal(lines[3], below=_MAX_TIME), decode_decimal(lines[4], below=_MAX_TIME)
    except Rejected as error:
        raise Rejected("bad_receipt", "a line of the receipt is not in its one form") from error
    if lines[1] != origin or named != lock:
        raise Rejected("bad_receipt", "receipt is for another log or another grant")
    if deadline != time + INCLUSION_SECONDS:
        raise Rejected("bad_receipt", "receipt promises another deadline")
    return RevocationReceipt(origin, lock, time, deadline)
