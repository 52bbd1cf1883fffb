"""What time it is. Rules take `now: int`; only the edge holds a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a test replaces by a clock that it moves itself."""

    def now(self) -> int:
        """POSIX seconds, UTC."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """POSIX seconds, UTC."""
        return int(time.time())
