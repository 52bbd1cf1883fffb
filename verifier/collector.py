"""Sending records to the organisation's log (an OTLP collector), each until it is confirmed.

LDV 0.8: the log confirms every write, and nothing is sampled. A record is sent again, with the same ids, until the
collector has taken it; so a crash between the two makes a record twice, and never none.
"""

from collections.abc import Sequence

from protocol.errors import Rejected, Unavailable
from protocol.ldv import Record, otlp_request, parse_otlp_answer
from service.fetch import Fetcher
from service.home import Home

AUTHORIZATION = "collector-authorization.txt"
"""In the home, 0600: what stands in the `Authorization` header; may be absent."""


class Collector:
    """`url`: of the collector's traces, as `https://collector.example/v1/traces`."""

    def __init__(self, fetcher: Fetcher, url: str, home: Home) -> None:
        self._fetcher = fetcher
        self._url = url
        has_secret = home.has(AUTHORIZATION)
        self._headers = {"Authorization": _header(home.read_secret(AUTHORIZATION))} if has_secret else {}

    def send(self, resource: dict[str, str], records: Sequence[Record]) -> None:
        """Returns when all are confirmed. Raises what `Fetcher` raises; `Unavailable`: `not_confirmed`."""
        answer = self._fetcher.post_json(self._url, otlp_request(resource, records), headers=self._headers)
        try:
            rejected = parse_otlp_answer(answer.body)
        except Rejected as error:
            raise Unavailable("not_confirmed", "the collector did not confirm the records") from error
        if rejected:
            raise Unavailable("not_confirmed", f"the collector did not take {rejected} of {len(records)} records")


def _header(data: bytes) -> str:
    """Raises `Rejected`: `bad_config`."""
    text = data.decode("ascii", "replace").strip()
    if not text.isprintable() or not text.isascii() or not text:
        raise Rejected("bad_config", f"{AUTHORIZATION} holds one line of plain text")
    return text
