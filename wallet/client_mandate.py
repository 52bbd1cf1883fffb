"""What the wallet asks issuers about acting for others (protocol section 10). Answers are never believed."""

from typing import TypeVar

from protocol.mandate_api import (
    MAX_MANDATE_ANSWER,
    Ask,
    BoardAnswer,
    Cosigned,
    Proposal,
    board_bearer,
)
from protocol.terms import Form
from service.fetch import Fetcher

T = TypeVar("T", bound=Form)


class MandatePeers:
    """Thread-safe, as its fetcher is. Raises `Rejected` with the peer's code or `Unavailable`: see `fetch`."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetch = fetcher

    def ask(self, issuer: str, path: str, body: Ask, answer: type[T]) -> T:
        """`POST {issuer}/v1/{path}` with a signed ask."""
        url = f"{issuer.rstrip('/')}/v1/{path}"
        return self._fetch.post_json(url, body, max_bytes=MAX_MANDATE_ANSWER).json(answer)

    def board(self, issuer: str, mandate: str, seed: bytes) -> BoardAnswer:
        """What waits for a second signature under a mandate (its id at the issuer)."""
        answer = self._fetch.get(_board(issuer, mandate), headers=_bearer(seed), max_bytes=MAX_MANDATE_ANSWER)
        return answer.json(BoardAnswer)

    def propose(self, issuer: str, mandate: str, seed: bytes, body: Proposal) -> BoardAnswer:
        """Ask the other parties to sign."""
        answer = self._fetch.post_json(
            _board(issuer, mandate), body, headers=_bearer(seed), max_bytes=MAX_MANDATE_ANSWER
        )
        return answer.json(BoardAnswer)

    def cosign(self, issuer: str, mandate: str, seed: bytes, number: int, body: Cosigned) -> BoardAnswer:
        """Sign somebody else's proposal."""
        url = f"{_board(issuer, mandate)}/{number}/cosignatures"
        answer = self._fetch.post_json(url, body, headers=_bearer(seed), max_bytes=MAX_MANDATE_ANSWER)
        return answer.json(BoardAnswer)


def _board(issuer: str, mandate: str) -> str:
    return f"{issuer.rstrip('/')}/v1/mandates/{mandate}/proposals"


def _bearer(seed: bytes) -> dict[str, str]:
    return {"Authorization": f"Bearer {board_bearer(seed)}"}
