"""The log's time: its clock, as far as its witnesses vouch for it; it never goes back.

Order never comes from it. It decides what is expired, when shares are destroyed and how fresh a checkpoint is, so
a clock that jumps must not decide alone: a clock ten years ahead would end every grant and destroy every share.

A quorum of witnesses whose cosignatures fit the clock (`protocol.policy.satisfied`) vouches for it. From then on
the clock is believed as long as it goes with the monotonic one; after a jump the vouched time goes on by the
monotonic clock, until the clock is right again or a quorum vouches for where it jumped to (a machine that was
asleep). Before the first quorum since the start nothing is expired or destroyed for good: only revocations are
stamped, with the clock as it is.
"""

from threading import Lock
from typing import Literal

from protocol.policy import MAX_CLOCK_SKEW
from service.clock import Clock

State = Literal["ok", "unvouched", "off", "behind"]


class LogTime:
    """Thread-safe. `not_before`: what was signed last was signed at that time, POSIX seconds."""

    def __init__(self, clock: Clock, not_before: int = 0) -> None:
        self._clock = clock
        self._guard = Lock()
        self._last = not_before
        self._anchor: tuple[int, float] | None = None

    def start_from(self, not_before: int) -> None:
        """Where the log was when it was signed last."""
        with self._guard:
            self._last = max(self._last, not_before)

    def now(self) -> int:
        """POSIX seconds."""
        with self._guard:
            if self._anchor is None:
                return max(self._last, self._clock.now())
            self._last = max(self._last, self._believed())
            return self._last

    def clock(self) -> int:
        """What the clock shows."""
        return self._clock.now()

    @property
    def is_vouched(self) -> bool:
        """Whether it is what a quorum has vouched for since the start: what cannot be undone waits for that."""
        return self.state in ("ok", "off")

    @property
    def kept(self) -> int:
        """What to start from next time: the last time that was vouched for."""
        return self._last

    def candidates(self) -> list[int]:
        """Times that a quorum may vouch for: the clock's, what was vouched for before, the log's last time.

        Before the first quorum only the clock's: a checkpoint of an hour ago fits the time that was signed then.
        """
        clock = self._clock.now()
        with self._guard:
            carried, last = self._carried(), self._last
        return [clock] if carried is None else list(dict.fromkeys((clock, carried, last)))

    def vouch(self, time: int) -> None:
        """A quorum's cosignatures fit `time`, one of the `candidates`."""
        with self._guard:
            self._anchor = (time, self._clock.monotonic())

    @property
    def off(self) -> int:
        """Seconds by which the clock is ahead of what was vouched for; 0 when nothing was."""
        clock = self._clock.now()
        with self._guard:
            carried = self._carried()
        return 0 if carried is None else clock - carried

    @property
    def state(self) -> State:
        """`off`: the clock is not what the witnesses say; `behind`: it has yet to reach what was signed before."""
        with self._guard:
            if self._anchor is None:
                ahead = self._last - self._clock.now()
                return "behind" if ahead > MAX_CLOCK_SKEW else "unvouched"
            believed, clock = self._believed(), self._clock.now()
            if self._last - believed > MAX_CLOCK_SKEW:
                return "behind"
            return "ok" if believed == clock else "off"

    def _believed(self) -> int:
        clock, carried = self._clock.now(), self._carried()
        return clock if carried is None or abs(clock - carried) <= MAX_CLOCK_SKEW else carried

    def _carried(self) -> int | None:
        if self._anchor is None:
            return None
        time, at = self._anchor
        return time + int(self._clock.monotonic() - at)
