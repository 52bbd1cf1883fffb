"""What an auditor fetches from a log that wants to keep it busy, fill its memory or confuse it."""

from typing import Any

import pytest

from auditor.client import LogReader
from protocol.canonical import b64u_encode, canonical_bytes
from protocol.consent_api import Opening, OpeningsAnswer
from protocol.errors import Rejected
from protocol.tiles import encode_entries
from service.fetch import Answer, Fetcher
from service.log_files import MAX_LEAVES

SIZE = 600


class Log(Fetcher):
    """Answers page after page as it is told, and counts."""

    def __init__(self, *pages: Any) -> None:
        super().__init__()
        self.pages = list(pages)
        self.asked = 0

    def request(self, method: str, url: str, **options: Any) -> Answer:
        self.asked += 1
        page = self.pages[min(self.asked, len(self.pages)) - 1]
        return (
            page
            if isinstance(page, Answer)
            else Answer(200, {"content-type": "application/json"}, canonical_bytes(page))
        )


def opening(index: int) -> Opening:
    return Opening(index, "read", b64u_encode(bytes(32)), "{}", 0, 0)


def openings(log: Log) -> list[int]:
    return sorted(LogReader("https://log.example", log).openings(SIZE, "token"))


def test_auditor_takes_pages_until_the_last() -> None:
    log = Log(OpeningsAnswer([opening(0), opening(4)], SIZE, 5), OpeningsAnswer([opening(5), opening(599)], SIZE))
    assert openings(log) == [0, 4, 5, 599]
    assert openings(Log(OpeningsAnswer([], SIZE))) == []


@pytest.mark.parametrize(
    "page",
    [
        OpeningsAnswer([], SIZE, 1),
        OpeningsAnswer([opening(0)], SIZE, 0),
        OpeningsAnswer([opening(7)], SIZE, 5),
        OpeningsAnswer([opening(600)], SIZE),
        OpeningsAnswer([opening(600)], SIZE, 700),
        OpeningsAnswer([opening(2**53 - 1)], SIZE),
    ],
)
def test_attack_pages_that_never_end_or_lie_elsewhere(page: OpeningsAnswer) -> None:
    log = Log(page)
    with pytest.raises(Rejected, match="bad_openings"):
        openings(log)
    assert log.asked == 1


@pytest.mark.parametrize(("start", "size"), [(0, 2**60), (0, MAX_LEAVES + 1), (5, MAX_LEAVES + 6)])
def test_attack_log_that_signs_an_endless_size_is_not_asked_for_it(start: int, size: int) -> None:
    log = Log()
    with pytest.raises(Rejected, match="too_many_entries"):
        next(LogReader("https://log.example", log).leaves(start, size))
    assert log.asked == 0


@pytest.mark.parametrize("width", [0, 1, 3, 256])
def test_attack_bundle_of_another_width(width: int) -> None:
    body = encode_entries([b"x"] * width) if width else b""
    log = Log(Answer(200, {}, body))
    with pytest.raises(Rejected, match="bad_entries"):
        list(LogReader("https://log.example", log).leaves(0, 2))


def test_largest_step_is_begun() -> None:
    log = Log(Answer(200, {}, encode_entries([b"x"] * 256)))
    leaves = LogReader("https://log.example", log).leaves(0, MAX_LEAVES)
    assert next(leaves) == b"x"
