"""What a member of staff is busy with: kept in memory under a random id that only he can use.

A BSN never stands in an address, so neither in a history nor in the log of a proxy; the id that does tells
nothing, is worth nothing to a colleague, and ends by itself.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from protocol.errors import Rejected

T = TypeVar("T")

KEEP_SECONDS = 30 * 60
"""Since it was last used."""
MAX_KEPT = 2_000
"""Over all staff; beyond it the one that was used longest ago goes."""
ID_BYTES = 16


@dataclass
class _Kept:
    officer: str
    value: Any
    used: int


class Drawer:
    """Thread-safe."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def put(self, officer: str, value: object, now: int) -> str:
        """The id under which `officer` finds it again."""
        id_ = self._random(ID_BYTES).hex()
        with self._lock:
            self._kept = {key: one for key, one in self._kept.items() if now - one.used < KEEP_SECONDS}
            if len(self._kept) >= MAX_KEPT:
                del self._kept[min(self._kept, key=lambda key: self._kept[key].used)]
            self._kept[id_] = _Kept(officer, value, now)
        return id_

    def get(self, officer: str, id_: str, kind: type[T], now: int) -> T:
        """What was put there. Raises `Rejected`: `visit_over` (404), also for what is somebody else's."""
        with self._lock:
            found = self._kept.get(id_)
            if (
                found is None
                or found.officer != officer
                or not isinstance(found.value, kind)
                or now - found.used >= KEEP_SECONDS
            ):
                raise Rejected("visit_over", "nothing is open under this id", status=404)
            found.used = now
            return found.value

    def replace(self, officer: str, id_: str, value: object, now: int) -> None:
        """Put something newer under the same id. Raises as `get`."""
        self.get(officer, id_, type(value), now)
        with self._lock:
            self._kept[id_] = _Kept(officer, value, now)

    def drop(self, officer: str, id_: str) -> None:
        """It is done with."""
        with self._lock:
            if (found := self._kept.get(id_)) is not None and found.officer == officer:
                del self._kept[id_]
