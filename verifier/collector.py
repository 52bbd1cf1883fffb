"""Sending records to the organisation's log (an OTLP collector), each until it is confirmed.

LDV 0.8: the log confirms every write, and nothing is sampled. A record is sent again, with the same ids, until the
collector has taken it; so a crash between the two makes a record twice, and never none.
"""

from collections.abc import Sequence

from protocol.errors import Rejected, Unavailable
from protocol.ldv import Record, otlp_request, parse_otlp_answer
from service.bound_headers import read_headers
from service.fetch import Fetcher
from service.home import Home

KEY = "collector.json"
"""Secret of the home (`service.bound_headers`), may be absent: which collector it is, and what opens it."""


class Collector:
    """`url`: of the collector's traces, as `https://collector.example/v1/traces`.

    Raises as `read_headers`, so before anything is sent.
    """

    def __init__(self, fetcher: Fetcher, url: str, home: Home) -> None:
        self._fetcher = fetcher
        self._url = url
        self._headers = read_headers(home, KEY, url)

    def send(self, resource: dict[str, str], records: Sequence[Record]) -> None:
        """Returns when all are confirmed. Raises what `Fetcher` raises; `Unavailable`: `not_confirmed`."""
        answer = self._fetcher.post_json(self._url, otlp_request(resource, records), headers=self._headers)
        try:
            rejected = parse_otlp_answer(answer.body)
        except Rejected as error:
            raise Unavailable("not_confirmed", "the collector did not confirm the records") from error
        if rejected:
            raise Unavailable("not_confirmed", f"the collector did not take {rejected} of {len(records)} records")
