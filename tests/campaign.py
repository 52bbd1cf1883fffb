"""`make campaign`: the long fault tests, resumable, with their counts in docs/results/campaign.json.

A stage is a set of tests with larger numbers in the environment. A stage that passed at this commit is not
repeated.
"""

import json
import os
import platform
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.figures import FILE as FIGURES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results" / "campaign.json"


@dataclass(frozen=True)
class Stage:
    """Which tests, and how long."""

    name: str
    tests: tuple[str, ...]
    settings: dict[str, str]


STAGES = (
    Stage("kills", ("tests/town/test_kill.py",), {"REGIE_KILLS": "1000"}),
    Stage("faults", ("tests/faults/test_every_operation.py",), {"REGIE_FAULTS": "all"}),
    Stage("power_cuts", ("tests/consentlog/test_power_cut.py",), {"REGIE_POWER_CUTS": "200"}),
    Stage(
        "failovers",
        ("tests/ha/test_failover.py",),
        {"REGIE_HA_KILLS": "20", "REGIE_HA_FREEZES": "10", "REGIE_HA_RESTARTS": "10"},
    ),
    Stage("migrations", ("tests/migrations/test_migrations.py",), {"REGIE_MIGRATION_KILLS": "1000"}),
    Stage("fsck", ("tests/consentlog/test_fsck.py",), {"REGIE_FSCK_FLIPS": "10000"}),
    Stage("parsers", ("tests/protocol/test_every_parser.py",), {"REGIE_SPOILED": "1000"}),
    Stage("answers", ("tests/wallet/test_spoiled_answers.py",), {"REGIE_SPOILED_ANSWERS": "500"}),
    Stage("accusations", ("tests/auditor/test_fraud_proofs.py",), {"REGIE_ACCUSATIONS": "20000"}),
    Stage("lies", ("tests/town/test_lies.py",), {}),
    Stage("everybody", ("tests/town/test_everybody.py",), {}),
    Stage("alarm", ("tests/verifier/alarm/test_score.py",), {}),
    Stage("openapi", ("tests/openapi/test_answers.py",), {"REGIE_OPENAPI_EXAMPLES": "1000"}),
)


def commit() -> str:
    """The checkout that is tested."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run(stage: Stage) -> dict[str, Any]:
    """One stage as pytest counts it, with the figures that its tests recorded."""
    with TemporaryDirectory() as folder:
        report, figures = Path(folder) / "report.xml", Path(folder) / "figures.json"
        environment = {**os.environ, **stage.settings, "REGIE_CAMPAIGN": "1", FIGURES: str(figures)}
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-o", "timeout=0", f"--junitxml={report}"]
        start = time.monotonic()
        status = subprocess.run([*command, *stage.tests], cwd=ROOT, env=environment, check=False).returncode
        measured = json.loads(figures.read_text()) if figures.exists() else {}
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    return {
        "passed": status == 0,
        "settings": stage.settings,
        "seconds": round(time.monotonic() - start),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        **counts,
        **({"figures": measured} if measured else {}),
    }


def main() -> None:
    """All stages, or those named on the command line. Ends with 1 when one failed."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    wanted = sys.argv[1:] or [stage.name for stage in STAGES]
    for stage in STAGES:
        done = results.get(stage.name, {})
        if stage.name not in wanted or (done.get("passed") and done.get("commit") == commit()):
            continue
        print(f"{stage.name}: {stage.settings}", flush=True)
        results[stage.name] = run(stage)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    sys.exit(any(not results[name]["passed"] for name in wanted))


if __name__ == "__main__":
    main()
