"""A running log with its witnesses for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.consentlog.small_town import SmallTown


@pytest.fixture
def town(tmp_path: Path) -> Iterator[SmallTown]:
    """A town whose log takes reads."""
    with SmallTown(tmp_path).running() as running:
        yield running
