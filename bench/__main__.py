"""`make bench`: run every measurement and write docs/results/bench.json."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import append, light_check, reads, replay, revocation, serving, start, verify

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results" / "bench.json"
PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "verify": verify.measure,
    "light_check": light_check.measure,
    "reads": reads.measure,
    "revocation": revocation.measure,
    "append": append.measure,
    "replay": replay.measure,
    "serving": serving.measure,
    "start": start.measure,
}


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: version(name) for name in ("cryptography", "PyNaCl", "granian", "sd-jwt")},
    }


def main() -> None:
    """All parts, or those named on the command line; the others keep their last figures."""
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in wanted:
        print(f"measuring {name} ...", flush=True)
        results[name] = PARTS[name]()
        print(json.dumps(results[name], indent=2), flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({**results, "machine": machine()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
