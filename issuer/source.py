"""The base registers that an issuer asks: how a source is reached, and with what key.

    source = BrpSource(Fetcher(), url, read_headers(home, BRP_KEY, url), time.sleep)
    records = source.persons(bsns, fields)
    home = WozSource(Fetcher(), url, read_headers(home, WOZ_KEY, url), time.sleep).home_of(person)

Requests go out by `service.fetch` (https, no redirects, no addresses of the own machine). A source that is busy
(429, 5xx, no connection) is asked again after as long as it says, some times, before we give up.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from issuer import woz
from issuer.brp import Bsn, Person, VisitingAddress
from issuer.brp_api import MAX_ANSWER_BYTES, PATH, parse_answer, refusal_of, request_body
from protocol.errors import Unavailable
from service.fetch import Answer, Fetcher

T = TypeVar("T")

BRP_KEY, WOZ_KEY = "brp-source.json", "woz-source.json"
"""Secrets of the home (`service.bound_headers`): which source it is, and the headers that open it."""
ATTEMPTS = 5
MAX_WAIT_SECONDS = 60
_SECONDS = 30.0
"""A source may take its time over 20 people."""
_JSON = "application/json; charset=utf-8"
_HAL = ("application/hal+json", "application/json")
_ANSWERED = frozenset(range(400, 600))
"""Statuses whose answers we read ourselves: whatever they say may name somebody."""


def patiently(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """What `ask` answers, asked again while the source is busy. Raises the last `Unavailable`."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ask()
        except Unavailable as error:
            if attempt == ATTEMPTS:
                raise
            sleep(min(max(error.retry_after, 2 ** (attempt - 1)), MAX_WAIT_SECONDS))
    raise AssertionError("the last attempt answers or raises")


def retry_after(answer: Answer) -> int:
    """The seconds that a busy source asks for; 1 where it names a date or nothing."""
    text = answer.headers.get("retry-after", "")
    return min(int(text), 3600) if text.isascii() and text.isdigit() else 1


class BrpSource:
    """BRP API Personen at `url`, the part before `/personen`."""

    def __init__(
        self, fetcher: Fetcher, url: str, headers: Mapping[str, str], sleep: Callable[[float], None]
    ) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/") + PATH
        self._headers = headers
        self._sleep = sleep

    def persons(self, bsns: Collection[Bsn], fields: Collection[str]) -> dict[Bsn, dict[str, Any]]:
        """The records of at most 20 residents; who is not there is unknown at the source.

        Raises as `refusal_of` and `parse_answer` do, and `Unavailable` when it stays busy.
        """
        answer = patiently(lambda: self._ask(request_body(bsns, fields)), self._sleep)
        return parse_answer(answer.body, bsns)

    def _ask(self, body: bytes) -> Answer:
        answer = self._fetcher.post_bytes(
            self._url,
            body,
            _JSON,
            headers=self._headers,
            max_bytes=MAX_ANSWER_BYTES,
            expect=_ANSWERED,
            total_seconds=_SECONDS,
        )
        if answer.status in _ANSWERED:
            raise refusal_of(answer.status, answer.body, retry_after(answer))
        return answer


class WozSource:
    """WOZ bevragen at `url`, the part before `/wozobjecten`."""

    def __init__(
        self, fetcher: Fetcher, url: str, headers: Mapping[str, str], sleep: Callable[[float], None]
    ) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")
        self._headers = headers
        self._sleep = sleep

    def home_of(self, person: Person) -> woz.WozObject | None:
        """The home where this resident is registered, if he has an interest in it.

        Raises as `refusal_of` and `woz.object_of` do, and `Unavailable` when it stays busy.
        """
        query = woz.query_of(_place_of(person))
        if query is None:
            return None
        answer = patiently(lambda: self._ask(query), self._sleep)
        return woz.object_of(answer.body, person.burgerservicenummer)

    def _ask(self, query: str) -> Answer:
        answer = self._fetcher.get(
            self._url + query,
            headers=self._headers,
            accept=_HAL,
            max_bytes=woz.MAX_ANSWER_BYTES,
            expect=_ANSWERED,
            total_seconds=_SECONDS,
        )
        if answer.status in _ANSWERED:
            raise refusal_of(answer.status, answer.body, retry_after(answer))
        return answer


def _place_of(person: Person) -> woz.Place:
    residence = person.verblijfplaats
    if residence is None or residence.type != "Adres":
        return woz.Place()
    address = residence.verblijfadres or VisitingAddress()
    return woz.Place(
        residence.adresseerbaarObjectIdentificatie,
        address.postcode,
        address.huisnummer,
        address.huisletter,
        address.huisnummertoevoeging,
    )
