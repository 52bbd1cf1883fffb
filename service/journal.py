"""Structured log lines: one JSON object a line on stderr.

Callers pass names of rules, routes, counts and times only: no path, query string, body, token or name of a
person ever goes into a field.
"""

import json
import sys
import time

from service.trace import current_span

LogValue = str | int | float | bool | None


def log_event(room: str, event: str, **fields: LogValue) -> None:
    """Write one line: `time` (POSIX seconds, three decimals), `room`, `event` and `fields`, and the `trace` and
    `span` of the work at hand (`service.trace`).
    """
    at = current_span()
    ids = {} if at is None else {"trace": at.trace_id, "span": at.span_id}
    line = json.dumps({"time": round(time.time(), 3), "room": room, "event": event, **fields, **ids})
    # One write call a line, so that lines of several threads do not mix.
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
