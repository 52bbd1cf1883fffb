"""One agency and one wallet, ready to talk."""

from pathlib import Path

import pytest

from tests.verifier.agency import Agency, Wallet


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """The agency of `tests.protocol.builders`."""
    return Agency(tmp_path)


@pytest.fixture
def wallet(agency: Agency) -> Wallet:
    """A resident with a full set of cards."""
    return Wallet(agency.clock, agency.log)
