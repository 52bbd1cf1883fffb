"""The examples run as a newcomer would run them, and leave nothing behind."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tell(module: str, *words: str, mark: str = "") -> str:
    """What an example prints; all its processes carry `mark` in their environment."""
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{module}", *words],
        cwd=ROOT,
        env={**os.environ, "REGIE_TEST_MARK": mark},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def processes_of(mark: str) -> list[str]:
    """The processes that were started with it, by this test and no other."""
    listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"REGIE_TEST_MARK={mark}" in line]


def test_demo_tells_the_whole_story_and_catches_each_lie_by_name() -> None:
    mark = uuid.uuid4().hex
    story = tell("town", "--inside", mark=mark)  # as `make demo`, which runs each command as a process
    steps = ["3 cards", "grants standing access", "exactly one attribute", "is refused: revoked", "policy ok"]
    lies = ["forked", "read_after_revocation", "replay_head_status"]
    places = [story.index(words) for words in (*steps, *lies)]
    assert places == sorted(places)
    assert story.count("{'postcode':") == 1
    assert "huisnummer" not in story
    assert processes_of(mark) == []


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("moving_house", ["refused: reads_spent", "stopped: revoked", "policy ok"]),
        ("debt_help", ["refused: other_case", "refused: revoked", "policy ok"]),
    ],
)
def test_example_runs(module: str, words: list[str]) -> None:
    story = tell(module)
    assert [word for word in words if word not in story] == []
