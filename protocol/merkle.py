"""RFC 6962 section 2.1: Merkle tree hashes, inclusion and consistency proofs, as functions on numbers and hashes.

Nobody holds a tree here. A `NodeReader` answers with the hash of one complete subtree, from tiles or a table, and
a `Frontier` keeps the log n hashes from which the next root follows.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from protocol.errors import Rejected

HASH_BYTES = 32
MAX_PROOF_HASHES = 63
"""C2SP tlog-witness; enough for every tree below 2^63 leaves."""
MAX_SIZE = 2**63
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""MTH of no leaves."""

NodeReader: TypeAlias = Callable[[int, int], bytes]
"""`node(level, index)`: hash over leaves [index * 2^level, (index + 1) * 2^level), all of them in the tree."""

_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """H(0x00 || data)."""
    return _sha256(b"\x00" + data).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each: in bulk the call costs as much as a third of the hash."""
    return [_sha256(b"\x00" + data).digest() for data in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """H(0x01 || left || right)."""
    return _sha256(b"\x01" + left + right).digest()


def parent_hashes(row: Iterable[bytes]) -> list[bytes]:
    """`node_hash` of each pair of neighbours; a last one without a sibling is left out."""
    hashes = iter(row)
    return [_sha256(b"\x01" + left + right).digest() for left, right in zip(hashes, hashes, strict=False)]


def _split(size: int) -> int:
    """Largest power of two below `size` (size > 1): where RFC 6962 cuts a tree in two."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(start: int, end: int, node: NodeReader) -> bytes:
    """MTH of leaves [start, end); `start` is aligned as it is for every subtree that a proof names."""
    hashes = []
    while start < end:
        level = (end - start).bit_length() - 1
        hashes.append(node(level, start >> level))
        start += 1 << level
    result = hashes.pop()
    while hashes:
        result = node_hash(hashes.pop(), result)
    return result


def root(size: int, node: NodeReader) -> bytes:
    """Root of the first `size` leaves."""
    if size < 0:
        raise ValueError("a tree has no negative size")
    return _subtree(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 2.1.1, from the leaf's sibling up."""
    if not 0 <= index < size:
        raise ValueError("leaf is not in the tree")
    start, end, proof = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_subtree(middle, end, node))
            end = middle
        else:
            proof.append(_subtree(start, middle, node))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 2.1.2; empty for an empty or an equal tree."""
    if not 0 <= old <= new:
        raise ValueError("old tree is not smaller than the new one")
    if old in (0, new):
        return []
    start, end, proof, whole = 0, new, [], True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_subtree(middle, end, node))
            end = middle
        else:
            proof.append(_subtree(start, middle, node))
            start, whole = middle, False
    if not whole:
        proof.append(_subtree(start, end, node))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """That the leaf with hash `leaf` stands at `index` in the tree of `size` leaves (RFC 9162 2.1.3.2).

    Raises `Rejected`: `bad_inclusion`.
    """
    if not 0 <= index < size <= MAX_SIZE or len(proof) > MAX_PROOF_HASHES:
        raise Rejected("bad_inclusion", "index, size or proof is out of range")
    position, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Rejected("bad_inclusion", "proof is too long")
        if position & 1 or position == last:
            current = _sha256(b"\x01" + sibling + current).digest()
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            current = _sha256(b"\x01" + current + sibling).digest()
        position >>= 1
        last >>= 1
    if last or current != root:
        raise Rejected("bad_inclusion", "leaf is not shown to be in the tree")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """That the tree of `new` leaves begins with the tree of `old` (RFC 9162 2.1.4.2).

    From an empty or an equal tree the proof must be empty (C2SP tlog-witness).
    Raises `Rejected`: `bad_consistency`.
    """
    if not 0 <= old <= new <= MAX_SIZE or len(proof) > MAX_PROOF_HASHES:
        raise Rejected("bad_consistency", "sizes or proof are out of range")
    if old in (0, new):
        if proof or old_root != (new_root if old == new else EMPTY_ROOT):
            raise Rejected("bad_consistency", "trees differ, or a proof stands where none belongs")
        return
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        raise Rejected("bad_consistency", "proof is empty")
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    seen_old = seen_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise Rejected("bad_consistency", "proof is too long")
        if position & 1 or position == last:
            seen_old, seen_new = node_hash(sibling, seen_old), node_hash(sibling, seen_new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            seen_new = node_hash(seen_new, sibling)
        position >>= 1
        last >>= 1
    if last or seen_old != old_root or seen_new != new_root:
        raise Rejected("bad_consistency", "new tree is not shown to begin with the old one")


class Frontier:
    """A growing tree as the roots of its complete subtrees, largest first: O(log n) memory and time."""

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add the leaf with hash `leaf` (32 bytes)."""
        size, current = self.size, leaf
        while size & 1:
            current = node_hash(self._hashes.pop(), current)
            size >>= 1
        self._hashes.append(current)
        self.size += 1

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add the leaves with these hashes: as `append` of each, level by level and so in a third of the time."""
        row, size = list(leaves), self.size
        self.size += len(row)
        level, complete = 0, self._hashes
        self._hashes = []
        ends: list[bytes] = []  # what stays without a sibling, lowest level first
        while row:
            if size >> level & 1:
                row.insert(0, complete.pop())
            if len(row) % 2:
                ends.append(row.pop())
            row, level = parent_hashes(row), level + 1
        self._hashes = [*complete, *reversed(ends)]

    def root(self) -> bytes:
        """Root of all leaves so far."""
        if not self._hashes:
            return EMPTY_ROOT
        result = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            result = node_hash(left, result)
        return result

    def copy(self) -> "Frontier":
        """An independent frontier of the same tree."""
        other = Frontier()
        other.size, other._hashes = self.size, self._hashes.copy()
        return other

    def to_bytes(self) -> bytes:
        """u64 size || one hash for each bit of size that is set."""
        return self.size.to_bytes(8, "big") + b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Inverse of `to_bytes`, for our own store. Raises `ValueError`."""
        frontier = cls()
        frontier.size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + HASH_BYTES * frontier.size.bit_count():
            raise ValueError("not the bytes of a frontier")
        frontier._hashes = [data[i : i + HASH_BYTES] for i in range(8, len(data), HASH_BYTES)]
        return frontier
