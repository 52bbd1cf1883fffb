"""Two rules for the whole suite: what needs the shared test persons says so, and in CI nothing is skipped.

Tests marked `shared` read RvIG's fictional persons from a folder beside the checkout. Where it is absent they
are deselected and counted; each has a twin on the project's own persons. Tests marked `campaign` run only by
`make campaign`.
"""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
# Two shared cores: how long one example takes says nothing about the code.
hypothesis.settings.register_profile("regie", deadline=None)
hypothesis.settings.load_profile("regie")

_skipped: list[str] = []
_deselected_shared: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    campaign = "REGIE_CAMPAIGN" in os.environ
    keep, drop = [], []
    for item in items:
        if item.get_closest_marker("shared") and not (SHARED / "data" / "README.md").exists():
            _deselected_shared.append(item.nodeid)
            drop.append(item)
        elif item.get_closest_marker("campaign") and not campaign:
            drop.append(item)
        else:
            keep.append(item)
    if drop:
        config.hook.pytest_deselected(items=drop)
        items[:] = keep


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") == "true" and _skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _deselected_shared:
        terminalreporter.write_line(f"{len(_deselected_shared)} tests need ../shared and were left out")
    if os.environ.get("CI") == "true" and _skipped:
        terminalreporter.write_line(f"CI counts skips as failures: {', '.join(_skipped)}", red=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared test data; only for tests marked `shared`."""
    return SHARED
