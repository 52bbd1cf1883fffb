"""Telling the story once, with or without a fault: what a test calls, and what a process of a campaign runs."""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.faults.injector import Faults
from tests.faults.scenario import Story, check
from tests.faults.watched_town import WatchedTown

QUICK = {
    "consentlog.writer.RESERVE_SECONDS": 0.1,
    "consentlog.writer.IDLE_SECONDS": 0.05,
    "consentlog.publisher.RETRY_SECONDS": 0.05,
}
"""How long a log waits before it tries again is no matter of correctness."""


def told(folder: Path, at: int | None = None, *, persisted: bool = False) -> Faults:
    """The story with a fault, and after it the checks without. Raises when something is lost."""
    return tell(Faults(folder, at, persisted=persisted))


def tell(faults: Faults) -> Faults:
    """The same with a fault of one's own choice."""
    with pytest.MonkeyPatch.context() as patch, faults.installed():
        for name, seconds in QUICK.items():
            patch.setattr(name, seconds)
        story = Story(WatchedTown(faults.folder), faults)
        faults.active = True
        try:
            story.tell()
        finally:
            faults.active = False
            story.town.stop()
        check(story)
    return faults


def told_many(folder: Path, numbers: Iterable[int], *, persisted: bool) -> list[str]:
    """The story for each number, in as many processes as there are processors; what went wrong."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=100) as pool:
        running = {
            number: pool.submit(_tell_one, str(folder / str(number)), number, persisted) for number in numbers
        }
        errors = {number: future.exception() for number, future in running.items()}
    return [f"operation {number}: {error!r}" for number, error in errors.items() if error is not None]


def _tell_one(folder: str, number: int, persisted: bool) -> None:
    place = Path(folder)
    place.mkdir()
    told(place, number, persisted=persisted)
