"""C2SP tlog-tiles: names, contents, and trees read back out of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.merkle import consistency_proof, inclusion_proof, root
from protocol.tiles import (
    TileName,
    encode_entries,
    encode_tile,
    entries_path,
    node_from_tiles,
    parse_entries,
    parse_tile,
    parse_tile_path,
    tile_path,
    tile_width,
    tiles_between,
)
from tests.oracle_tree import NaiveTree
from tests.protocol.witnessed_log import attempt

TREE = NaiveTree([b"%d" % i for i in range(66_000)])


def tile(level: int, n: int, width: int) -> bytes:
    span = 256**level
    return b"".join(TREE.mth((n * 256 + i) * span, (n * 256 + i + 1) * span) for i in range(width))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tile/0/x001/x234/067", TileName(0, 1_234_067, 256)),
        ("tile/0/000", TileName(0, 0, 256)),
        ("tile/63/999.p/1", TileName(63, 999, 1)),
        ("tile/2/x001/000.p/255", TileName(2, 1000, 255)),
        ("tile/entries/x001/x234/067", TileName(None, 1_234_067, 256)),
        ("tile/entries/x001/x234/067.p/17", TileName(None, 1_234_067, 17)),
        ("tile/1/x009/x223/x372/x036/x854/x775/807", TileName(1, 2**63 - 1, 256)),
    ],
)
def test_a_tile_is_named_as_the_specification_names_it(path: str, name: TileName) -> None:
    if name.level is None:
        assert entries_path(name.n, name.width) == path
    else:
        assert tile_path(name.level, name.n, name.width) == path
    assert parse_tile_path(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/x001",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000/",
        "tile/0/../000",
        "tile/entries",
        "tile/Entries/000",
        "tile/0/٠٠٠",
        "tile/0/000\n",
        "tile/1/x009/x223/x372/x036/x854/x775/808",
        "tile/0/" + "x001/" * 20 + "000",
        "tile/tile/0/000",
    ],
)
def test_a_path_that_names_no_tile_is_not_found(path: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_tile_path(path)
    assert (refusal.value.code, refusal.value.status) == ("bad_tile_path", 404)


@given(st.text(alphabet="tile/0123456789x.pentrs", max_size=30))
def test_only_printed_paths_are_read(path: str) -> None:
    name = attempt(lambda: parse_tile_path(path))
    if isinstance(name, str):
        assert name == "bad_tile_path"
    elif name.level is None:
        assert entries_path(name.n, name.width) == path
    else:
        assert tile_path(name.level, name.n, name.width) == path


def test_tiles_that_cannot_be_are_our_own_mistake() -> None:
    for level, n, width in [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 2**63, 1)]:
        with pytest.raises(ValueError, match="no such tile"):
            tile_path(level, n, width)


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    names = tiles_between(0, 70_000)
    full = [name for name in names if name.width == 256]
    partial = [(name.level, name.n, name.width) for name in names if name.width < 256]
    assert sum(name.level == 0 for name in full) == 273
    assert sum(name.level == 1 for name in full) == 1
    assert partial == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above() -> None:
    assert tiles_between(0, 256) == [TileName(0, 0, 256), TileName(1, 0, 1)]
    assert [tile_width(0, n, 257) for n in range(3)] == [256, 1, 0]


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_new_tiles_are_those_that_grew(old: int, new: int) -> None:
    old, new = sorted((old, new))
    every = {(name.level, name.n): name.width for name in tiles_between(0, new)}
    before = {(name.level, name.n): name.width for name in tiles_between(0, old)}
    grown = {(name.level, name.n): name.width for name in tiles_between(old, new)}
    assert grown == {place: width for place, width in every.items() if before.get(place) != width}


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 513, 1000, 65_535, 65_536, 65_537])
def test_proofs_out_of_tiles_are_those_of_the_oracle(size: int) -> None:
    fetched = []

    def fetch(level: int, n: int, width: int) -> bytes:
        fetched.append((level, n))
        assert width == tile_width(level, n, size)
        return tile(level, n, width)

    node = node_from_tiles(fetch, size)
    assert root(size, node) == TREE.root(size)
    for index in {0, size // 3, size - 1}:
        assert inclusion_proof(index, size, node) == TREE.path(index, size)
    for old in {1, size // 2 + 1, size}:
        assert consistency_proof(min(old, size), size, node) == TREE.proof(min(old, size), size)
    assert len(fetched) == len(set(fetched))


def test_a_wider_tile_than_asked_for_serves_too() -> None:
    node = node_from_tiles(lambda level, n, width: tile(level, n, 256), 300)
    assert root(300, node) == TREE.root(300)


def test_a_short_tile_is_refused() -> None:
    node = node_from_tiles(lambda level, n, width: tile(level, n, width)[:-1], 300)
    with pytest.raises(Rejected) as refusal:
        root(300, node)
    assert refusal.value.code == "bad_tile"


def test_nodes_outside_the_tree_are_our_own_mistake() -> None:
    node = node_from_tiles(tile, 300)
    for level, index in [(0, 300), (8, 1), (9, 0), (-1, 0), (0, -1)]:
        with pytest.raises(ValueError, match="subtree"):
            node(level, index)


def test_a_tile_is_its_hashes() -> None:
    hashes = [bytes([i]) * 32 for i in range(256)]
    for width in (1, 255, 256):
        assert parse_tile(encode_tile(hashes[:width]), width) == hashes[:width]
    for wrong in ([], [*hashes, hashes[0]], [b"short"]):
        with pytest.raises(ValueError, match="256"):
            encode_tile(wrong)
    for data, width in [(b"", 1), (bytes(33), 1), (bytes(31), 1), (bytes(64), 1)]:
        with pytest.raises(Rejected) as refusal:
            parse_tile(data, width)
        assert refusal.value.code == "bad_tile"
    for width in (0, 257):
        with pytest.raises(ValueError, match="256"):
            parse_tile(b"", width)


@given(st.lists(st.binary(max_size=90), min_size=1, max_size=256))
def test_a_bundle_is_its_entries(entries: list[bytes]) -> None:
    data = encode_entries(entries)
    assert parse_entries(data, len(entries)) == entries
    for damaged in (data[:-1], data + b"\0"):
        with pytest.raises(Rejected) as refusal:
            parse_entries(damaged, len(entries))
        assert refusal.value.code == "bad_entries"


def test_entries_have_at_most_65535_bytes_and_bundles_256_entries() -> None:
    assert parse_entries(encode_entries([bytes(65_535)] * 256), 256) == [bytes(65_535)] * 256
    for entries in ([], [bytes(65_536)], [b""] * 257):
        with pytest.raises(ValueError, match="256"):
            encode_entries(entries)
    for width in (0, 257):
        with pytest.raises(ValueError, match="256"):
            parse_entries(b"", width)


@given(st.binary(max_size=200), st.integers(1, 256))
def test_bundles_from_anywhere_are_read_back_or_refused(data: bytes, width: int) -> None:
    entries = attempt(lambda: parse_entries(data, width))
    assert entries == "bad_entries" if isinstance(entries, str) else encode_entries(entries) == data
