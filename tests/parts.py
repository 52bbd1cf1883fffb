"""`python -m tests.parts`: install what the tests need beside Python packages, where that may be done.

Debian's packages as root with apt-get; Patroni into an environment of its own (see `tests.ha.programs`); npm's
beside their lock files (see `tests.npm`). Nothing that is there already is touched, and no server that a package
brings along is started. What cannot be installed is said in one line; the tests that need it are skipped then,
which CI counts as a failure.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import npm
from tests.faces import chromium
from tests.ha import programs
from tests.ha.programs import NotInstalled

_MODULES = Path("/usr/share/gocode/src/golang.org/x/mod")
_POLICY = Path("/usr/sbin/policy-rc.d")
_NO_SERVICE = "#!/bin/sh\nexit 101\n"


def missing_packages() -> list[str]:
    """Debian's names of what is not here."""
    user = programs.database_user()
    found = {
        "postgresql": programs.postgresql("initdb"),
        "etcd-server": programs.etcd(),
        "golang-go": shutil.which("go"),
        "golang-golang-x-mod-dev": _MODULES.exists() or None,
        "chromium": chromium.program(),
        "poppler-utils": chromium.paper(),
        "python3": user is None or programs.patroni() or programs.python_for(user),
    }
    return [name for name, part in found.items() if part is None]


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Within the block Debian's packages start no server: invoke-rc.d asks this file, and 101 is a no."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text(_NO_SERVICE)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


def install(packages: list[str]) -> str:
    """Have apt-get install them; its last words when it fails, else nothing."""
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = ""
    with no_service_starts():
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "-q", *command], env=settings, capture_output=True, text=True, check=False
            )
            words = "" if done.returncode == 0 else done.stderr.strip()[-300:]
    return words


def main() -> None:
    """Install what is missing and may be installed; say the rest."""
    if not missing_packages() and programs.patroni() and not npm.missing():
        return
    with (Path(tempfile.gettempdir()) / f"regie-parts-{os.geteuid()}").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        wanted, words = missing_packages(), ""
        if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
            print(f"Installing for the tests: {', '.join(wanted)}", flush=True)
            words = install(wanted)
            wanted = missing_packages()
        if wanted:
            print(f"Not installed: {', '.join(wanted)}; the tests that need them are skipped. {words}".rstrip())
        try:
            if programs.patroni() is None:
                programs.install_patroni()
        except NotInstalled as error:
            print(f"Not installed: Patroni; the tests of a cluster are skipped. {error}")
        for folder in npm.missing():
            try:
                npm.install(folder)
            except npm.NotInstalled as error:
                print(f"Not installed: npm packages of {folder.name}; its tests are skipped. {error}")


if __name__ == "__main__":
    main()
