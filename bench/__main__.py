"""`make bench`: run the measurements and write docs/results/bench.json, and what docs/scale.md says of it.

`make bench ARGS=scale` grows logs up to 10^7 leaves; it runs only when it is named, since it takes an hour.
`make bench ARGS=document` measures nothing and renews the tables of docs/scale.md.
"""

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

from bench import (
    append,
    batch,
    exchange,
    light_check,
    reads,
    replay,
    revocation,
    scale,
    scale_tables,
    serving,
    start,
    verify,
    workers,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = DOCS / "results" / "bench.json"
SCALE = DOCS / "scale.md"
PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "verify": verify.measure,
    "exchange": exchange.measure,
    "light_check": light_check.measure,
    "reads": reads.measure,
    "batch": batch.measure,
    "revocation": revocation.measure,
    "workers": workers.measure,
    "append": append.measure,
    "replay": replay.measure,
    "serving": serving.measure,
    "start": start.measure,
    "scale": scale.measure,
}
ONLY_WHEN_NAMED = ("scale",)
DOCUMENT = "document"


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
    """All parts but the long one, or those named on the command line; the others keep their last figures."""
    wanted = sys.argv[1:] or [name for name in PARTS if name not in ONLY_WHEN_NAMED]
    unknown = [name for name in wanted if name not in (*PARTS, DOCUMENT)]
    if unknown:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join((*PARTS, DOCUMENT))}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    measured = [name for name in wanted if name != DOCUMENT]
    for name in measured:
        print(f"measuring {name} ...", flush=True)
        results[name] = PARTS[name]()
        print(json.dumps(results[name], indent=2), flush=True)
    if measured:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps({**results, "machine": machine()}, indent=2) + "\n")
    if all(part in results for part in ("reads", "replay", "scale")):
        SCALE.write_text(scale_tables.renewed(SCALE.read_text(), results))


if __name__ == "__main__":
    main()
