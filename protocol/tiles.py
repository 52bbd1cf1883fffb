"""C2SP tlog-tiles: how the tree and its entries are cut into files that a static server can offer.

A tile holds up to 256 hashes of one level, each over 256^level leaves; an entry bundle holds the leaves
themselves. The last tile of a level may be partial, and then says so in its name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from protocol.errors import Rejected
from protocol.merkle import HASH_BYTES, NodeReader, node_hash

TILE_WIDTH = 256
TILE_HEIGHT = 8
"""Tree levels that one tile spans."""
MAX_LEVEL = 63
MAX_TILE_INDEX = 2**63
MAX_ENTRY_BYTES = 2**16 - 1
"""Entries have a uint16 length prefix."""
_MAX_PATH_CHARS = 64

TileReader: TypeAlias = Callable[[int, int, int], bytes]
"""`fetch(level, n, width)`: the tile's bytes, `width` hashes or, of a tile that has grown since, more."""


@dataclass(frozen=True)
class TileName:
    """Which tile a path names; `level` is None for an entry bundle, `width` is 256 unless it is partial."""

    level: int | None
    n: int
    width: int


def _index_path(n: int, width: int) -> str:
    """`n` in groups of three digits, all but the last with an `x`; `.p/W` for a partial tile."""
    if not 0 <= n < MAX_TILE_INDEX or not 1 <= width <= TILE_WIDTH:
        raise ValueError("no such tile")
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03d}")
    return "/".join(groups) + (f".p/{width}" if width < TILE_WIDTH else "")


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """`tile/<L>/<N>[.p/<W>]` without a leading slash."""
    if not 0 <= level <= MAX_LEVEL:
        raise ValueError("no such tile level")
    return f"tile/{level}/{_index_path(n, width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """`tile/entries/<N>[.p/<W>]` without a leading slash."""
    return f"tile/entries/{_index_path(n, width)}"


def parse_tile_path(path: str) -> TileName:
    """Inverse of `tile_path` and `entries_path`; print and compare. Raises `Rejected`: `bad_tile_path` (404)."""
    refused = Rejected("bad_tile_path", "no tile has this name", status=404)
    head, _, rest = path.removeprefix("tile/").partition("/")
    digits, _, width_text = rest.partition(".p/")
    number = digits.replace("x", "").replace("/", "")
    width_text = width_text or str(TILE_WIDTH)
    if len(path) > _MAX_PATH_CHARS or not path.isascii() or not number.isdigit() or not width_text.isdigit():
        raise refused
    if head != "entries" and not head.isdigit():
        raise refused
    name = TileName(None if head == "entries" else int(head), int(number), int(width_text))
    try:
        printed = (
            entries_path(name.n, name.width) if name.level is None else tile_path(name.level, name.n, name.width)
        )
    except ValueError as error:
        raise refused from error
    if printed != path:
        raise refused
    return name


def tile_width(level: int, n: int, size: int) -> int:
    """Hashes in tile `n` of `level` in a tree of `size` leaves, 0 (there is none) to 256; bundles as level 0."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - n * TILE_WIDTH))


def tiles_between(old: int, new: int) -> list[TileName]:
    """The hash tiles that a tree has more, or wider, at `new` leaves than at `old`, lowest level first."""
    names = []
    level = 0
    while new >> TILE_HEIGHT * level:
        first = (old >> TILE_HEIGHT * level) // TILE_WIDTH
        last = -(-(new >> TILE_HEIGHT * level) // TILE_WIDTH)
        for n in range(first, last):
            if (width := tile_width(level, n, new)) > tile_width(level, n, old):
                names.append(TileName(level, n, width))
        level += 1
    return names


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """The bytes of a tile: 1 to 256 hashes."""
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(value) != HASH_BYTES for value in hashes):
        raise ValueError("a tile holds 1 to 256 hashes")
    return b"".join(hashes)


def parse_tile(data: bytes, width: int) -> list[bytes]:
    """Exactly `width` hashes. Raises `Rejected`: `bad_tile`."""
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError("a tile holds 1 to 256 hashes")
    if len(data) != width * HASH_BYTES:
        raise Rejected("bad_tile", "tile does not have the length of its name")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: 1 to 256 entries, each with its big-endian uint16 length before it."""
    if not 1 <= len(entries) <= TILE_WIDTH or any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise ValueError("a bundle holds 1 to 256 entries of at most 65535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_entries(data: bytes, width: int) -> list[bytes]:
    """Exactly `width` entries and nothing after them. Raises `Rejected`: `bad_entries`."""
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError("a bundle holds 1 to 256 entries")
    entries, place = [], 0
    for _ in range(width):
        length = int.from_bytes(data[place : place + 2], "big")
        place += 2 + length
        if place > len(data):
            raise Rejected("bad_entries", "bundle ends within an entry")
        entries.append(data[place - length : place])
    if place != len(data):
        raise Rejected("bad_entries", "bundle holds more than its name says")
    return entries


def node_from_tiles(fetch: TileReader, size: int) -> NodeReader:
    """Reads tree nodes out of the tiles of a tree of `size` leaves, each tile fetched once.

    **Not** verified: what follows from the nodes must be held against a verified root.
    The reader raises `Rejected`: `bad_tile`.
    """
    tiles: dict[tuple[int, int], bytes] = {}

    def node(level: int, index: int) -> bytes:
        if level < 0 or index < 0 or (index + 1) << level > size:
            raise ValueError("no complete subtree stands there")
        tile_level, inner = divmod(level, TILE_HEIGHT)
        n, offset = divmod(index << inner, TILE_WIDTH)
        data = tiles.get((tile_level, n))
        if data is None:
            width = tile_width(tile_level, n, size)
            data = fetch(tile_level, n, width)
            if len(data) < width * HASH_BYTES:
                raise Rejected("bad_tile", "tile is shorter than its name says")
            tiles[tile_level, n] = data
        return _fold([data[i * HASH_BYTES : (i + 1) * HASH_BYTES] for i in range(offset, offset + (1 << inner))])

    return node


def _fold(hashes: list[bytes]) -> bytes:
    """Root over 1, 2, 4 ... 128 hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]
