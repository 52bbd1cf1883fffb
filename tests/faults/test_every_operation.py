"""An injected error at every file and database operation: nothing acknowledged is lost, nothing forks.

For every n the same story is told with operation n failing, once before it happens and once after it has. A
sample in `make test`; `make campaign` (stage `faults`) tells it for every n: REGIE_FAULTS=all. REGIE_SEED repeats
a sample.
"""

import os
import random
from pathlib import Path

import pytest

from tests.faults.injector import Faults
from tests.faults.scenario import Story, check
from tests.faults.watched_town import WatchedTown

SLICES = 8
IS_COMPLETE = os.environ.get("REGIE_FAULTS") == "all"
SEED = int(os.environ.get("REGIE_SEED") or random.SystemRandom().randrange(10**6))
MARGIN = 20
"""Two threads take turns as they like: a story may need a few operations more than the one that was counted."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a log waits before it tries again is no matter of correctness."""
    monkeypatch.setattr("consentlog.writer.RESERVE_SECONDS", 0.1)
    monkeypatch.setattr("consentlog.publisher.RETRY_SECONDS", 0.05)


def told(folder: Path, at: int | None = None, *, persisted: bool = False) -> Faults:
    """The story with a fault, and after it the checks without. Raises when something is lost."""
    faults = Faults(folder, at, persisted=persisted)
    with faults.installed():
        story = Story(WatchedTown(folder), faults)
        faults.active = True
        try:
            story.tell()
        finally:
            faults.active = False
            story.town.stop()
        check(story)
    return faults


@pytest.fixture(scope="module")
def count(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Operations of the story when nothing fails."""
    faults = told(tmp_path_factory.mktemp("counted"))
    places = {place for place, _ in faults.seen}
    assert {"log.db", "lock.db", "witness.db", "auditor.db", ".epoch-n", "ballast"} <= places
    return faults.count


@pytest.mark.parametrize("persisted", [False, True], ids=["failed", "failed_but_persisted"])
@pytest.mark.parametrize("part", range(SLICES))
def test_error_beside_every_operation_loses_nothing(
    tmp_path: Path, count: int, part: int, *, persisted: bool
) -> None:
    dice = random.Random(f"{SEED} {part} {persisted}")
    numbers = range(part, count + MARGIN, SLICES) if IS_COMPLETE else [dice.randrange(count)]
    for number in numbers:
        print(f"REGIE_SEED={SEED}: operation {number} of {count}")
        folder = tmp_path / str(number)
        folder.mkdir()
        told(folder, number, persisted=persisted)
