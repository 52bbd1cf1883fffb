"""What time it is. Rules take `now: int`; only the edge holds a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a test replaces by a clock that it moves itself."""

    def now(self) -> int:
        """POSIX seconds, UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; never jumps, whatever is done to the clock."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """POSIX seconds, UTC."""
        return int(time.time())

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()
