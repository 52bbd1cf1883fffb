"""`regie --help` against a bare start of the interpreter, as whole processes."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 21


def child_cpu(command: list[str]) -> float:
    """User and system seconds of one run of `command`."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def measure() -> dict[str, float]:
    """Ratio of CPU seconds, median of pairs (aim: 5 or less)."""
    regie = [str(Path(sys.executable).with_name("regie")), "--help"]
    bare = [sys.executable, "-c", "pass"]
    child_cpu(regie), child_cpu(bare)
    pairs = [(child_cpu(regie), child_cpu(bare)) for _ in range(RUNS)]
    return {
        "ratio": round(statistics.median(one / max(other, 1e-3) for one, other in pairs), 2),
        "help_ms": round(statistics.median(one for one, _ in pairs) * 1000, 1),
        "bare_ms": round(statistics.median(other for _, other in pairs) * 1000, 1),
    }
