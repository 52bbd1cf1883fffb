"""Rules for the whole suite: what needs the shared persons says so, in CI nothing is skipped, slow files first.

Tests marked `shared` read RvIG's fictional persons from a folder beside the checkout. Where it is absent they
are deselected and counted; each has a twin on the project's own persons. Tests marked `campaign` run only by
`make campaign`. `make test` runs whole files side by side (pytest-xdist); those that wait most for servers start
first, so that none of them is left for the end. The tests of the faces stay together.
"""

import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tests import quick_pages, quick_routes, quick_tables

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
# Two shared cores: how long one example takes says nothing about the code.
hypothesis.settings.register_profile("regie", deadline=None)
hypothesis.settings.load_profile("regie")
quick_tables.install()
quick_routes.install()
quick_pages.install()

LONGEST = ("ha", "faces", "town", "faults", "interop", "migrations", "consentlog")
"""Folders in the order in which they are begun; the others follow."""
TOGETHER = ("faces",)
"""Folders that share a browser and a town: their files go to one worker."""
_COUNT = "deselected_shared"

_skipped: list[str] = []
_deselected_shared: set[str] = set()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: many tests wait for a server, a disk or a lease."""
    return (os.cpu_count() or 1) + 1


class _Rooms(LoadFileScheduling):
    """Whole files side by side, and some folders as if they were one file."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.removeprefix("tests/").partition("/")[0]
        return folder if folder in TOGETHER else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Ours for `--dist loadfile`; None leaves the choice to pytest-xdist."""
    return _Rooms(config, log) if config.getvalue("dist") == "loadfile" else None


def _turn(item: pytest.Item) -> tuple[int, str, int]:
    """A browser's tests of one file are steps of one story: they run as they are written."""
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    turn = LONGEST.index(folder) if folder in LONGEST else len(LONGEST)
    return (turn, str(item.path), item.location[1] or 0) if folder in TOGETHER else (turn, "", 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    campaign = "REGIE_CAMPAIGN" in os.environ
    keep, drop = [], []
    for item in items:
        if item.get_closest_marker("shared") and not (SHARED / "data" / "README.md").exists():
            _deselected_shared.add(item.nodeid)
            drop.append(item)
        elif item.get_closest_marker("campaign") and not campaign:
            drop.append(item)
        else:
            keep.append(item)
    if drop:
        config.hook.pytest_deselected(items=drop)
    items[:] = _as_told(sorted(keep, key=_turn))


def _as_told(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests of a file that tells one story (`story`) in the order in which they are written."""
    told = [place for place, item in enumerate(items) if item.get_closest_marker("story")]
    written = sorted((items[place] for place in told), key=lambda item: (str(item.path), item.location[1] or 0))
    for place, item in zip(told, written, strict=True):
        items[place] = item
    return items


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """New databases are made quickly, but where their making is the subject."""
    quick_tables.is_on = "migrations" not in item.path.parts


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker[_COUNT] = sorted(_deselected_shared)
    elif os.environ.get("CI") == "true" and _skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A worker has ended: what it left out is what all left out."""
    _deselected_shared.update(getattr(node, "workeroutput", {}).get(_COUNT, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _deselected_shared:
        terminalreporter.write_line(f"{len(_deselected_shared)} tests need ../shared and were left out")
    if os.environ.get("CI") == "true" and _skipped:
        terminalreporter.write_line(f"CI counts skips as failures: {', '.join(_skipped)}", red=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared test data; only for tests marked `shared`."""
    return SHARED
