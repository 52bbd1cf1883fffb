"""A small town's log on a real socket, and peers in processes of their own."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import NOW

SOON = 60.0
"""Seconds of real time within which a program starts on a busy machine."""
ROOT = Path(__file__).resolve().parents[2]
MODULES = Path("/usr/share/gocode")
"""Where Debian keeps Go's libraries (golang-golang-x-mod-dev)."""
Spoil = Callable[[str, bytes], bytes]
"""`spoil(path, body)`: what is answered in place of `body`."""


@contextmanager
def on_a_socket(town: SmallTown, spoil: Spoil = lambda path, body: body) -> Iterator[str]:
    """The URL of the town's log, whose answers go through `spoil`."""
    server = make_server("127.0.0.1", 0, _Spoiling(town, spoil), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(SOON)
        server.server_close()


class _Spoiling:
    """WSGI around the town's app."""

    def __init__(self, town: SmallTown, spoil: Spoil) -> None:
        self._town = town
        self._spoil = spoil

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert self._town.app is not None
        environ.pop("HTTP_ACCEPT_ENCODING", None)  # what is spoiled is not compressed
        kept: list[Any] = []
        body = b"".join(
            self._town.app.wsgi_app(environ, lambda status, headers, *_: kept.append((status, headers)))
        )
        status, headers = kept[-1]
        spoiled = self._spoil(environ["PATH_INFO"].lstrip("/"), body)
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(spoiled)))])
        return [spoiled]


def fill(town: SmallTown, leaves: int) -> None:
    """Grants from many hands until the log has so many leaves."""
    assert town.node is not None
    with ThreadPoolExecutor(16) as hands:
        while town.node.tree.size < leaves:
            for done in [hands.submit(town.grant) for _ in range(16)]:
                done.result()
    town.settle()


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peer(module: str, *arguments: str, now: int = NOW, **options: Any) -> subprocess.CompletedProcess[str]:
    """A peer's command line program, run to its end at the town's time."""
    return subprocess.run(
        _command(module, now, arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        **options,
    )


@contextmanager
def running_peer(module: str, *arguments: str, port: int) -> Iterator[None]:
    """A peer's server at the town's time, until it listens and then until the block ends."""
    process = subprocess.Popen(_command(module, NOW, arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + SOON
        while time.monotonic() < end and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{module} did not start: {process.stderr.read() if process.stderr else ''}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=SOON)


def _command(module: str, now: int, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "tests.interop.launch", str(now - time.time()), module, *arguments]


def go() -> str | None:
    """Debian's Go, whose library is built already, else the one on the path."""
    debian = Path("/usr/lib/go/bin/go")
    return str(debian) if debian.exists() else shutil.which("go")


def build_reader(folder: Path) -> Path:
    """The program in tests/interop/go, built with nothing but what Debian packages."""
    program = folder / "readlog"
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GO")},
        "GO111MODULE": "off",
        "GOPATH": str(MODULES),
        "GOTOOLCHAIN": "local",
    }
    if "HOME" not in settings:
        settings["GOCACHE"] = str(folder / "cache")
    found = go()
    assert found is not None
    done = subprocess.run(
        [found, "build", "-o", str(program), str(ROOT / "tests" / "interop" / "go" / "readlog.go")],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program
