"""A resident who uses the wallet in a browser, among neighbours in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wallet.conftest import Resident
from tests.wallet.ui.face import Face


@pytest.fixture
def face(holder: Resident) -> Iterator[Face]:
    """Unlocked, with cards: four copies each of persoon, adres and gezin."""
    made = Face(holder.home.path, fetcher=holder.neighbours, clock=holder.neighbours.clock)
    made.unlock()
    yield made
    made.keeper.lock()


@pytest.fixture
def new_face(tmp_path: Path) -> Iterator[Face]:
    """In a home without a wallet."""
    made = Face(tmp_path / "empty")
    yield made
    made.keeper.lock()
