"""Three PostgreSQL nodes under Patroni with etcd, on loopback, in one folder; to be killed, frozen and restarted.

    with Cluster() as cluster:
        engine_for(cluster.url)
        leader = cluster.leader()
        cluster.freeze(leader)

Nothing outlives the block, an error, Ctrl-C or the end of the process: see `guard`.
"""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from examples.processes import free_ports
from tests.ha import guard, programs
from tests.ha.settings import REPLICATION, REWIND, SUPERUSER, Node, patroni_settings

USER = "regie"
_ANSWER_SECONDS = 2
_START_SECONDS = 90.0
_LAG_BYTES = 16 << 20
"""A standby that is no further behind is one that follows."""


class NotHealthy(Exception):
    """The cluster did not get where it should be in time; the text is the end of its logs."""


class Cluster:
    """Nodes are numbered from 1. Raises `NotInstalled`, `NotHealthy`."""

    def __init__(self, *, nodes: int = 3, etcd_members: int = 1) -> None:
        user = programs.database_user()
        missing = programs.missing()
        if missing or user is None:
            raise programs.NotInstalled(f"a cluster needs {', '.join(missing)}")
        self._user = user
        self._programs = {"patroni": programs.patroni(), "etcd": programs.etcd()}
        told = subprocess.run([self._programs["patroni"], "--version"], capture_output=True, text=True, check=True)
        programs.check_version(told.stdout)
        # Short, for the Unix sockets' sake, and not below pytest's folders, which are closed to the servers' user.
        self.folder = Path(tempfile.mkdtemp(prefix="regie-ha-"))
        ports = free_ports(2 * nodes + 2 * etcd_members)
        self.nodes = {
            n: Node(f"n{n}", self.folder / f"n{n}", ports.pop(), ports.pop()) for n in range(1, nodes + 1)
        }
        self._etcd = {f"e{n}": (ports.pop(), ports.pop()) for n in range(1, etcd_members + 1)}
        self._passwords = {name: secrets.token_urlsafe(18) for name in (SUPERUSER, REPLICATION, REWIND, USER)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What clients are told.

    @property
    def url(self) -> str:
        """The database's URL for clients (libpq's form): whichever node takes writes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes.values())
        return f"postgresql://{USER}:{self._passwords[USER]}@{hosts}/{USER}?target_session_attrs=read-write"

    def url_of(self, number: int) -> str:
        """One node alone, whatever it is."""
        return f"postgresql://{USER}:{self._passwords[USER]}@127.0.0.1:{self.nodes[number].port}/{USER}"

    # What is done to nodes.

    def kill(self, number: int) -> None:
        """SIGKILL to Patroni, PostgreSQL and its backends at once: the machine is lost."""
        self._signal("SIGKILL", self.nodes[number].name)
        self._processes[self.nodes[number].name].wait()

    def freeze(self, number: int) -> None:
        """SIGSTOP to all of it: the machine hangs."""
        self._signal("SIGSTOP", self.nodes[number].name)

    def thaw(self, number: int) -> None:
        """It goes on as if nothing had been."""
        self._signal("SIGCONT", self.nodes[number].name)

    def start(self, number: int) -> None:
        """Start a node that was killed or stopped."""
        node = self.nodes[number]
        self._spawn(node.name, [str(self._programs["patroni"]), str(node.folder / "patroni.json")])

    def stop_node(self, number: int) -> None:
        """End a node in order: Patroni stops PostgreSQL and gives up the lead."""
        process = self._processes[self.nodes[number].name]
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired as error:
            raise NotHealthy(f"node {number} did not end\n{self.logs()}") from error

    def restart_in_place(self, number: int) -> None:
        """Have Patroni restart PostgreSQL where it is."""
        node = self.nodes[number]
        request = urllib.request.Request(f"http://127.0.0.1:{node.rest_port}/restart", data=b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=60):
            pass

    def _signal(self, name: str, node: str) -> None:
        if self._guard is None or self._guard.stdin is None or self._guard.stdout is None:
            raise NotHealthy("the cluster does not run")
        self._guard.stdin.write(f"{name} {node}\n")
        self._guard.stdin.flush()
        if int(self._guard.stdout.readline()) == 0:
            raise NotHealthy(f"no process of {node} was there to be given a {name}\n{self.logs()}")

    # What is seen of them.

    def leader(self) -> int | None:
        """The node that says it leads and holds the lease; None while there is none."""
        for number, node in self.nodes.items():
            if self._rest(node, "primary") is not None:
                return number
        return None

    def is_healthy(self) -> bool:
        """One leader, everybody else following it in the same history, a synchronous standby among them."""
        for node in self.nodes.values():
            told = self._rest(node, "cluster")
            if told is not None:
                return self._is_healthy(told.get("members", []))
        return False

    def _is_healthy(self, members: list[dict[str, Any]]) -> bool:
        leaders = [member for member in members if member["role"] == "leader" and member["state"] == "running"]
        others = [member for member in members if member["role"] in ("replica", "sync_standby")]
        return (
            len(leaders) == 1
            and len(others) == len(self.nodes) - 1
            and len({member.get("timeline") for member in members}) == 1
            and all(member["state"] in ("running", "streaming") for member in others)
            and all(isinstance(member.get("lag"), int) and member["lag"] < _LAG_BYTES for member in others)
            and any(member["role"] == "sync_standby" for member in others)
        )

    def wait_healthy(self, seconds: float = 120.0) -> float:
        """How long it took. Raises `NotHealthy`."""
        return self._wait(self.is_healthy, seconds, "the cluster did not become healthy")

    def wait_leader(self, other_than: int | None = None, seconds: float = 120.0) -> int:
        """The leader, once there is one; another than before if so asked. Raises `NotHealthy`."""
        self._wait(lambda: self.leader() not in (None, other_than), seconds, "nobody took the lead")
        found = self.leader()
        return self.wait_leader(other_than, seconds) if found is None else found

    def logs(self) -> str:
        """The end of every log, for whoever looks into a failure."""
        paths = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in paths)

    @staticmethod
    def _rest(node: Node, path: str) -> Any:
        """The JSON that Patroni answers with status 200, else None."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{node.rest_port}/{path}", timeout=_ANSWER_SECONDS
            ) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError):  # urllib's errors are OSErrors
            return None

    def _wait(self, until: Callable[[], bool], seconds: float, words: str) -> float:
        began = time.monotonic()
        while not until():
            if time.monotonic() - began > seconds:
                raise NotHealthy(f"{words} within {seconds:.0f} s\n{self.logs()}")
            time.sleep(0.2)
        return time.monotonic() - began

    # Start and end.

    def _start(self) -> None:
        self._prepare()
        self._start_guard()
        for name in self._etcd:
            self._start_etcd(name)
        client = next(iter(self._etcd.values()))[0]
        self._wait(lambda: _is_well(f"http://127.0.0.1:{client}/health"), 30, "etcd did not start")
        # The first alone until it leads: the others then clone it at once.
        self.start(1)
        self._wait(lambda: self.leader() == 1, _START_SECONDS, "the first node did not take the lead")
        for number in list(self.nodes)[1:]:
            self.start(number)
        self.wait_healthy(_START_SECONDS)
        self._make_database()

    def _prepare(self) -> None:
        """Folders and settings, which only the servers' user may read: they hold passwords."""
        initdb = programs.postgresql("initdb")
        if initdb is None:
            raise programs.NotInstalled("no PostgreSQL server")
        hosts = [f"127.0.0.1:{client}" for client, _ in self._etcd.values()]
        for node in self.nodes.values():
            node.folder.mkdir(mode=0o700)
            settings = patroni_settings(
                node, scope=self.folder.name, etcd=hosts, programs=initdb.parent, passwords=self._passwords
            )
            path = node.folder / "patroni.json"
            path.touch(mode=0o600)
            path.write_text(json.dumps(settings))
        for name in self._etcd:
            (self.folder / name).mkdir(mode=0o700)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _start_guard(self) -> None:
        python = programs.python_for(self._user)
        source = Path(guard.__file__).read_text()
        self._guard = subprocess.Popen(
            [str(python), "-c", source, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=_SURROUNDINGS,
            start_new_session=True,
            **programs.as_user(self._user),
        )

    def _start_etcd(self, name: str) -> None:
        members = ",".join(f"{other}=http://127.0.0.1:{peer}" for other, (_, peer) in self._etcd.items())
        client, peer = (f"http://127.0.0.1:{port}" for port in self._etcd[name])
        settings = {
            "name": name,
            "data-dir": str(self.folder / name / "data"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": members,
            "initial-cluster-token": self.folder.name,
            "logger": "zap",
            "log-level": "warn",
        }
        options = [word for option, value in settings.items() for word in (f"--{option}", value)]
        self._spawn(name, [str(self._programs["etcd"]), *options])

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder / name,
                env=_SURROUNDINGS,
                start_new_session=True,
                **programs.as_user(self._user),
            )

    def _make_database(self) -> None:
        leader = self.nodes[self.wait_leader()]
        connection = psycopg.connect(
            host="127.0.0.1",
            port=leader.port,
            user=SUPERUSER,
            password=self._passwords[SUPERUSER],
            dbname="postgres",
            autocommit=True,
        )
        with connection:
            role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(role.format(sql.Identifier(USER), sql.Literal(self._passwords[USER])))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*[sql.Identifier(USER)] * 2))

    def stop(self) -> None:
        """End every process, and leave no file."""
        if self._guard is not None:
            self._guard.communicate()  # closes its input, which is its command to end all
        for process in self._processes.values():
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_SURROUNDINGS: Mapping[str, str] = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
"""Of every program: nothing of ours, above all no DATABASE_URL and no PG* of somebody's shell."""


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
            return b"true" in answer.read()
    except (urllib.error.URLError, OSError):
        return False
