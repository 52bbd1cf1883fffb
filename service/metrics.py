"""What a monitoring system may know of a role: counts, sizes and times; never a person, an id, a path or a slot.

Each served process answers `GET /metrics` (Prometheus text) on a port of its own, which REGIE_METRICS names:
`127.0.0.1:9464`. Loopback only, and never on the public port: the figures tell how busy an agency is, and must be
readable when every thread of the role is taken. Several workers of one role take the ports from there on, one
each, so that every series has one process behind it.

    metrics = Metrics("consentlog")                    # one for a process; `make_app` makes it when it gets none
    size = Gauge("regie_log_leaves", "Committed leaves.", registry=metrics.registry)
"""

import errno
import ipaddress
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import start_wsgi_server

from protocol.errors import Rejected, Unavailable

METRICS: Final = "regie.metrics"
"""Key in a Flask app's `extensions`."""
VARIABLE = "REGIE_METRICS"
MAX_WORKERS = 32
"""Ports that are tried, one for each worker of a role."""
disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which says only when the process was started
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The registry of a process, and what every role counts: requests by route template, method and status."""

    def __init__(self, room: str) -> None:
        self.registry = CollectorRegistry()
        labels = ("room", "method", "route")
        self._room = room
        self._requests = Counter(
            "regie_requests", "Requests that were answered.", (*labels, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "regie_request_seconds",
            "From the end of a request to its answer.",
            labels,
            buckets=SECONDS,
            registry=self.registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request. `method` and `route` MUST be of a bounded set: the template, never the path."""
        self._requests.labels(self._room, method, route, str(status)).inc()
        self._seconds.labels(self._room, method, route).observe(seconds)


def serve_metrics(metrics: Metrics, place: str) -> int:
    """Answer `GET /metrics` from a thread of this process; the port.

    `place`: `HOST:PORT` with a loopback address, `[::1]:9464`; port 0 takes a free one. The first free port of
    `MAX_WORKERS` from there on. Raises `Rejected`: `bad_metrics`; `Unavailable`: `port_in_use`.
    """
    host, port = _parse(place)
    for number in range(port, min(port + MAX_WORKERS, 1 << 16) if port else 1):
        try:
            server, _ = start_wsgi_server(number, host, metrics.registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Unavailable("io", f"cannot serve metrics: {error.strerror}") from error
            continue
        return int(server.server_port)
    raise Unavailable("port_in_use", "no port is free for metrics")


def _parse(place: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise Rejected("bad_metrics", f"{VARIABLE} is ADDRESS:PORT") from error
    if not colon or not port.isascii() or not port.isdigit() or int(port) >= 1 << 16:
        raise Rejected("bad_metrics", f"{VARIABLE} is ADDRESS:PORT")
    if not address.is_loopback:
        raise Rejected("bad_metrics", "metrics are served on a loopback address only")
    return str(address), int(port)
