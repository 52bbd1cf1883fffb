"""The programs a cluster is made of, and the user they run as. PostgreSQL refuses to run as root.

PostgreSQL and etcd are Debian's. Patroni is pinned in `requirements/ha.txt` and lies in a virtual environment of
its own, outside the checkout: one below /root cannot be read by the user that root runs the servers as.
"""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "ha.txt"
OLDEST_PATRONI = (3, 0, 3)
"""Up to 3.0.2 a leader that slept for longer than its lease takes it back from its successor in etcd v3, and what
the successor acknowledged is lost (patroni/patroni#2689)."""
_VENVS = Path("/var/tmp")


class NotInstalled(Exception):
    """A part is missing, or too old to be trusted."""


def postgresql(name: str) -> Path | None:
    """A program of the newest PostgreSQL server here; PG_BIN comes first. Debian keeps them out of PATH."""
    folders = [
        os.environ.get("PG_BIN", ""),
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
    ]
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))
    return Path(found) if found else None


def etcd() -> Path | None:
    """The key-value store that says who leads."""
    found = shutil.which("etcd")
    return Path(found) if found else None


def database_user() -> pwd.struct_passwd | None:
    """Who runs the servers: we, or somebody else if we are root. None: root, and there is nobody."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def as_user(user: pwd.struct_passwd) -> dict[str, Any]:
    """Arguments for `subprocess` that start a program as `user`."""
    if os.geteuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def python_for(user: pwd.struct_passwd) -> Path | None:
    """A Python that `user` may run: ours, or the system's when ours lies where only we may read."""
    ours = getattr(sys, "_base_executable", sys.executable)
    for candidate in (ours, "/usr/bin/python3"):
        if Path(candidate).exists() and _runs([candidate, "-c", "import ctypes, ssl, venv"], user):
            return Path(candidate)
    return None


def _runs(command: Sequence[str], user: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            command,
            cwd="/",
            env={"PATH": os.defpath},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **as_user(user),
        )
    except PermissionError:
        return False
    return done.returncode == 0


def patroni_folder() -> Path:
    """The virtual environment of these pins, for this user; it need not exist."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    return _VENVS / f"regie-patroni-{os.geteuid()}-{digest}"


def patroni() -> Path | None:
    """Patroni's program, if its environment is complete and nobody else can have made or changed it."""
    folder = patroni_folder()
    marker = folder / "complete"
    if not marker.exists():
        return None
    status = folder.stat()
    is_ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
    return folder / "bin" / "patroni" if is_ours else None


def install_patroni() -> None:
    """Make its environment. Raises `NotInstalled` when there is no user, no Python for it, or pip fails."""
    user = database_user()
    python = python_for(user) if user else None
    if user is None or python is None:
        raise NotInstalled("root needs a user `postgres` to run servers as, and a Python which that user may run")
    folder = patroni_folder()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise NotInstalled(f"{folder} belongs to somebody else") from error
    folder.chmod(0o755)
    _step([str(python), "-m", "venv", "--without-pip", str(folder)])
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q"]
    _step([*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)])
    (folder / "complete").touch()


def _step(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, umask=0o022, check=False)
    if done.returncode:
        raise NotInstalled(f"{command[0]} {command[2]} failed: {done.stderr.strip()[-500:]}")


def check_version(told: str) -> None:
    """`patroni X.Y.Z` as it tells it. Raises `NotInstalled` for one that loses acknowledged commits."""
    found = re.fullmatch(r"patroni (\d+)\.(\d+)\.(\d+)", told.strip())
    if found is None or tuple(map(int, found.groups())) < OLDEST_PATRONI:
        raise NotInstalled(
            f"{told.strip() or 'an unknown Patroni'} is older than 3.0.3: it loses acknowledged commits"
        )


def missing() -> list[str]:
    """What a cluster would need and is not here, in words."""
    parts = {
        "postgresql": postgresql("initdb"),
        "etcd-server": etcd(),
        "patroni": patroni(),
        "psycopg": find_spec("psycopg"),
        "a user for the servers": database_user(),
    }
    return [name for name, found in parts.items() if found is None]
