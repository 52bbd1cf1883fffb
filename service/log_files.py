"""The public files of a log (C2SP tlog-tiles) as anybody reads them: checkpoint, leaves, hashes of the tree."""

from collections.abc import Iterator

from protocol.errors import Rejected
from protocol.leaf import LEAF_BYTES
from protocol.merkle import NodeReader
from protocol.note import MAX_NOTE_BYTES
from protocol.tiles import TILE_WIDTH, entries_path, node_from_tiles, parse_entries, tile_path, tile_width
from service.fetch import Fetcher

MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + max(LEAF_BYTES.values()))
"""A full bundle of the longest leaves."""
MAX_TILE_BYTES = TILE_WIDTH * 32
MAX_LEAVES = 2**24
"""Leaves that are fetched in one go, about 2 GB: a log that claims more keeps no reader busy for ever."""


class LogFiles:
    """Reads one log at `url`. Nothing it returns is verified; errors are those of `service.fetch`."""

    def __init__(self, url: str, fetcher: Fetcher) -> None:
        self._url = url.rstrip("/")
        self._fetcher = fetcher

    def checkpoint(self) -> str:
        """The published note."""
        return self._fetcher.get(f"{self._url}/checkpoint", accept="text/plain", max_bytes=MAX_NOTE_BYTES).text

    def leaves(self, start: int, size: int) -> Iterator[bytes]:
        """Leaves `start` to `size` - 1 of a tree of `size` leaves: a `service.replica.LeafSource`.

        Raises also `Rejected`: `bad_entries`, `too_many_entries` (nothing is fetched).
        """
        if size - start > MAX_LEAVES:
            raise Rejected("too_many_entries", f"the log claims more than {MAX_LEAVES} entries that are not known")
        for n in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
            width = tile_width(0, n, size)
            url = f"{self._url}/{entries_path(n, width)}"
            body = self._fetcher.get(url, accept=None, max_bytes=MAX_BUNDLE_BYTES).body
            yield from parse_entries(body, width)[max(0, start - n * TILE_WIDTH) :]

    def nodes(self, size: int) -> NodeReader:
        """Nodes of the tree of `size` leaves out of its tiles. The reader raises also `Rejected`: `bad_tile`."""

        def fetch(level: int, n: int, width: int) -> bytes:
            url = f"{self._url}/{tile_path(level, n, width)}"
            return self._fetcher.get(url, accept=None, max_bytes=MAX_TILE_BYTES).body

        return node_from_tiles(fetch, size)
