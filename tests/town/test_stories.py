"""The examples run as a newcomer would run them, and leave nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tell(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def regie_processes() -> set[str]:
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return {line for line in listed.splitlines() if "bin/regie" in line and str(ROOT) in line}


def test_demo_tells_the_whole_story_and_catches_each_lie_by_name() -> None:
    before = regie_processes()
    story = tell("town")
    steps = ["3 cards", "grants standing access", "exactly one attribute", "is refused: revoked", "policy ok"]
    lies = ["forked", "read_after_revocation", "replay_head_status"]
    places = [story.index(words) for words in (*steps, *lies)]
    assert places == sorted(places)
    assert story.count("{'postcode':") == 1
    assert "huisnummer" not in story
    assert regie_processes() == before


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
