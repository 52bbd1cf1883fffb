"""Which revocation does a lying head hide? The log's own status chunk says it, or the lie is easy to guess.

A head commits to a status root, and the chunk under it is what convicts. A log that lies will hardly serve it. But
what a lie is for narrows it down: a status as it was at an earlier head, one without any revocation, or one that
lacks a single recent one.
"""

from collections.abc import Callable, Iterator, Sequence, Set

from protocol.checkpoint import ChunkProof
from protocol.consent_api import StatusChunkAnswer
from protocol.errors import Rejected
from protocol.fraud_tree import is_shown_revoked
from protocol.leaf import Grant, Head, Leaf, Revocation
from protocol.status_tree import CHUNK_BYTES, SLOTS_PER_CHUNK, StatusTree, chunk_count

_RECENT = 256
"""Heads, and revocations one by one, that are tried, the latest first."""


def hidden_chunk(
    head: Head, before: Sequence[Leaf | None], chunks: Callable[[int], StatusChunkAnswer | None] | None
) -> tuple[int, ChunkProof] | None:
    """A slot that one of the leaves `before` revoked and that `head` shows as live, and the chunk that shows it.

    `chunks`: asks the log, where `head` is the last one. None when neither way finds one.
    """
    revoked = [leaf.slot for leaf in before if isinstance(leaf, Revocation) and leaf.slot < head.slots]
    asked = _ask(head, revoked, chunks) if chunks else None
    return asked or next(_guesses(head, before, revoked), None)


def _ask(
    head: Head, revoked: Sequence[int], chunks: Callable[[int], StatusChunkAnswer | None]
) -> tuple[int, ChunkProof] | None:
    for number in sorted({slot // SLOTS_PER_CHUNK for slot in revoked}):
        answer = chunks(number)
        if answer is None:
            return None
        status = ChunkProof(answer.chunk, answer.hashes)
        for slot in revoked:
            if slot // SLOTS_PER_CHUNK == number and _is_hidden(head, slot, status):
                return slot, status
    return None


def _is_hidden(head: Head, slot: int, status: ChunkProof) -> bool:
    try:
        return not is_shown_revoked(head, slot, status)
    except Rejected:
        return False


def _guesses(
    head: Head, before: Sequence[Leaf | None], revoked: Sequence[int]
) -> Iterator[tuple[int, ChunkProof]]:
    if sum(isinstance(leaf, Grant) for leaf in before) != head.slots:
        return
    for hidden in _hypotheses(before, revoked):
        status = _status(head.slots, set(revoked) - set(hidden))
        if hidden and status.root() == head.status_root:
            number = hidden[0] // SLOTS_PER_CHUNK
            yield hidden[0], ChunkProof.make(status.chunk(number), status.proof(number))


def _status(slots: int, revoked: Set[int]) -> StatusTree:
    bits = bytearray(chunk_count(slots) * CHUNK_BYTES)
    for slot in revoked:
        bits[slot >> 3] |= 1 << (slot & 7)
    return StatusTree.from_bytes(slots.to_bytes(5, "big") + bits)


def _hypotheses(before: Sequence[Leaf | None], revoked: Sequence[int]) -> Iterator[Sequence[int]]:
    """Sets of slots that may be hidden: those since each of the last heads, all, and each recent one alone."""
    since: list[int] = []
    heads = 0
    for leaf in reversed(before):
        if isinstance(leaf, Revocation):
            since.append(leaf.slot)
        elif isinstance(leaf, Head) and since:
            yield list(since)
            heads += 1
            if heads == _RECENT:
                break
    yield list(revoked)
    for slot in revoked[: -_RECENT - 1 : -1]:
        yield [slot]
