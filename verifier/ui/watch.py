"""Does a grant still stand? Asked while somebody looks at its page: often by screens, seldom of the log."""

import threading
from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import RegieError
from verifier.desk import Desk
from verifier.grants import StoredGrant
from verifier.standing import check_standing

Watched: TypeAlias = Literal["stands", "not_yet", "expired", "stopped", "unsure"]
"""`unsure`: the log cannot be asked, or does not prove what it says."""
KEEP_SECONDS = 2
"""How old an answer may be: several screens that show one grant ask the log once."""
MAX_KNOWN = 1000


@dataclass(frozen=True)
class _Seen:
    at: int
    state: Watched


class Watch:
    """Thread-safe; two screens that ask at once may ask the log twice."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def state(self, grant: StoredGrant) -> Watched:
        """By the log's newest checkpoint; what was stopped is known without asking."""
        if grant.state != "active":
            return "stopped"
        now = self._desk.now()
        with self._lock:
            seen = self._known.get(grant.lock)
        if seen is not None and 0 <= now - seen.at < KEEP_SECONDS:
            return seen.state
        state = self._ask(grant)
        with self._lock:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[grant.lock] = _Seen(now, state)
        return state

    def _ask(self, grant: StoredGrant) -> Watched:
        try:
            state = check_standing(self._desk, grant).state
        except RegieError:
            return "unsure"
        return "stopped" if state == "revoked" else state
