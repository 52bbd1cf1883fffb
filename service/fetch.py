"""The one way out: every HTTP request that any role makes.

https only (http to loopback hosts when REGIE_LOOPBACK=1); no redirects, proxies or cookies; a name is resolved
once, checked (see `address`) and connected to at that very address; 3 s to connect, 5 s in all; size and media
type bounded. Keeps connections alive; one `Fetcher` serves all threads.

    answer = fetcher.get(url, accept="text/plain", max_bytes=65536)
    answer = fetcher.post_json(url, {"r": "..."})
    body = answer.json(GrantAnswer)

Errors, the same for every method: `Rejected` with the peer's own `code`, `detail` and status for a 4xx with a
problem or OAuth error body, else `http_error`; also `bad_url`, `refused_address`, `redirect`, `too_large`,
`bad_media_type`. `Unavailable` for 5xx (the peer's code, else `unreachable`), timeouts and network failures.
Statuses in `expect` are returned as they are, whatever they mean and whatever their media type.
"""

import os
import re
import time
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from protocol.canonical import canonical_bytes, parse_object, parse_struct
from protocol.errors import Rejected, Unavailable
from service.address import Resolver, Target, parse_url, resolve, system_resolver
from service.connection import CONNECT_SECONDS, ConnectionPools, deadline
from service.trace import HEADER, current_span

T = TypeVar("T")

TOTAL_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024
"""Default limit of an answer; metadata takes 256 KiB and a status list 5 MiB, named by who asks."""
MAX_PROBLEM_BYTES = 16 * 1024
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PROBLEM_TYPES = ("application/problem+json", "application/json")


@dataclass(frozen=True)
class Answer:
    """What came back: `headers` have lower-case names; `body` is decoded and within the limit asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Without parameters, lower case; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self, kind: type[T]) -> T:
        """The body as Struct `kind`. Raises `Rejected` as `parse_struct` does."""
        return parse_struct(self.body, kind, max_bytes=max(len(self.body), 1))

    @property
    def text(self) -> str:
        """The body as UTF-8. Raises `Rejected`: `bad_text`."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Rejected("bad_text", "answer is not UTF-8") from error


class Fetcher:
    """Thread-safe client; `loopback` and `ca_file` default to REGIE_LOOPBACK and REGIE_CA_FILE."""

    def __init__(
        self,
        *,
        loopback: bool | None = None,
        ca_file: str | None = None,
        resolver: Resolver = system_resolver,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self.loopback = os.environ.get("REGIE_LOOPBACK") == "1" if loopback is None else loopback
        self.total_seconds = total_seconds
        self._resolver = resolver
        self._pools = ConnectionPools(resolver, ca_file or os.environ.get("REGIE_CA_FILE"))

    def check_address(self, url: str) -> None:
        """That a request could go there, without one: who is about to send something secret asks first.

        Raises `Rejected`: `bad_url`, `refused_address`; `Unavailable` when the name stands for nothing now.
        """
        resolve(parse_url(url, loopback=self.loopback), self._resolver)

    def get(self, url: str, **options: Any) -> Answer:
        """GET; `options` as in `request`."""
        return self.request("GET", url, **options)

    def delete(self, url: str, **options: Any) -> Answer:
        """DELETE; `options` as in `request`."""
        return self.request("DELETE", url, **options)

    def post_json(self, url: str, value: Any, **options: Any) -> Answer:
        """POST a JSON value or Struct, in its canonical form."""
        return self.post_bytes(url, canonical_bytes(value), "application/json", **options)

    def post_form(self, url: str, fields: Mapping[str, str], **options: Any) -> Answer:
        """POST application/x-www-form-urlencoded."""
        return self.post_bytes(url, urlencode(fields).encode(), "application/x-www-form-urlencoded", **options)

    def post_bytes(self, url: str, body: bytes, content_type: str, **options: Any) -> Answer:
        """POST any body."""
        return self.request("POST", url, body=body, content_type=content_type, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        accept: str | tuple[str, ...] | None = "application/json",
        max_bytes: int = MAX_ANSWER_BYTES,
        expect: Collection[int] = (),
        total_seconds: float | None = None,
    ) -> Answer:
        """One request; errors as the module says. `accept=None` takes any media type; of several the first is
        preferred.

        `total_seconds` replaces the limit of 5 s where the peer is known to wait (the log for its witnesses).
        """
        target = parse_url(url, loopback=self.loopback)
        accepted = (accept,) if isinstance(accept, str) else accept
        sent = {"Accept-Encoding": "identity", "User-Agent": "regie", **(headers or {})}
        sent["Accept"] = _in_order(accepted) if accepted else "*/*"
        if content_type is not None:
            sent["Content-Type"] = content_type
        at = current_span()
        if at is not None and method != "GET":  # who serves public files need not know what they are wanted for
            sent.setdefault(HEADER, at.header)
        with deadline(time.monotonic() + (total_seconds or self.total_seconds)):
            answer = self._exchange(method, target, body, sent, max_bytes)
        if answer.status in expect:
            return answer
        if not 200 <= answer.status < 300:
            raise _error_of(answer, target)
        if accepted and answer.body and answer.media_type not in accepted:
            raise Rejected("bad_media_type", f"{target.host} answered with another media type than {accepted[0]}")
        return answer

    def _exchange(
        self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str], max_bytes: int
    ) -> Answer:
        pool = self._pools.pool(target)
        attempts = 2 if method == "GET" else 1  # a kept connection may just have been closed; only GET is repeated
        while True:
            attempts -= 1
            try:
                response = pool.urlopen(
                    method,
                    target.path,
                    body=body,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=None),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                return _read(response, target, max_bytes)
            except ProtocolError as error:
                if not attempts:
                    raise Unavailable("unreachable", f"{target.host} closed the connection") from error
            except (HTTPError, OSError) as error:
                raise Unavailable("unreachable", f"{target.host} cannot be reached in time") from error


def _in_order(media_types: Sequence[str]) -> str:
    """What to accept, the first one preferred (RFC 9110 12.5.1): of equals a server takes the one it likes."""
    return ", ".join(
        media_type if not place else f"{media_type};q=0.{max(10 - place, 1)}"
        for place, media_type in enumerate(media_types)
    )


def _read(response: urllib3.BaseHTTPResponse, target: Target, max_bytes: int) -> Answer:
    """Read at most `max_bytes`, whatever Content-Length says; a larger answer costs its connection."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    limit = max_bytes if 200 <= response.status < 300 else max(max_bytes, MAX_PROBLEM_BYTES)
    data = bytearray()
    is_whole = False
    try:
        while len(data) <= limit and (chunk := response.read(min(64 * 1024, limit + 1 - len(data)))):
            data += chunk
        is_whole = len(data) <= limit
    finally:
        if not is_whole:
            response.close()
    if not is_whole:
        raise Rejected("too_large", f"{target.host} answered with more than {limit} bytes")
    return Answer(response.status, headers, _decoded(bytes(data), headers, limit))


def _decoded(data: bytes, headers: Mapping[str, str], limit: int) -> bytes:
    """Undo gzip, which we do not ask for but some servers send, within the same limit."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity":
        return data
    if coding != "gzip":
        raise Rejected("bad_media_type", "answer has an unknown content encoding")
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise Rejected("bad_media_type", "answer is not gzip") from error
    if len(plain) > limit:
        raise Rejected("too_large", f"answer inflates to more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise Rejected("bad_media_type", "answer is not one gzip member")
    return plain


def _error_of(answer: Answer, target: Target) -> Rejected | Unavailable:
    """A peer's refusal as our error; nothing of its text is trusted beyond a code and a short line."""
    if 300 <= answer.status < 400:
        return Rejected("redirect", f"{target.host} answered with a redirect, which is not followed")
    code, detail = _problem(answer)
    if answer.status >= 500:
        after = answer.headers.get("retry-after", "1")
        seconds = min(int(after), 3600) if after.isascii() and after.isdigit() else 1
        return Unavailable(
            code or "unreachable", detail or f"{target.host} cannot answer now", retry_after=seconds
        )
    detail = detail or f"{target.host} answered with status {answer.status}"
    return Rejected(code or "http_error", detail, status=answer.status)


def _problem(answer: Answer) -> tuple[str, str]:
    """`code` and `detail` of RFC 9457, or RFC 6749's `error` and `error_description`; empty if there are none."""
    if answer.media_type not in _PROBLEM_TYPES or not answer.body:
        return "", ""
    try:
        members = parse_object(answer.body, max_bytes=MAX_PROBLEM_BYTES)
    except Rejected:
        return "", ""
    code = members.get("code", members.get("error"))
    detail = members.get("detail", members.get("error_description"))
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return "", ""
    text = detail if isinstance(detail, str) else ""
    return code, "".join(char for char in text[:500] if char.isprintable())
