"""What a test measured, for whoever asked: `make campaign` keeps it beside the counts.

A test never fails by its figures; what must hold it asserts.
"""

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = "REGIE_FIGURES"
"""Variable of the environment that names the JSON file figures are collected in."""


def record(name: str, figures: Mapping[str, Any]) -> None:
    """Print them, and add them to the file under `name` where there is one."""
    print(f"{name}: {json.dumps(figures)}")
    if FILE in os.environ:
        path = Path(os.environ[FILE])
        found = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**found, name: figures}))


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile (nearest rank) and largest, to a tenth."""
    ordered = sorted(values)
    rank = -(-95 * len(ordered) // 100) - 1
    found = {"median": statistics.median(ordered), "p95": ordered[rank], "max": ordered[-1]}
    return {name: round(value, 1) for name, value in found.items()}
