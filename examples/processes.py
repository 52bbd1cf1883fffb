"""Running `regie` commands and servers as separate processes, and making sure that nothing outlives the story."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REGIE = Path(sys.executable).with_name("regie")
START_SECONDS = 120
"""Two cores may be shared by many processes: only what never answers is given up."""
STOP_SECONDS = 30


class CommandFailed(Exception):
    """A command ended with another exit status than the story expects; the text is what it said."""


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status, its JSON answer (empty if none) and its words."""

    status: int
    answer: dict[str, Any]
    words: str

    @property
    def code(self) -> str:
        """The stable code of a refusal, or an empty string."""
        return str(self.answer.get("error", {}).get("code", ""))


def environment(home: Path) -> dict[str, str]:
    """The surroundings of every command: its home, and plain HTTP on the loopback address only."""
    return {**os.environ, **surroundings(home), "PYTHONUNBUFFERED": "1"}


def surroundings(home: Path) -> dict[str, str]:
    """What of it is Regie's own."""
    return {"REGIE_HOME": str(home), "REGIE_LOOPBACK": "1"}


def run(home: Path, *arguments: str, stdin: str = "", expect: int | None = 0) -> Outcome:
    """`regie ARGUMENTS --json` in `home`. Raises `CommandFailed` unless it ends with `expect` (None: any)."""
    done = subprocess.run(
        [str(REGIE), *arguments, "--json"],
        env=environment(home),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return checked(arguments, done.returncode, done.stdout, done.stderr, expect)


def checked(arguments: Sequence[str], status: int, told: str, complained: str, expect: int | None) -> Outcome:
    """What a command that has ended left. Raises `CommandFailed` unless its status is `expect` (None: any)."""
    if expect is not None and status != expect:
        called = " ".join(arguments[:2])
        raise CommandFailed(f"regie {called}: status {status}, not {expect}:\n{told}{complained}")
    lines = [line for line in told.splitlines() if line.startswith("{")]
    return Outcome(status, json.loads(lines[-1]) if lines else {}, told + complained)


@dataclass
class Server:
    """A `regie ... serve`, or another `program`, in a process group of its own, with its output in a file."""

    name: str
    home: Path
    arguments: tuple[str, ...]
    url: str
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)
    extra: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (str(REGIE),)

    def start(self) -> None:
        """Start it and wait until it answers. Raises `CommandFailed` when it does not."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*self.program, *self.arguments],
                env={**environment(self.home), **self.extra},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers. Raises `CommandFailed` when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while not is_answering(self.url):
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise CommandFailed(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and insist after `STOP_SECONDS`."""
        stop_all([self])

    def kill(self) -> None:
        """SIGKILL the whole group, and see that nothing listens any more. Raises `CommandFailed` if it does."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        deadline = time.monotonic() + STOP_SECONDS
        while not is_port_dead(self.url):
            if time.monotonic() > deadline:
                raise CommandFailed(f"{self.name} still answers though its process group was killed")
            time.sleep(0.01)


def stop_all(servers: Iterable[Server]) -> None:
    """Ask all to end, side by side, and insist after `STOP_SECONDS`."""
    asked = [(server, server.process) for server in servers if server.process is not None]
    for _, process in asked:
        process.terminate()
    for server, process in asked:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        server.kill()


def is_answering(url: str, path: str = "/healthz") -> bool:
    """Whether `path` at `url` is answered with 200: `/healthz` says that a server is well."""
    try:
        with urllib.request.urlopen(f"{url}{path}", timeout=2) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def fetch_json(url: str) -> Any:
    """The JSON answer of a neighbour on this machine."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


def is_port_dead(url: str) -> bool:
    """Whether nothing at all accepts connections at `url`."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) != 0


def free_ports(count: int) -> list[int]:
    """Ports nobody uses now; all are held open together, so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
