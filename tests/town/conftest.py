"""Real processes over HTTP: one town for tests that only look on, a town of its own for tests that break it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples import within
from examples.founding import Teller, Town, found_town

QUIET = Teller(quiet=True)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Shared by the tests of a module, each with residents of its own."""
    founded = found_town(tmp_path_factory.mktemp("town"), QUIET, command=within.run)
    yield founded
    founded.close()


@pytest.fixture
def own_town(tmp_path: Path) -> Iterator[Town]:
    """For a test that kills or stops a part of it."""
    founded = found_town(tmp_path / "town", QUIET, command=within.run)
    yield founded
    founded.close()
