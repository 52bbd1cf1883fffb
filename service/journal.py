"""Structured log lines: one JSON object a line on stderr.

Callers pass names of rules, routes, counts and times only: no path, query string, body, token or name of a
person ever goes into a field.
"""

import json
import sys
import time

LogValue = str | int | float | bool | None


def log_event(room: str, event: str, **fields: LogValue) -> None:
    """Write one line: `time` (POSIX seconds, three decimals), `room`, `event` and `fields`."""
    line = json.dumps({"time": round(time.time(), 3), "room": room, "event": event, **fields})
    # One write call a line, so that lines of several threads do not mix.
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
