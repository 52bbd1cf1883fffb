"""A fresh desk for each test."""

from pathlib import Path

import pytest

from tests.issuer.desk import Desk, open_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An issuer with our persons."""
    return open_desk(tmp_path / "issuer")
