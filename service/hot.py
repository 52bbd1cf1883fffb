"""An endpoint that a profile asked to put past Flask and past the threads: it runs on the edge's event loop.

The same limits, errors, headers and log line as an endpoint of `service.app`, at a tenth of the cost; in return
nothing in it may wait but by `await`. Register it beside the Flask route that it stands in for:

    app.extensions[HOT_PATHS] = {("POST", "/v1/reads"): JsonPath("consentlog", "/v1/reads", read)}
"""

import time
from collections.abc import Awaitable, Callable

from protocol.errors import RegieError, Rejected
from service.app import MAX_BODY_BYTES, answer_error
from service.edge import API_VERSION, Answer
from service.journal import log_event

JsonHandler = Callable[[bytes], Awaitable[bytes]]
"""`await handler(body)`: the JSON of a 200, or raises `Rejected` or `Unavailable`."""
_HEADERS = [
    ("api-version", API_VERSION),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
]
_JSON_HEADERS = [("content-type", "application/json"), *_HEADERS]


class JsonPath:
    """`POST` of application/json, at most `max_bytes`. `room` and `route` are what the log line names."""

    def __init__(self, room: str, route: str, handler: JsonHandler, *, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._room = room
        self._route = route
        self._handler = handler
        self._max_bytes = max_bytes

    async def __call__(self, media_type: str, body: bytes) -> Answer:
        """The answer to one request whose body is all there."""
        started = time.perf_counter()
        try:
            if media_type != "application/json":
                raise Rejected("bad_media_type", "send application/json", status=415)
            if len(body) > self._max_bytes:
                raise Rejected("too_large", f"body is larger than {self._max_bytes} bytes", status=413)
            answer: Answer = (200, _JSON_HEADERS, await self._handler(body))
        except RegieError as error:
            response = answer_error(error)
            found = [(name.lower(), value) for name, value in response.headers.items()]
            answer = (response.status_code, [*found, *_HEADERS], response.data)
        spent = round((time.perf_counter() - started) * 1000, 1)
        log_event(self._room, "request", method="POST", route=self._route, status=answer[0], ms=spent)
        return answer
