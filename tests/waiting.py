"""Waiting for a state, never for a time: the one way in which tests wait for a thread, a process or a server."""

import time
from collections.abc import Callable

SOON = 60.0
"""Seconds of real time within which what must happen has happened, on two cores shared by many processes."""


def wait_until(is_so: Callable[[], bool], seconds: float = SOON, *, every: float = 0.005) -> None:
    """Until somebody else has done it, asked `every` so many seconds. Fails the test when it does not in time."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(every)
