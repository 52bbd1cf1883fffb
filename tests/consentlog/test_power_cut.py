"""Power cuts: with synchronous=FULL nothing acknowledged is lost; with NORMAL the method must find a loss.

Every cut kills the process on a disk that forgets what was not synced, at a random moment of work; then the log
starts again from what is left. Once under apsw, whose file layer forgets single writes; once under the driver that
production uses, whose files go back to their last sync. REGIE_POWER_CUTS makes more of them (`make campaign`).
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.errors import Rejected
from tests.consentlog.harm import Account, Nursery, check, nursery
from tests.consentlog.small_town import SmallTown
from tests.service.unsynced import cut_power

CUTS = int(os.environ.get("REGIE_POWER_CUTS", "10"))
CUTS_OF_ONE_LOG = 5
CONTROL_CUTS = 12
"""Of the negative control; the first that loses ends it."""


@pytest.fixture(scope="module")
def lives() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


def loss(folder: Path) -> str:
    """What the log lost, if anything: a refusal to start on it, or what is missing. Empty if nothing."""
    town = SmallTown(folder)
    try:
        with town.running():
            check(town, Account(folder))
    except Rejected as error:
        return error.code
    except AssertionError as error:
        return str(error).partition("\n")[0]
    return ""


def test_nothing_acknowledged_is_lost_at_a_power_cut(lives: Nursery, tmp_path: Path) -> None:
    chance = random.Random(1)
    acknowledged = 0
    for number in range(-(-CUTS // CUTS_OF_ONE_LOG)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for _ in range(CUTS_OF_ONE_LOG):
            assert lives.life(folder, lossy="FULL", kill_after=chance.uniform(0.0, 0.4)) == "killed"
        assert loss(folder) == ""
        acknowledged += Account(folder).acknowledged
    assert acknowledged >= CUTS


def test_nothing_acknowledged_is_lost_at_a_power_cut_under_the_driver_of_production(
    lives: Nursery, tmp_path: Path
) -> None:
    chance = random.Random(3)
    acknowledged = 0
    for number in range(-(-CUTS // CUTS_OF_ONE_LOG)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for _ in range(CUTS_OF_ONE_LOG):
            assert lives.life(folder, unsynced="FULL", kill_after=chance.uniform(0.0, 0.4)) == "killed"
            cut_power(folder / "log")
        assert loss(folder) == ""
        acknowledged += Account(folder).acknowledged
    assert acknowledged >= CUTS


def test_control_finds_the_loss_under_the_driver_of_production(lives: Nursery, tmp_path: Path) -> None:
    chance = random.Random(4)
    for number in range(CONTROL_CUTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        lives.life(folder, unsynced="NORMAL", kill_after=chance.uniform(0.0, 0.4))
        cut_power(folder / "log")
        if loss(folder):
            return
    pytest.fail("the method does not see lost commits")


def test_control_finds_the_loss_that_synchronous_normal_makes(lives: Nursery, tmp_path: Path) -> None:
    chance = random.Random(2)
    for number in range(CONTROL_CUTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        lives.life(folder, lossy="NORMAL", kill_after=chance.uniform(0.0, 0.4))
        if found := loss(folder):
            # The lock, on a disk that keeps its word, says what was signed: the log that forgot it does not start.
            assert found in (
                "restored_backup",
                "a grant is lost",
                "a stop is lost",
                "a share left without an entry",
            )
            return
    pytest.fail("the method does not see lost commits")
