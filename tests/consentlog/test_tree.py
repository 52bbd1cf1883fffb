"""The tree in memory against the naive one, over tile borders, restarts and abandoned groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentlog.tree import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, CorruptTree, Draft, Tree
from protocol.merkle import Frontier, inclusion_proof, leaf_hash, verify_inclusion


class Disk:
    """Tiles as a group writes them."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.leaves: list[bytes] = []

    def load(self, level: int, n: int) -> bytes:
        return self.tiles.get((level, n), b"")

    def restored(self) -> Tree:
        tree, size, edges, level = Tree(self.load), len(self.leaves), [], 0
        while count := size >> (TILE_HEIGHT * level):
            first = count // TILE_WIDTH * TILE_WIDTH
            rows = b"".join(self.leaves[first:]) if level == 0 else self.load(level, first // TILE_WIDTH)
            edges.append(rows if first != count else b"")
            level += 1
        tree.restore(size, edges)
        return tree


def grow(tree: Tree, disk: Disk, count: int, seed: int = 0) -> None:
    draft = Draft(tree)
    for number in range(count):
        leaf = leaf_hash(f"{seed}/{tree.size + number}".encode())
        draft.append(leaf)
        disk.leaves.append(leaf)
    for level, n, data in draft.tiles():
        disk.tiles[level, n] = data
    tree.extend(draft)


def expected(leaves: list[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


@given(st.lists(st.integers(1, 200), min_size=1, max_size=12))
def test_groups_of_any_size_make_the_same_tree(groups: list[int]) -> None:
    disk = Disk()
    tree = Tree(disk.load)
    for group in groups:
        grow(tree, disk, group)
        assert tree.root(tree.size) == expected(disk.leaves)
    again = disk.restored()
    assert again.root(again.size) == tree.root(tree.size)
    grow(again, disk, 3)
    assert again.root(again.size) == expected(disk.leaves)


def test_tree_beyond_two_levels_of_tiles_proves_every_kind_of_leaf() -> None:
    disk = Disk()
    tree = Tree(disk.load)
    while tree.size < TILE_WIDTH * TILE_WIDTH + 300:
        grow(tree, disk, 1000)
    tree = disk.restored()  # old tiles now come from the disk
    root = tree.root(tree.size)
    assert root == expected(disk.leaves)
    for index in (0, 255, 256, 65535, 65536, tree.size - 1):
        verify_inclusion(disk.leaves[index], index, tree.size, inclusion_proof(index, tree.size, tree.node), root)
    assert tree.tile(0, 3, TILE_WIDTH) == b"".join(disk.leaves[768:1024])
    assert tree.tile(2, 0, 1) == tree.node(16, 0)


def test_old_roots_stay_readable_while_the_tree_grows() -> None:
    disk = Disk()
    tree = Tree(disk.load)
    roots = []
    for _ in range(40):
        grow(tree, disk, 13)
        roots.append((tree.size, tree.root(tree.size)))
    for size, root in roots:
        assert tree.root(size) == root == expected(disk.leaves[:size])


def test_abandoned_group_leaves_no_trace() -> None:
    disk = Disk()
    tree = Tree(disk.load)
    grow(tree, disk, 300)
    before = tree.root(300)
    draft = Draft(tree)
    for number in range(500):
        draft.append(leaf_hash(bytes([number % 256])))
    assert draft.size == 800
    assert (tree.size, tree.root(300)) == (300, before)
    grow(tree, disk, 5)
    assert tree.root(305) == expected(disk.leaves)


def test_group_made_for_another_tree_is_not_taken() -> None:
    disk = Disk()
    tree = Tree(disk.load)
    grow(tree, disk, 3)
    stale = Draft(tree)
    stale.append(leaf_hash(b"late"))
    grow(tree, disk, 1)
    with pytest.raises(CorruptTree, match="does not continue"):
        tree.extend(stale)


def test_tiles_of_the_wrong_length_are_found() -> None:
    disk = Disk()
    tree = Tree(disk.load)
    with pytest.raises(CorruptTree, match="wrong length"):
        tree.restore(3, [bytes(2 * HASH_BYTES)])
    grow(tree := Tree(disk.load), disk, 300)
    disk.tiles[0, 0] = disk.tiles[0, 0][:-32]
    with pytest.raises(CorruptTree, match="not full"):
        disk.restored().node(0, 0)


def test_tiles_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentlog.tree.MAX_CACHED_TILES", 4)
    disk = Disk()
    tree = Tree(disk.load)
    for _ in range(12):
        grow(tree, disk, 256)
    assert len(tree._tiles) <= 4
    assert tree.root(tree.size) == expected(disk.leaves)
    for index in range(0, tree.size, 256):
        assert tree.node(0, index) == disk.leaves[index]
    assert len(tree._tiles) <= 4
