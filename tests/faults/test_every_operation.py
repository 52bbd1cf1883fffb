"""An injected error at every file and database operation: nothing acknowledged is lost, nothing forks.

For every n the same story is told with operation n failing, once before it happens and once after it has. A
sample in `make test`; `make campaign` (stage `faults`) tells it for every n: REGIE_FAULTS=all. REGIE_SEED repeats
a sample.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import Connection, Engine

from consentlog import writer
from consentlog.lock import GlobalLock, Locked
from protocol.errors import Rejected, Unavailable
from tests.faults import scenario
from tests.faults.injector import Faults
from tests.faults.telling import tell, told, told_many

SLICES = 4
IS_COMPLETE = os.environ.get("REGIE_FAULTS") == "all"
SEED = int(os.environ.get("REGIE_SEED") or random.SystemRandom().randrange(10**6))
CONTROL_OPERATIONS, CONTROL_TRIES = 30, 10
"""Of a story; those among them of which one, failing unnoticed, must be found to lose something."""
MARGIN = 20
"""Two threads take turns as they like: a story may need a few operations more than the one that was counted."""


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
    if IS_COMPLETE:
        assert told_many(tmp_path, range(part, count + MARGIN, SLICES), persisted=persisted) == []
        return
    number = random.Random(f"{SEED} {part} {persisted}").randrange(count)
    print(f"REGIE_SEED={SEED}: operation {number} of {count}")
    told(tmp_path, number, persisted=persisted)


# Negative controls: a log that is made wrong is found out.


def is_found_out(folder: Path, only: tuple[str, str]) -> bool:
    """Whether a story goes wrong with one of the operations `only` (place, what) failing."""
    dice = random.Random(SEED)
    for number in dice.sample(range(CONTROL_OPERATIONS), CONTROL_TRIES):
        place = folder / str(number)
        place.mkdir()
        try:
            tell(Faults(place, number, only=only))
        except (AssertionError, Rejected, ValueError):
            return True
    return False


def test_control_publishing_before_the_lock_has_moved_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = GlobalLock.advance

    def afterwards(lock: GlobalLock, old: Locked, size: int, root: bytes, time: int, note: str) -> Locked:
        def move() -> None:
            with suppress(Unavailable):
                really(lock, old, size, root, time, note)

        Timer(0.05, move).start()
        return Locked(size, root, time, note)

    monkeypatch.setattr(GlobalLock, "advance", afterwards)
    with pytest.raises(AssertionError, match="before the lock stood at it"):
        told(tmp_path)


def test_control_answering_whatever_the_commit_says_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = writer.immediate

    @contextmanager
    def hopeful(engine: Engine) -> Iterator[Connection]:
        with suppress(Unavailable), really(engine) as connection:
            yield connection

    monkeypatch.setattr(writer, "immediate", hopeful)
    monkeypatch.setattr(scenario, "TRIES", 20)  # a log made wrong may never answer again
    monkeypatch.setattr("consentlog.node.ANSWER_SECONDS", 0.5)
    assert is_found_out(tmp_path, ("log.db", "INSERT"))
