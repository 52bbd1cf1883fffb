"""A second, naive reading of RFC 6962 section 2.1 and of the status tree: it holds everything and recurses as the
definitions do. It shares no code with `protocol`.
"""

import hashlib
from collections.abc import Sequence


class NaiveTree:
    """D, and the definitions of section 2.1 over ranges of it. Results of MTH are kept: the text allows that."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = list(leaves)
        self._known: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        if (start, end) not in self._known:
            self._known[start, end] = self._mth(start, end)
        return self._known[start, end]

    def _mth(self, start: int, end: int) -> bytes:
        if start == end:
            return hashlib.sha256(b"").digest()
        if end - start == 1:
            return hashlib.sha256(b"\x00" + self.leaves[start]).digest()
        k = start + _k(end - start)
        return hashlib.sha256(b"\x01" + self.mth(start, k) + self.mth(k, end)).digest()

    def root(self, size: int) -> bytes:
        """MTH of the first `size` leaves."""
        return self.mth(0, size)

    def path(self, m: int, size: int, start: int = 0) -> list[bytes]:
        """PATH(m, D[start:start + size]), 2.1.1."""
        if size == 1:
            return []
        k = _k(size)
        if m < k:
            return [*self.path(m, k, start), self.mth(start + k, start + size)]
        return [*self.path(m - k, size - k, start + k), self.mth(start, start + k)]

    def proof(self, m: int, size: int) -> list[bytes]:
        """PROOF(m, D[0:size]), 2.1.2, for 0 < m < size; empty for the trees at the ends."""
        return self._subproof(m, size, 0, whole=True) if 0 < m < size else []

    def _subproof(self, m: int, size: int, start: int, *, whole: bool) -> list[bytes]:
        if m == size:
            return [] if whole else [self.mth(start, start + size)]
        k = _k(size)
        if m <= k:
            return [*self._subproof(m, k, start, whole=whole), self.mth(start + k, start + size)]
        return [*self._subproof(m - k, size - k, start + k, whole=False), self.mth(start, start + k)]


def _k(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def status_chunks(revoked: Sequence[bool]) -> list[bytes]:
    """The status array of one bit a slot, least significant first, in chunks of 256 bytes, at least one."""
    chunks = []
    for start in range(0, max(1, len(revoked)), 2048):
        bits = [*revoked[start : start + 2048]]
        bits += [False] * (2048 - len(bits))
        chunks.append(bytes(sum(bits[i * 8 + b] << b for b in range(8)) for i in range(256)))
    return chunks
