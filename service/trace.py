"""W3C Trace Context (Recommendation, level 1): one random number goes with a processing from program to program.

A served request goes on with the caller's `traceparent`, or begins a trace; what is asked of others meanwhile
carries it, and every journal line has it, so that the lines of several organisations about one act can be laid
beside each other. It is random, tells of nobody and is kept nowhere but in journals and, of a READ, with the READ.

Who would be linked by it sends none: a wallet never does (one number at an issuer, an agency and a log would join
what they know), and files that anybody may fetch are fetched without. `tracestate` may hold anything of anybody,
so it is not passed on.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

HEADER = "traceparent"
VARIABLE = "TRACEPARENT"
"""In the environment of a command: the trace of who called it."""
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = "01"
MAX_HEADER_CHARS = 512
"""Of a later version, of which only the first four parts are read (section 3.2.4)."""


@dataclass(frozen=True)
class Span:
    """One act in a trace: ids in hexadecimal, 32 and 16 characters; `parent`: the span that called."""

    trace_id: str
    span_id: str
    parent: str | None = None
    begun: float = field(default_factory=time.monotonic, compare=False, repr=False)

    @property
    def milliseconds(self) -> int:
        """How long it has taken so far."""
        return round((time.monotonic() - self.begun) * 1000)

    @property
    def header(self) -> str:
        """`traceparent` of what is called from here. Always sampled: every processing is logged."""
        return f"00-{self.trace_id}-{self.span_id}-{_SAMPLED}"

    def child(self) -> "Span":
        """A new span of the same trace."""
        return Span(self.trace_id, secrets.token_hex(8), self.span_id)


_current: ContextVar[Span | None] = ContextVar("regie_span", default=None)


def new_span() -> Span:
    """The first span of a new trace."""
    return Span(secrets.token_hex(16), secrets.token_hex(8))


def parse_traceparent(text: str) -> Span | None:
    """The caller's span; None for what is no `traceparent`, which counts as if there were none (section 3.2.2)."""
    match = _FORM.fullmatch(text.strip()) if len(text) <= MAX_HEADER_CHARS else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5] is not None):
        return None
    if set(match[2]) == {"0"} or set(match[3]) == {"0"}:
        return None
    return Span(match[2], match[3])


def current_span() -> Span | None:
    """The span of the work at hand, if it has one."""
    return _current.get()


@contextmanager
def span(caller: str | None = None) -> Iterator[Span]:
    """Work in a span of its own: below `caller` (a `traceparent`) or the span at hand; else in a new trace."""
    parent = (parse_traceparent(caller) if caller else None) or _current.get()
    made = new_span() if parent is None else parent.child()
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)


@contextmanager
def within(at: Span | None) -> Iterator[None]:
    """Work as part of a span that is there already: of who called, or of the thread that gave out the work."""
    token = _current.set(at or _current.get())
    try:
        yield
    finally:
        _current.reset(token)


def callers_span(text: str | None) -> Span | None:
    """What a program or command was given as `traceparent`; None without a good one."""
    return parse_traceparent(text) if text else None


WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def traced(app: WsgiApp) -> WsgiApp:
    """`app` with a span around every request."""

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with span(environ.get("HTTP_TRACEPARENT")):
            return app(environ, start_response)

    return run
