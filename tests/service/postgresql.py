"""A PostgreSQL server of the tests' own, on a Unix socket in a folder of its own; only where it is installed."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
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
    """Started at once; `stop` it. `fsync`: whether commits reach the disk, as measurements need it.

    `disk`: an empty folder, on a file system of its own, for everything but the write-ahead log; `wal`: such a
    folder for the write-ahead log, in small files.
    """

    def __init__(self, *, fsync: bool = False, disk: Path | None = None, wal: Path | None = None) -> None:
        # Not below pytest's folders: they are closed to the other user whom root has to run the server as.
        self.folder = Path(tempfile.mkdtemp(prefix="regie-postgresql-"))
        self.data = (disk or self.folder) / "data"
        user = _user() if os.geteuid() == 0 else None
        self._as = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
        if user:
            for folder in (self.folder, *(folder for folder in (disk, wal) if folder)):
                os.chown(folder, user.pw_uid, user.pw_gid)
        settings = ("-U", "regie", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
        elsewhere = ("-X", str((wal or self.folder) / "wal")) if disk or wal else ()
        self._run("initdb", "-D", str(self.data), *settings, *elsewhere, *(("--wal-segsize=1",) if wal else ()))
        self._options = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        self._options += f" -c fsync={'on' if fsync else 'off'}"
        self.start()
        self.url = f"postgresql://regie@/postgres?host={self.folder}"

    def start(self) -> None:
        """Once more, after it ended by itself."""
        self._run(
            "pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "-o", self._options, "start"
        )

    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        try:
            self._run("pg_ctl", "-D", str(self.data), "status")
        except RuntimeError:
            return False
        return True

    def _run(self, name: str, *arguments: str) -> None:
        program = _program(name)
        assert program is not None
        # Its output goes to a file: the server would keep a pipe open for as long as it runs.
        with (self.folder / "out").open("ab") as out:
            done = subprocess.run([program, *arguments], stdout=out, stderr=out, cwd="/", check=False, **self._as)
        if done.returncode:
            texts = [path.read_text() for path in (Path(out.name), self.folder / "log") if path.exists()]
            raise RuntimeError(f"{name} failed\n" + "\n".join(text[-2000:] for text in texts))

    def database(self, name: str, like: str = "template0") -> str:
        """The URL of a new database, empty or a copy of one that nobody uses now."""
        self._run("createdb", "-h", str(self.folder), "-U", "regie", "-T", like, name)
        return f"postgresql://regie@/{name}?host={self.folder}"

    def _set(self, setting: str) -> None:
        (self.data / "postgresql.auto.conf").write_text(setting)
        self._run("pg_ctl", "-D", str(self.data), "reload")
        time.sleep(0.6)  # a signal: its processes take it up one after the other

    @contextlib.contextmanager
    def waiting_for_a_standby(self) -> Iterator[None]:
        """Within the block every commit waits for a standby that does not exist."""
        self._set("synchronous_standby_names = 'nobody'\n")
        try:
            yield
        finally:
            self._set("")

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Within the block the server takes no writes, as a leader that has been replaced."""
        self._set("default_transaction_read_only = on\n")
        try:
            yield
        finally:
            self._set("")

    def stop(self) -> None:
        """At once, and leave nothing."""
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")
        shutil.rmtree(self.folder)
