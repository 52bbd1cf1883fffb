"""The harness itself: what it refuses, and that nothing outlives it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.figures import spread
from tests.ha import guard
from tests.ha.guard import processes_below
from tests.ha.programs import NotInstalled, check_version
from tests.waiting import wait_until


@pytest.mark.parametrize("told", ["patroni 3.0.2", "patroni 2.1.9", "", "patroni", "something 4.1.5"])
def test_patroni_that_loses_acknowledged_commits_is_refused(told: str) -> None:
    with pytest.raises(NotInstalled, match="loses acknowledged commits"):
        check_version(told)


@pytest.mark.parametrize("told", ["patroni 3.0.3", "patroni 4.1.5\n"])
def test_patroni_that_keeps_its_word_is_taken(told: str) -> None:
    check_version(told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cluster" / "n1").mkdir(parents=True)
    (tmp_path / "cluster" / "n2").mkdir()
    return tmp_path / "cluster"


def start_guard(folder: Path) -> subprocess.Popen[str]:
    source = Path(guard.__file__).read_text()
    command = [sys.executable, "-c", source, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")


def start_sleeper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"], cwd=folder, start_new_session=True)


def state_of(process: subprocess.Popen[bytes]) -> str:
    """Its letter in /proc: S, T, Z."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_guard_signals_one_node_and_no_other(folder: Path) -> None:
    one, other = start_sleeper(folder / "n1"), start_sleeper(folder / "n2")
    with start_guard(folder) as started:
        for name, state in (("SIGSTOP", "T"), ("SIGCONT", "S")):
            started.stdin.write(f"{name} n1\n")
            started.stdin.flush()
            assert started.stdout.readline() == "1\n"
            wait_until(lambda state=state: state_of(one) == state)
            assert state_of(other) in "SR"
        started.stdin.write("SIGKILL n1\n")
        started.stdin.flush()
        assert started.stdout.readline() == "1\n"
        assert one.wait(60) < 0
        assert other.poll() is None
        started.stdin.close()
    assert other.wait(60) < 0


def test_guard_ends_a_stopped_process_when_its_starter_is_gone(folder: Path) -> None:
    sleeper = start_sleeper(folder / "n1")
    with start_guard(folder) as started:
        started.stdin.write("SIGSTOP n1\n")
        started.stdin.flush()
        assert started.stdout.readline() == "1\n"
        started.stdin.close()  # as the kernel does it for a process that is killed
    assert sleeper.wait(60) < 0
    assert processes_below(str(folder)) == set()
    assert not os.path.exists(folder)


def test_figures_are_ranks_not_guesses() -> None:
    assert spread([3.0]) == {"median": 3.0, "p95": 3.0, "max": 3.0}
    assert spread([float(n) for n in range(1, 21)]) == {"median": 10.5, "p95": 19.0, "max": 20.0}
