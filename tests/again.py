"""Once more, alone, the files in which tests have just failed: what passes now is unsteady, and is named.

Ten thousand tests start hundreds of real servers on two cores, and now and then one of them loses a race that has
nothing to do with the change. That must be seen, and must not be taken for a fault of the change: see
docs/decisions/0015-unsteady.md. A test that fails twice has failed, and more than a handful is no accident.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
MAX_FAILED = 3


def main() -> int:
    failed = sorted(json.loads(LAST_FAILED.read_text())) if LAST_FAILED.exists() else []
    if not 0 < len(failed) <= MAX_FAILED:
        print(f"{len(failed)} tests failed: nothing is tried again")
        return 1
    files = sorted({node.partition("::")[0] for node in failed})
    print("once more, alone: " + " ".join(files), flush=True)
    done = subprocess.run([sys.executable, "-m", "pytest", *files], cwd=ROOT, check=False)
    for node in failed:
        print(f"{'failed twice' if done.returncode else 'UNSTEADY, passes alone'}: {node}")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
