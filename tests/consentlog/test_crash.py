"""kill -9 beside every durable step, and at random: what was acknowledged stands, what was begun is finished."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentlog.crash import POINTS
from tests.consentlog.harm import Account, Nursery, check, nursery
from tests.consentlog.small_town import SmallTown

KILLS = 4


@pytest.fixture(scope="module")
def lives() -> Iterator[Nursery]:
    with nursery() as opened:
        yield opened


@pytest.mark.parametrize("point", POINTS)
def test_crash_beside_every_step_loses_nothing(lives: Nursery, tmp_path: Path, point: str) -> None:
    assert lives.life(tmp_path, crash_at=f"{point}:12") == "killed"
    town = SmallTown(tmp_path)
    with town.running():
        account = Account(tmp_path)
        assert account.grants
        check(town, account)


def test_kills_at_random_moments_of_one_log_lose_nothing(lives: Nursery, tmp_path: Path) -> None:
    chance = random.Random(9)
    for _ in range(KILLS):
        assert lives.life(tmp_path, kill_after=chance.uniform(0.0, 0.4)) == "killed"
    town = SmallTown(tmp_path)
    with town.running():
        account = Account(tmp_path)
        assert account.acknowledged
        check(town, account)


def test_name_of_no_crash_point_is_refused_at_the_start(lives: Nursery, tmp_path: Path) -> None:
    assert lives.life(tmp_path, crash_at="somewhere") == "ended"
    assert not (tmp_path / "working").exists()
