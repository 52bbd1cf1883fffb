"""Telling the story once, with or without a fault: what a test calls, and what a process of a campaign runs."""

import os
import shutil
from collections.abc import Iterable
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
    tellings = [(str(folder / str(number)), number, persisted) for number in numbers]
    # Not concurrent.futures: its pool hangs when its processes have done `max_tasks_per_child` (cpython#115634).
    with get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=100) as pool:
        return [error for error in pool.imap_unordered(_tell_one, tellings) if error]


def _tell_one(telling: tuple[str, int, bool]) -> str:
    """What went wrong, empty if nothing did: an exception itself need not survive the way between processes."""
    folder, number, persisted = telling
    place = Path(folder)
    place.mkdir()
    try:
        told(place, number, persisted=persisted)
    except Exception as error:  # noqa: BLE001 - whatever it is, the number goes into the report
        return f"operation {number}: {error!r}"
    shutil.rmtree(place)
    return ""
