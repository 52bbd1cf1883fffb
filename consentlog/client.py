"""The log as a client of its witnesses and auditing cosigners (C2SP tlog-witness; protocol section 9).

A witness that has another size than we thought says so (409), and is asked once more from there. What it answers
counts only as far as its signatures verify.
"""

from threading import Lock
from urllib.parse import quote

from consentlog.tree import Tree
from protocol.canonical import b64u_fixed
from protocol.checkpoint import VerifiedCheckpoint, verify_cosignatures
from protocol.consent_api import MAX_PENDING, PendingRevocations
from protocol.errors import Rejected, Unavailable
from protocol.merkle import consistency_proof
from protocol.note import MAX_NOTE_BYTES, VerifierKey, decode_decimal, parse_vkey
from protocol.trust_list import TrustedWitness
from protocol.witness import SIZE_CONTENT_TYPE, encode_add_checkpoint
from service.fetch import Answer, Fetcher

MAX_COSIGNATURE_BYTES = MAX_NOTE_BYTES
"""As much as a note holds: a witness may send lines of keys that we do not know, of 7 kB each at most."""
MAX_PENDING_BYTES = 48 * MAX_PENDING + 1024
COSIGN_SECONDS = 5.0
"""An auditing cosigner reads and replays the new leaves before it answers."""


class WitnessClient:
    """One witness. Remembers the size that it cosigned last, so that one request a checkpoint is enough."""

    def __init__(self, fetcher: Fetcher, witness: TrustedWitness) -> None:
        self._fetcher = fetcher
        self._url = witness.url.rstrip("/")
        self.name = witness.name
        self.keys: tuple[VerifierKey, ...] = tuple(parse_vkey(vkey) for vkey in (witness.vkey, *witness.also))
        self.is_auditing = witness.auditing
        self._size = 0
        self._busy = Lock()
        self._asking = Lock()

    @property
    def is_asked(self) -> bool:
        """Whether it has not yet told what it keeps since it was asked last."""
        return self._asking.locked()

    @property
    def is_busy(self) -> bool:
        """Whether a request of an earlier round is still under way."""
        return self._busy.locked()

    def add_checkpoint(self, checkpoint: VerifiedCheckpoint, tree: Tree) -> tuple[str, ...]:
        """The witness's cosignature lines on `checkpoint`, verified.

        1. ask from the size that it had; 2. on a conflict ask once more from the size that it says, unless it has
        seen a larger tree than ours; 3. keep only what verifies under its keys; lines of others are none of ours.
        Raises `Rejected`: `conflict` and the witness's own codes; `Unavailable`.
        """
        with self._busy:
            answer = self._ask(checkpoint, tree)  # 1.
            if answer.status == 409:  # 2.
                self._size = _size_of(answer)
                if self._size > checkpoint.size:
                    raise Rejected("conflict", "a witness has cosigned a larger tree of this log", status=409)
                answer = self._ask(checkpoint, tree)
            if answer.status == 409:
                raise Rejected("conflict", "a witness does not take this tree as the next one", status=409)
            lines = verify_cosignatures(checkpoint, answer.text, self.keys)  # 3.
            self._size = checkpoint.size
            return lines

    def _ask(self, checkpoint: VerifiedCheckpoint, tree: Tree) -> Answer:
        proof = consistency_proof(self._size, checkpoint.size, tree.node)
        body = encode_add_checkpoint(self._size, proof, checkpoint.note)
        return self._fetcher.post_bytes(
            f"{self._url}/add-checkpoint",
            body.encode("utf-8"),
            "text/plain; charset=utf-8",
            accept=None,  # the specification names no media type for the lines
            max_bytes=MAX_COSIGNATURE_BYTES,
            expect=(409,),
            total_seconds=COSIGN_SECONDS,
        )

    def pending(self, origin: str) -> list[bytes]:
        """Revocation secrets that an auditing cosigner keeps for this log. Raises `Unavailable`, `Rejected`."""
        url = f"{self._url}/v1/revocations?origin={quote(origin, safe='')}"
        with self._asking:
            answer = self._fetcher.get(url, max_bytes=MAX_PENDING_BYTES)
        return [b64u_fixed(r, 32) for r in answer.json(PendingRevocations).revocations]


def _size_of(answer: Answer) -> int:
    """The size in a 409 of tlog-witness. Raises `Unavailable`: `unreachable` when it is not one."""
    if answer.media_type != SIZE_CONTENT_TYPE:
        raise Unavailable("unreachable", "a witness refused without saying its size")
    try:
        return decode_decimal(answer.text.removesuffix("\n"), below=2**63)
    except Rejected as error:
        raise Unavailable("unreachable", "a witness refused without saying its size") from error
