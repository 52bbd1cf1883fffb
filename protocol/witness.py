"""C2SP tlog-witness: the rules by which a witness cosigns a checkpoint, without the HTTP and without the store.

A witness sees that a log only grows. `decide` answers with the state to store; the caller MUST check and store in
one atomic step before a cosignature is shown, or two requests at once can roll the witness back.
"""

from dataclasses import dataclass

from protocol.checkpoint import Checkpoint, VerifiedCheckpoint, parse_checkpoint_body, verify_checkpoint
from protocol.errors import Rejected
from protocol.log_keys import LogKey, keys_of
from protocol.merkle import EMPTY_ROOT, MAX_PROOF_HASHES, MAX_SIZE, verify_consistency
from protocol.note import (
    MAX_NOTE_BYTES,
    decode_decimal,
    decode_hash,
    encode_base64,
    parse_note,
)

MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 4096
"""A note, the old size and 63 proof lines of 45 bytes."""
SIZE_CONTENT_TYPE = "text/x.tlog.size"
"""Of the body of a 409: the size that the witness has, and a newline."""


@dataclass(frozen=True)
class WitnessState:
    """The latest tree of one log that a witness cosigned."""

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True)
class AddCheckpoint:
    """An add-checkpoint request of good form. `claimed` is unverified; its origin names the log key to look up."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str
    claimed: Checkpoint


@dataclass(frozen=True)
class Accepted:
    """A checkpoint to store as `state` and then to cosign. `note`: it with the log's own signatures only."""

    checkpoint: VerifiedCheckpoint
    state: WitnessState
    note: str


class SizeConflict(Rejected):
    """409: the request does not start from the tree that the witness has; `size` is that tree's."""

    def __init__(self, code: str, detail: str, size: int) -> None:
        super().__init__(code, detail, status=409)
        self.size = size

    def body(self) -> str:
        """The body that the specification prescribes, of type `SIZE_CONTENT_TYPE`."""
        return f"{self.size}\n"


def encode_add_checkpoint(old_size: int, proof: list[bytes], note: str) -> str:
    """The body of a request: old size, proof lines, an empty line, the note."""
    return f"old {old_size}\n" + "".join(f"{encode_base64(value)}\n" for value in proof) + f"\n{note}"


def parse_add_checkpoint(body: bytes | str) -> AddCheckpoint:
    """Form only. Raises `Rejected`: `bad_request`, `too_large`, `bad_note`, `bad_checkpoint` (all 400)."""
    if len(body) > MAX_REQUEST_BYTES:
        raise Rejected("too_large", f"request is larger than {MAX_REQUEST_BYTES} bytes")
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError as error:
        raise Rejected("bad_request", "request is not UTF-8") from error
    head, blank, note = text.partition("\n\n")
    old, *lines = head.split("\n")
    if not blank or not old.startswith("old ") or len(lines) > MAX_PROOF_HASHES:
        raise Rejected("bad_request", "request has no old size, no empty line, or too many proof lines")
    try:
        old_size = decode_decimal(old.removeprefix("old "), below=MAX_SIZE)
        proof = tuple(decode_hash(line) for line in lines)
    except Rejected as error:
        raise Rejected("bad_request", "old size or proof line is not in its one form") from error
    return AddCheckpoint(old_size, proof, note, parse_checkpoint_body(parse_note(note).body))


def decide(state: WitnessState | None, request: AddCheckpoint, log: LogKey | None) -> Accepted:
    """Whether to cosign, by the rules of tlog-witness in their order.

    1. the origin is that of a log we know (404); 2. the log signed it, with each kind of key that it has, foreign
    signatures ignored (403); 3. old size <= size (400); 4. old size is the size we have (409 with ours); 5. an
    equal size has an equal root, an empty tree that of nothing (422, as from version 1.1.0 of the specification
    on; before it said 409); 6. the consistency proof holds, and is empty from size 0 (422).
    An equal tree is accepted again: it is cosigned with a new time. **Not** looked at: what the leaves say.
    `state`: None when this log was never cosigned. Raises `Rejected` with the statuses above: `unknown_log`,
    `bad_signature`, `bad_sizes`, `conflict`, `forked`, `bad_consistency`.
    """
    state = state or WitnessState()
    if log is None or request.claimed.origin != log.name:
        raise Rejected("unknown_log", "no log of this origin is witnessed here", status=404)
    try:
        checkpoint = verify_checkpoint(request.note, log)
    except Rejected as error:
        raise Rejected("bad_signature", "checkpoint is not signed by its log", status=403) from error
    if request.old_size > checkpoint.size:
        raise Rejected("bad_sizes", "old size is larger than the checkpoint")
    if request.old_size != state.size:
        raise SizeConflict("conflict", "old size is not the one this witness has", state.size)
    if checkpoint.size == state.size and checkpoint.root != state.root:
        raise Rejected("forked", "the same size has another root here", status=422)
    try:
        verify_consistency(state.size, state.root, checkpoint.size, checkpoint.root, request.proof)
    except Rejected as error:
        raise Rejected("bad_consistency", "checkpoint is not shown to extend the last one", status=422) from error
    return Accepted(checkpoint, WitnessState(checkpoint.size, checkpoint.root), _signed_by_log(request.note, log))


def _signed_by_log(note: str, log: LogKey) -> str:
    """A note that was verified, without the lines of others."""
    own = {(key.name, key.key_id) for key in keys_of(log).current}
    parsed = parse_note(note)
    lines = [found.line() for found in parsed.signatures if (found.name, found.key_id) in own]
    return f"{parsed.body}\n" + "".join(lines)
