"""Who is signed in now: sessions of staff, in the memory of one server. A restart signs everybody out.

A session ends when nobody used it for `IDLE_SECONDS`, and after `LONGEST_SECONDS` at the latest; the page warns
`WARN_SECONDS` before (WCAG 2.2.1). Of its token only the hash is kept.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from protocol.canonical import sha256
from service.staff import Member

IDLE_SECONDS = 30 * 60
WARN_SECONDS = 5 * 60
LONGEST_SECONDS = 10 * 3600
"""A working day; then somebody signs in again."""
MAX_SESSIONS = 10_000
"""Beyond it the one that was used longest ago goes."""
TOKEN_BYTES = 32


@dataclass(frozen=True)
class Session:
    """Times in POSIX seconds."""

    member: Member
    started: int
    used: int

    @property
    def ends(self) -> int:
        """When it ends if nobody uses it."""
        return min(self.used + IDLE_SECONDS, self.started + LONGEST_SECONDS)

    @property
    def can_be_extended(self) -> bool:
        """Whether using it now would move its end."""
        return self.ends < self.started + LONGEST_SECONDS


class Sessions:
    """Thread-safe."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._known: dict[bytes, Session] = {}
        self._lock = threading.Lock()

    def start(self, member: Member, now: int) -> bytes:
        """The token of a new session."""
        token = self._random(TOKEN_BYTES)
        with self._lock:
            if len(self._known) >= MAX_SESSIONS:  # not at every start: it looks at them all
                self._known = {key: one for key, one in self._known.items() if now < one.ends}
            if len(self._known) >= MAX_SESSIONS:
                del self._known[min(self._known, key=lambda key: self._known[key].used)]
            self._known[sha256(token)] = Session(member, now, now)
        return token

    def find(self, token: bytes, now: int, *, use: bool = True) -> Session | None:
        """The session of a token, if it lasts still. `use`: a person did something, so that it lasts longer."""
        key = sha256(token)
        with self._lock:
            found = self._known.get(key)
            if found is None or not found.started <= now < found.ends:
                self._known.pop(key, None)
                return None
            if use:
                found = self._known[key] = replace(found, used=now)
            return found

    def end(self, token: bytes) -> None:
        """Nobody is signed in by this token any more."""
        with self._lock:
            self._known.pop(sha256(token), None)
