"""What an auditor fetches from a log: its public files, and with a token its openings."""

from collections.abc import Iterator

from protocol.consent_api import MAX_PAGE_BYTES, Opening, OpeningsAnswer
from protocol.errors import Rejected
from protocol.leaf import LEAF_BYTES
from protocol.note import MAX_NOTE_BYTES
from protocol.tiles import TILE_WIDTH, entries_path, parse_entries, tile_width
from service.fetch import Fetcher

MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + max(LEAF_BYTES.values()))
"""A full bundle of the longest leaves."""
MAX_LEAVES = 2**24
"""Leaves that are fetched in one go, about 2 GB: a log that claims more keeps no auditor busy for ever."""


class LogReader:
    """Reads one log at `url`. Nothing it returns is verified; errors are those of `service.fetch`."""

    def __init__(self, url: str, fetcher: Fetcher) -> None:
        self._url = url.rstrip("/")
        self._fetcher = fetcher

    def checkpoint(self) -> str:
        """The published note."""
        return self._fetcher.get(f"{self._url}/checkpoint", accept="text/plain", max_bytes=MAX_NOTE_BYTES).text

    def leaves(self, start: int, size: int) -> Iterator[bytes]:
        """Leaves `start` to `size` - 1 of a tree of `size` leaves.

        Raises also `Rejected`: `bad_entries`, `too_many_entries` (nothing is fetched).
        """
        if size - start > MAX_LEAVES:
            raise Rejected("too_many_entries", f"the log claims more than {MAX_LEAVES} entries that are not known")
        for n in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
            width = tile_width(0, n, size)
            url = f"{self._url}/{entries_path(n, width)}"
            body = self._fetcher.get(url, accept=None, max_bytes=MAX_BUNDLE_BYTES).body
            yield from parse_entries(body, width)[max(0, start - n * TILE_WIDTH) :]

    def openings(self, size: int, token: str) -> dict[int, Opening]:
        """All openings of a tree of `size` leaves, by index. Raises also `Rejected`: `bad_openings`.

        A page holds what lies between its start and its `next`, and is empty only at the end: so there is an end.
        """
        found: dict[int, Opening] = {}
        start: int | None = 0
        while start is not None and start < size:
            answer = self._page(start, size, token)
            end = size if answer.next is None else answer.next
            if any(not start <= opening.index < min(end, size) for opening in answer.openings):
                raise Rejected("bad_openings", "a page of the log holds openings that lie elsewhere")
            if answer.next is not None and not answer.openings:
                raise Rejected("bad_openings", "the log's pages of openings do not go forward")
            found.update((opening.index, opening) for opening in answer.openings)
            start = answer.next
        return found

    def _page(self, start: int, size: int, token: str) -> OpeningsAnswer:
        answer = self._fetcher.get(
            f"{self._url}/v1/openings?from={start}&to={size}",
            headers={"Authorization": f"Bearer {token}"},
            max_bytes=MAX_PAGE_BYTES,
        )
        return answer.json(OpeningsAnswer)
