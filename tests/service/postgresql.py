"""A PostgreSQL server of the test's own, on a Unix socket in the test's folder; only where it is installed."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_FOLDERS = [
    os.environ.get("PG_BIN", ""),
    *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
]


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*_FOLDERS, os.environ.get("PATH", "")]))


def is_installed() -> bool:
    """Server programs and driver; root needs somebody else to run the server as."""
    if not (_program("initdb") and _program("pg_ctl") and find_spec("psycopg")):
        return False
    return os.geteuid() != 0 or _user() is not None


def _user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


class PostgreSQL:
    """Started at once; `stop` it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        user = _user() if os.geteuid() == 0 else None
        self._as = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
        if user:
            for parent in (folder, folder.parent, folder.parent.parent):
                parent.chmod(0o755)
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "regie", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        self.url = f"postgresql://regie@/postgres?host={folder}"

    def _run(self, name: str, *arguments: str) -> None:
        program = _program(name)
        assert program is not None
        # Its output goes to a file: the server would keep a pipe open for as long as it runs.
        with (self.folder.parent / f"{self.folder.name}.out").open("ab") as out:
            subprocess.run([program, *arguments], check=True, stdout=out, stderr=out, cwd="/", **self._as)

    def _set(self, setting: str) -> None:
        (self.data / "postgresql.auto.conf").write_text(setting)
        self._run("pg_ctl", "-D", str(self.data), "reload")

    @contextlib.contextmanager
    def waiting_for_a_standby(self) -> Iterator[None]:
        """Within the block every commit waits for a standby that does not exist."""
        self._set("synchronous_standby_names = 'nobody'\n")
        try:
            yield
        finally:
            self._set("")

    def stop(self) -> None:
        """At once."""
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")
