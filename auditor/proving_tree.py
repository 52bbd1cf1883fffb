"""A tree to prove from: the nodes over many leaves, without holding a hash for each."""

from collections.abc import Sequence

from protocol.merkle import Frontier, leaf_hash, node_hash, root

_BLOCK_LEVEL = 8
_BLOCK = 1 << _BLOCK_LEVEL


class ProvingTree:
    """Nodes of the tree over `leaves`: kept from level 8 up, made anew below. Hashes every leaf once at first."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves
        self._levels = [[self._hash_block(n) for n in range(len(leaves) // _BLOCK)]]
        while len(below := self._levels[-1]) > 1:
            pairs = range(0, len(below) - 1, 2)
            self._levels.append([node_hash(below[i], below[i + 1]) for i in pairs])

    def _hash_block(self, n: int) -> bytes:
        frontier = Frontier()
        for index in range(n * _BLOCK, (n + 1) * _BLOCK):
            frontier.append(leaf_hash(self.leaves[index]))
        return frontier.root()

    def node(self, level: int, index: int) -> bytes:
        """A `protocol.merkle.NodeReader`."""
        if level >= _BLOCK_LEVEL:
            return self._levels[level - _BLOCK_LEVEL][index]
        frontier = Frontier()
        for place in range(index << level, (index + 1) << level):
            frontier.append(leaf_hash(self.leaves[place]))
        return frontier.root()

    def root(self, size: int) -> bytes:
        """Root of the first `size` leaves."""
        return root(size, self.node)
