"""The hash tree of the log in memory: the tiles of C2SP tlog-tiles with the nodes inside them.

`Tree` holds what is committed; the sequencer alone adds to it, everybody may read any node that a published
checkpoint covers. `Draft` is one group on top of it: it becomes part of the tree only when the group is durable.
"""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from protocol.merkle import node_hash, parent_hashes
from protocol.merkle import root as merkle_root

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_BYTES = 32
MAX_CACHED_TILES = 2048
"""About 35 kB each with their inner nodes: 70 MB at most."""

TileLoader = Callable[[int, int], bytes]
"""`load(level, n)`: the 256 hashes of a full tile, from the store."""


class CorruptTree(ValueError):
    """The store's tiles do not fit its leaves: the log must not go on."""


class _Tile:
    """Up to 256 hashes and every complete node above them: `rows[i]` are nodes of height i inside the tile."""

    def __init__(self, data: bytes = b"") -> None:
        self.rows: list[list[bytes]] = [[] for _ in range(TILE_HEIGHT)]
        for start in range(0, len(data), HASH_BYTES):
            self._append(data[start : start + HASH_BYTES])

    def _append(self, leaf: bytes) -> None:
        current = leaf
        for row in self.rows:
            row.append(current)
            if len(row) % 2:
                return
            current = node_hash(row[-2], row[-1])


class Tree:
    """All nodes of the committed leaves; old tiles come back from the store when they are asked for."""

    def __init__(self, load: TileLoader) -> None:
        self.size = 0
        self._load = load
        self._tiles: dict[tuple[int, int], _Tile] = {}
        self._edge: dict[int, int] = {}
        self._guard = Lock()

    def restore(self, size: int, edges: Sequence[bytes]) -> None:
        """Begin with `size` leaves; `edges[level]` are the hashes of the last, partial tile of that level.

        Raises `CorruptTree` when an edge has another length than the size demands.
        """
        for level, data in enumerate(edges):
            count = size >> (TILE_HEIGHT * level)
            if len(data) != count % TILE_WIDTH * HASH_BYTES:
                raise CorruptTree("the last tile of a level has the wrong length")
            self._tiles[level, count // TILE_WIDTH] = _Tile(data)
            self._edge[level] = count // TILE_WIDTH
        self.size = size

    def node(self, level: int, index: int) -> bytes:
        """Hash over leaves [index * 2^level, (index + 1) * 2^level): a `merkle.NodeReader`."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        n, offset = divmod(index, TILE_WIDTH >> height)
        tile = self._tiles.get((tile_level, n)) or self._fetch(tile_level, n)
        return tile.rows[height][offset]

    def tile(self, level: int, n: int, width: int) -> bytes:
        """The first `width` hashes of a tile; the tree MUST have them (`protocol.tiles.tile_width`)."""
        tile = self._tiles.get((level, n)) or self._fetch(level, n)
        return b"".join(tile.rows[0][:width])

    def root(self, size: int) -> bytes:
        """Root of the first `size` leaves."""
        return merkle_root(size, self.node)

    def extend(self, draft: "Draft") -> None:
        """Take over the nodes of a group whose commit has been acknowledged. Only the sequencer calls this."""
        if draft.start != self.size:
            raise CorruptTree("a group does not continue the tree it was made for")
        for level, (first, nodes) in enumerate(draft.rows()):
            tile_level, height = divmod(level, TILE_HEIGHT)
            width, taken = TILE_WIDTH >> height, 0
            while taken < len(nodes):
                n, offset = divmod(first + taken, width)
                tile = self._tiles.get((tile_level, n)) or self._begin(tile_level, n)
                if len(tile.rows[height]) != offset:
                    raise CorruptTree("a group does not continue the tree it was made for")
                fitting = nodes[taken : taken + width - offset]
                tile.rows[height] += fitting
                taken += len(fitting)
        self.size = draft.size

    def _fetch(self, level: int, n: int) -> _Tile:
        data = self._load(level, n)
        if len(data) != TILE_WIDTH * HASH_BYTES:
            raise CorruptTree("a stored tile is not full")
        return self._keep(level, n, _Tile(data))

    def _begin(self, level: int, n: int) -> _Tile:
        self._edge[level] = n
        return self._keep(level, n, _Tile())

    def _keep(self, level: int, n: int, tile: _Tile) -> _Tile:
        with self._guard:
            if len(self._tiles) >= MAX_CACHED_TILES:
                edge = self._edge
                oldest = next(key for key in self._tiles if edge.get(key[0]) != key[1])
                del self._tiles[oldest]
            return self._tiles.setdefault((level, n), tile)


class Draft:
    """The leaves of one group on top of a tree that stays as it is until the group is durable.

    That tree may be a draft itself: leaves of others that were followed in the same transaction.
    """

    def __init__(self, tree: "Tree | Draft") -> None:
        self._tree = tree
        self.start: int = tree.size
        self.size: int = tree.size
        self._rows: list[list[bytes]] = []  # by level, what the group adds to the complete nodes of the tree

    def append(self, leaf: bytes) -> None:
        """Add the leaf with hash `leaf` and every node that it completes."""
        self.extend((leaf,))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add the leaves with these hashes and every node that they complete, level by level."""
        row, first, level = list(leaves), self.size, 0
        self.size += len(row)
        while row:
            if level == len(self._rows):
                self._rows.append([])
            if first & 1:
                row.insert(0, self.node(level, first - 1))
                self._rows[level] += row[1:]
            else:
                self._rows[level] += row
            row, first, level = parent_hashes(row), first >> 1, level + 1

    def node(self, level: int, index: int) -> bytes:
        """As `Tree.node`, with the group's own nodes."""
        place = index - (self.start >> level)
        return self._rows[level][place] if place >= 0 else self._tree.node(level, index)

    def tile(self, level: int, n: int, width: int) -> bytes:
        """As `Tree.tile`, with the group's own nodes."""
        first = n * TILE_WIDTH
        return b"".join(self.node(level * TILE_HEIGHT, index) for index in range(first, first + width))

    def root(self) -> bytes:
        """Root of the tree with the group."""
        return merkle_root(self.size, self.node)

    def rows(self) -> Iterator[tuple[int, list[bytes]]]:
        """For each level from the leaves up: the index of the first node that the group adds, and its nodes."""
        for level, row in enumerate(self._rows):
            yield self.start >> level, row

    def tiles(self) -> Iterator[tuple[int, int, bytes]]:
        """(level, n, hashes) of the tiles to store: leaves' tiles once full, higher ones whenever they grow."""
        for level in range(0, len(self._rows), TILE_HEIGHT):
            first, row = self.start >> level, self._rows[level]
            end = first + len(row)
            for n in range(first // TILE_WIDTH, -(-end // TILE_WIDTH)):
                begin = n * TILE_WIDTH
                width = min(TILE_WIDTH, end - begin)
                if level == 0 and width < TILE_WIDTH:
                    continue
                old = max(0, first - begin)
                known = self._tree.tile(level // TILE_HEIGHT, n, old) if old else b""
                yield level // TILE_HEIGHT, n, known + b"".join(row[begin + old - first : begin + width - first])
