"""What an auditor fetches from a log: its public files, and with a token its openings."""

from protocol.consent_api import MAX_PAGE_BYTES, Opening, OpeningsAnswer, StatusChunkAnswer
from protocol.errors import RegieError, Rejected
from service.log_files import LogFiles


class LogReader(LogFiles):
    """Reads one log at `url`. Nothing it returns is verified; errors are those of `service.fetch`."""

    def openings(self, size: int, token: str, *, start: int = 0) -> dict[int, Opening]:
        """All openings of leaves `start` to `size` - 1, by index. Raises also `Rejected`: `bad_openings`.

        A page holds what lies between its start and its `next`, and is empty only at the end: so there is an end.
        """
        found: dict[int, Opening] = {}
        place: int | None = start
        while place is not None and place < size:
            answer = self._page(place, size, token)
            end = size if answer.next is None else answer.next
            if any(not place <= opening.index < min(end, size) for opening in answer.openings):
                raise Rejected("bad_openings", "a page of the log holds openings that lie elsewhere")
            if answer.next is not None and not answer.openings:
                raise Rejected("bad_openings", "the log's pages of openings do not go forward")
            found.update((opening.index, opening) for opening in answer.openings)
            place = answer.next
        return found

    def status_chunk(self, number: int) -> StatusChunkAnswer | None:
        """What the log itself answers about a chunk of its status array; None when it answers nothing useful."""
        try:
            return self._fetcher.get(f"{self._url}/v1/status-chunks/{number}").json(StatusChunkAnswer)
        except RegieError:
            return None

    def _page(self, start: int, size: int, token: str) -> OpeningsAnswer:
        answer = self._fetcher.get(
            f"{self._url}/v1/openings?from={start}&to={size}",
            headers={"Authorization": f"Bearer {token}"},
            max_bytes=MAX_PAGE_BYTES,
        )
        return answer.json(OpeningsAnswer)
