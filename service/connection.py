"""Connections of the fetcher: to a checked address, with a deadline on every read.

urllib3's own timeout starts anew at each read, so a peer that sends a byte now and then could hold a thread for
ever. Here each read takes what is left of the request's time.
"""

import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from protocol.errors import Unavailable
from service.address import Resolver, Target, resolve

CONNECT_SECONDS = 3.0
MAX_POOLS = 64
"""Peers whose connections are kept; the one used longest ago is closed first."""
CONNECTIONS_KEPT = 16
"""Idle connections kept for one peer."""
_deadline: ContextVar[float] = ContextVar("deadline")


@contextmanager
def deadline(at: float) -> Iterator[None]:
    """Every read within the block ends before the monotonic time `at`."""
    token = _deadline.set(at)
    try:
        yield
    finally:
        _deadline.reset(token)


def _time_left() -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time of this request is over")
    return left


class _Socket(socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_time_left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(_time_left())
        super().sendall(*args, **kwargs)


class _TlsSocket(ssl.SSLSocket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_time_left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(_time_left())
        super().sendall(*args, **kwargs)


class Gate:
    """Opens TCP connections for a target, to addresses that were checked."""

    _threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolver")

    def __init__(self, target: Target, resolver: Resolver) -> None:
        self.target = target
        self.resolver = resolver

    def connect(self) -> socket.socket:
        """The first address that answers in time. Raises `Rejected`, `Unavailable`, OSError."""
        try:
            # The system's resolver has no timeout of its own that we could set.
            addresses = self._threads.submit(resolve, self.target, self.resolver).result(
                min(CONNECT_SECONDS, _time_left())
            )
        except FutureTimeout as error:
            raise Unavailable("unreachable", f"{self.target.host} was not resolved in time") from error
        until = time.monotonic() + CONNECT_SECONDS
        failure: OSError = TimeoutError("not connected in time")
        for address in addresses:
            left = min(until - time.monotonic(), _time_left())
            if left <= 0:
                break
            try:
                return self._open(address, left)
            except OSError as error:
                failure = error
        raise failure

    def _open(self, address: str, seconds: float) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = _Socket(family, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(seconds)
            connection.connect((address, self.target.port))
            connection.settimeout(_time_left())  # of the TLS handshake
        except BaseException:
            connection.close()
            raise
        return connection


class _PlainConnection(HTTPConnection):
    def __init__(self, *args: Any, gate: Gate, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = gate

    def _new_conn(self) -> socket.socket:
        return self.gate.connect()


class _TlsConnection(HTTPSConnection):
    def __init__(self, *args: Any, gate: Gate, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = gate

    def _new_conn(self) -> socket.socket:
        return self.gate.connect()


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class ConnectionPools:
    """A bounded set of connection pools, one for each scheme, host and port."""

    def __init__(self, resolver: Resolver, ca_file: str | None) -> None:
        self._resolver = resolver
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._pools: OrderedDict[tuple[str, str, int], urllib3.HTTPConnectionPool] = OrderedDict()

    def pool(self, target: Target) -> urllib3.HTTPConnectionPool:
        """The pool of the target's host."""
        key = (target.scheme, target.host, target.port)
        with self._lock:
            pool = self._pools.pop(key, None) or self._make(target)
            self._pools[key] = pool
            if len(self._pools) > MAX_POOLS:
                self._pools.popitem(last=False)[1].close()
        return pool

    def _make(self, target: Target) -> urllib3.HTTPConnectionPool:
        gate = Gate(target, self._resolver)
        if target.scheme == "http":
            return _PlainPool(target.host, target.port, maxsize=CONNECTIONS_KEPT, gate=gate)
        return _TlsPool(
            target.host,
            target.port,
            maxsize=CONNECTIONS_KEPT,
            cert_reqs="CERT_REQUIRED",
            ssl_context=self._tls(),
            gate=gate,
        )

    def _tls(self) -> ssl.SSLContext:
        """The system's authorities, and those of `ca_file`; made once, since reading them takes milliseconds."""
        if self._context is None:
            self._context = ssl.create_default_context()
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._context.sslsocket_class = _TlsSocket
            if self._ca_file:
                self._context.load_verify_locations(self._ca_file)
        return self._context
