"""Run a role's web app: granian, one worker process, many threads behind one event loop (see `edge`).

The main process only watches; the worker answers. A role that allows it may have several workers behind one port:
one of them that dies is replaced. Who kills the main process kills the workers with it (the kernel
does so on Linux, a watching thread elsewhere), so no orphan keeps answering. SIGTERM and SIGINT end it gracefully:
requests under way are finished, at most for `STOP_SECONDS`. Start it in a process group of its own
(`start_new_session=True`) to be able to kill all of it at once.
"""

import ctypes
import importlib
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import urllib3
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server import Server

from protocol.errors import RegieError, Rejected, Unavailable
from service.edge import Edge, RsgiApp, WsgiApp
from service.home import Home
from service.journal import log_event
from service.metrics import METRICS, VARIABLE, serve_metrics
from service.tls import Tls

THREADS = 64
STOP_SECONDS = 10
SWITCH_SECONDS = 0.0005
MAX_CLIENTS = 8192
"""Requests under way at once, most of them slow; beyond it new ones wait."""
SPARE_FILES = 512
"""Beside the clients: databases, peers, logs."""
HEADER_SECONDS = 10
"""A client that has not sent its request's head by then is disconnected."""
SERVE_LOCK = "serve.lock"
_PR_SET_PDEATHSIG = 1
_READY, _END = "ready", "end"


def serve(
    target: str,
    home: Path | str,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    threads: int = THREADS,
    workers: int = 1,
    tls: Tls | None = None,
    ready: Callable[[], object] | None = None,
) -> None:
    """Serve `module:function` (a `create(home: Path)` that returns a WSGI app) until SIGTERM or SIGINT.

    1. hold the home's lock `SERVE_LOCK`, so that one home has one server; 2. see that the port is free (0 takes a
    free one); 3. start the workers, each of which makes the app; 4. print `listening on http://HOST:PORT` on
    stdout once all have it and `/healthz` is answered (`https://` with `tls`), then call `ready`; 5. wait for the
    end.
    Raises `Unavailable`: `in_use`, `port_in_use`, `worker_stopped`, and whatever `RegieError` `create` raised.
    """
    with Home(home).lock(SERVE_LOCK):
        port = _free_port(host, port)
        heard, told = Pipe(duplex=False)
        server = Server(
            target,
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            workers=workers,
            backpressure=MAX_CLIENTS,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
            websockets=False,
            workers_kill_timeout=STOP_SECONDS,
            log_enabled=False,
            ssl_cert=tls.certificate if tls else None,
            ssl_key=tls.key if tls else None,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        loader = partial(_load, target, str(home), threads, os.getpid(), told)
        start = _Start(heard, server, _origin(host, port, tls), workers, ready)
        start.start()
        try:
            server.serve(target_loader=loader, wrap_loader=False)
        except SystemExit as error:
            raise start.failure_after(told) from error
        start.failure_after(told)


def _free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises `Unavailable`: `port_in_use`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Without SO_REUSEPORT, which granian sets: two servers would share the port, each with half the requests.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable("port_in_use", f"cannot listen on {host}:{port}: {error.strerror}") from error
        return int(probe.getsockname()[1])


class _Start(threading.Thread):
    """In the main process: hears which worker has made its app and which could not, and why."""

    def __init__(
        self, heard: Connection, server: Any, origin: str, workers: int, ready: Callable[[], object] | None
    ) -> None:
        super().__init__(name="start", daemon=True)
        self._failure: RegieError = Unavailable("worker_stopped", "a worker process stopped unexpectedly")
        self._heard = heard
        self._server = server
        self._origin = origin
        self._workers = workers
        self._ready = ready

    def run(self) -> None:
        """Until there is nothing more to hear."""
        missing = self._workers
        while (message := self._heard.recv()) != _END:
            if message != _READY:
                is_refusal, code, detail = message
                self._failure = Rejected(code, detail) if is_refusal else Unavailable(code, detail)
                continue
            missing -= 1
            if missing == 0:
                # A worker that is lost from now on is replaced; one that fails before is a server that fails.
                self._server.respawn_failed_workers = self._workers > 1
                threading.Thread(target=_announce, args=(self._origin, self._ready), daemon=True).start()

    def failure_after(self, told: Connection) -> RegieError:
        """Once the server has ended: why a worker could not be made, if one could not."""
        told.send(_END)
        self.join()
        return self._failure


def _load(target: str, home: str, threads: int, parent: int, told: Connection) -> RsgiApp:
    """In a worker: tie it to its parent, make the app, tell so."""
    _die_with(parent)
    module, _, name = target.partition(":")
    try:
        app: WsgiApp = getattr(importlib.import_module(module), name)(Path(home))
        _serve_metrics(app)
    except RegieError as error:
        told.send((isinstance(error, Rejected), error.code, error.detail))
        sys.exit(1)
    told.send(_READY)
    # The event loop takes turns with busy threads: at the default of 5 ms each of its steps could wait that long.
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_open_files(MAX_CLIENTS + SPARE_FILES)
    return Edge(app, threads=threads).handle


def _serve_metrics(app: WsgiApp) -> None:
    """Where REGIE_METRICS says; nowhere when it says nothing."""
    place, metrics = os.environ.get(VARIABLE, ""), getattr(app, "extensions", {}).get(METRICS)
    if place and metrics is not None:
        log_event("service", "metrics", port=serve_metrics(metrics, place))


def _allow_open_files(wanted: int) -> None:
    """Raise the soft limit, which is 1024 on most systems: each client is one open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < best:
        resource.setrlimit(resource.RLIMIT_NOFILE, (best, hard))


def _die_with(parent: int) -> None:
    """Have this process killed when `parent` dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _origin(host: str, port: int, tls: Tls | None) -> str:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{'https' if tls else 'http'}://{authority}"


def _announce(origin: str, ready: Callable[[], object] | None) -> None:
    """Print the address once the worker answers, and go on with `ready`; any status is an answer."""
    # Whose certificate it is does not matter: it is our own port, and nothing is sent there.
    pool = urllib3.PoolManager(retries=False, timeout=2, cert_reqs="CERT_NONE", assert_hostname=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        while True:
            try:
                pool.request("GET", f"{origin}/healthz")
                break
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
    print(f"listening on {origin}", flush=True)
    if ready is not None:
        ready()


def on_stop(callback: Callable[[], object]) -> None:
    """Call `callback` when the worker stops gracefully, after its last request: for threads of the role."""
    Finalize(None, callback, exitpriority=1)
