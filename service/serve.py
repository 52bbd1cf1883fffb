"""Run a role's web app: granian, one worker process, many threads behind one event loop (see `edge`).

The main process only watches; the worker answers. Who kills the main process kills the worker with it (the kernel
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
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from pathlib import Path

import urllib3
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from protocol.errors import RegieError, Rejected, Unavailable
from service.edge import Edge, RsgiApp, WsgiApp
from service.home import Home
from service.journal import log_event
from service.metrics import METRICS, VARIABLE, serve_metrics

THREADS = 64
STOP_SECONDS = 10
SWITCH_SECONDS = 0.0005
MAX_CLIENTS = 8192
"""Requests under way at once, most of them slow; beyond it new ones wait."""
SPARE_FILES = 512
"""Beside the clients: databases, peers, logs."""
HEADER_SECONDS = 10
"""A client that has not sent its request's head by then is disconnected."""
_PR_SET_PDEATHSIG = 1


def serve(
    target: str, home: Path | str, host: str = "127.0.0.1", port: int = 0, *, threads: int = THREADS
) -> None:
    """Serve `module:function` (a `create(home: Path)` that returns a WSGI app) until SIGTERM or SIGINT.

    1. hold the home's lock `serve.lock`, so that one home has one server; 2. see that the port is free (0 takes a
    free one); 3. start the worker, which makes the app and prints `listening on http://HOST:PORT` on stdout once
    it answers `/healthz`; 4. wait for the end.
    Raises `Unavailable`: `in_use`, `port_in_use`, `worker_stopped`, and whatever `RegieError` `create` raised.
    """
    with Home(home).lock("serve.lock"):
        port = _free_port(host, port)
        heard, told = Pipe(duplex=False)
        server = Server(
            target,
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            workers=1,
            backpressure=MAX_CLIENTS,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
            websockets=False,
            workers_kill_timeout=STOP_SECONDS,
            log_enabled=False,
        )
        loader = partial(_load, target, str(home), host, port, threads, os.getpid(), told)
        try:
            server.serve(target_loader=loader, wrap_loader=False)
        except SystemExit as error:
            raise _failure(heard) from error


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


def _failure(heard: Connection) -> RegieError:
    if heard.poll():
        is_refusal, code, detail = heard.recv()
        return Rejected(code, detail) if is_refusal else Unavailable(code, detail)
    return Unavailable("worker_stopped", "the server's worker process stopped unexpectedly")


def _load(target: str, home: str, host: str, port: int, threads: int, parent: int, told: Connection) -> RsgiApp:
    """In the worker: tie it to its parent, make the app, announce it when it answers."""
    _die_with(parent)
    module, _, name = target.partition(":")
    try:
        app: WsgiApp = getattr(importlib.import_module(module), name)(Path(home))
        _serve_metrics(app)
    except RegieError as error:
        told.send((isinstance(error, Rejected), error.code, error.detail))
        sys.exit(1)
    threading.Thread(target=_announce, args=(host, port), daemon=True).start()
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


def _announce(host: str, port: int) -> None:
    """Print the address once the worker answers; any status is an answer."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    pool = urllib3.PoolManager(retries=False, timeout=2)
    while True:
        try:
            pool.request("GET", f"http://{authority}/healthz")
            break
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    print(f"listening on http://{authority}", flush=True)


def on_stop(callback: Callable[[], object]) -> None:
    """Call `callback` when the worker stops gracefully, after its last request: for threads of the role."""
    Finalize(None, callback, exitpriority=1)
