"""Folds what programs read into one line of a month: "47 times by a system" instead of 47 lines. Pure.

Every reading stays an entry of its own, in the vault and in the log; only what a person reads is shorter. What an
officer read is never folded.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from protocol.working_days import is_usual, local
from wallet.history import VerifiedEvent

T = TypeVar("T")
DESK = "desk"
"""Channel of what a person read."""


@dataclass(frozen=True)
class Fold(Generic[T]):
    """`item`: the first one that came; `count` in all, and `last` the last one that came."""

    item: T
    count: int
    last: T


def fold(items: Iterable[T], key_of: Callable[[T], Hashable | None]) -> list[Fold[T]]:
    """Items with the same key are one, where the first of them stood; one without a key (None) stays itself."""
    found: list[Fold[T]] = []
    places: dict[Hashable, int] = {}
    for item in items:
        key = key_of(item)
        if key is None or key not in places:
            if key is not None:
                places[key] = len(found)
            found.append(Fold(item, 1, item))
            continue
        before = found[places[key]]
        found[places[key]] = Fold(before.item, before.count + 1, item)
    return found


def polling_key(event: VerifiedEvent, time: int) -> Hashable | None:
    """The same for what programs read of the same data in one month (of Amsterdam); None for all else."""
    if event.kind != "read" or event.channel in (None, DESK) or event.erased:
        return None
    day = local(time)
    return (day.year, day.month, event.attributes)


def is_odd(event: VerifiedEvent) -> bool:
    """Whether an officer read at an hour or on a day that is not usual. No verdict: some work at night."""
    return event.kind == "read" and event.channel == DESK and event.time is not None and not is_usual(event.time)
