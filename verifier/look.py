"""An officer looks: first the agency's own book, then the READ, and values only when both are on disk.

`reader` reads for programs and for the command line. A person at the desk also says why; that, with name and case,
is written down before anything is asked, and stays when the log refuses.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from protocol.errors import RegieError
from verifier.book import DONE, Reason
from verifier.desk import Desk
from verifier.gate import Purpose
from verifier.reader import Opened, read_grant, take_shared
from verifier.verify import Shared

T = TypeVar("T")


def look(desk: Desk, grant_id: str, only: Sequence[str], purpose: Purpose, reason: Reason) -> Opened:
    """Read attributes under a grant. Raises as `read_grant`, and `Unavailable` when the book cannot be written."""
    opened, number = _in_book(desk, grant_id, purpose, reason, lambda: read_grant(desk, grant_id, only, purpose))
    desk.store.book.end_look(number, DONE, opened.index)
    return opened


def look_once(desk: Desk, request_id: str, purpose: Purpose, reason: Reason) -> list[Shared]:
    """Take what was shared once; it is gone from the home then. Raises as `take_shared`, and as `look`."""

    def take() -> list[Shared]:
        desk.officers.note_copy(request_id, purpose, desk.now())
        return take_shared(desk, request_id)

    shared, number = _in_book(desk, request_id, purpose, reason, take)
    desk.store.book.end_look(number, DONE, None)
    return shared


def _in_book(desk: Desk, request_id: str, purpose: Purpose, reason: Reason, act: Callable[[], T]) -> tuple[T, int]:
    desk.store.requests.get(request_id)  # else the book would have a line about nothing
    officer = desk.officers.known_as(purpose.officer)
    number = desk.store.book.begin_look(request_id, officer, purpose.case, reason, desk.now())
    try:
        return act(), number
    except RegieError as error:
        desk.store.book.end_look(number, error.code, None)
        raise
