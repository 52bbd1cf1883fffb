"""What a monitoring system may know: counts by route, on a loopback port of each process, and nothing personal."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from examples.processes import free_ports
from protocol.errors import Rejected, Unavailable
from service.app import make_app
from service.metrics import METRICS, VARIABLE, Metrics, serve_metrics

EXPOSED = re.compile(r"[0-9a-f]{16,}|[A-Za-z0-9_-]{40,}")
"""What ids, keys and tokens look like."""
Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def samples_of(text: str) -> Samples:
    """By name and labels, as Prometheus parses them; no label looks like an id."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert not any(EXPOSED.search(label) for label in sample.labels.values())
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def scrape(port: int) -> Samples:
    """What a process answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return samples_of(answer.read().decode())


def of(room: str, method: str, route: str, **more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"room": room, "method": method, "route": route, **more}.items()))


@pytest.fixture
def app() -> Flask:
    made = make_app("issuer")

    @made.get("/v1/things/<int:number>")
    def thing(number: int) -> str:
        if number == 1:
            raise Unavailable("busy")
        return str(number)

    return made


def test_requests_are_counted_by_route_and_never_by_path(app: Flask) -> None:
    client = app.test_client()
    for path in ("/v1/things/7", "/v1/things/8?secret=1", "/v1/things/1", "/v1/nothing/here"):
        client.get(path)
    client.open("/v1/things/7", method="BREW")
    port = serve_metrics(app.extensions[METRICS], "127.0.0.1:0")
    route = "/v1/things/<int:number>"
    assert scrape(port)["regie_requests_total"] == {
        of("issuer", "GET", route, status="200"): 2,
        of("issuer", "GET", route, status="503"): 1,
        of("issuer", "GET", "-", status="404"): 1,
        of("issuer", "-", "-", status="405"): 1,
    }
    seconds = scrape(port)["regie_request_seconds_count"]
    assert seconds[of("issuer", "GET", route)] == 3


def test_metrics_are_not_on_the_public_port(app: Flask) -> None:
    assert app.test_client().get("/metrics").status_code == 404


@pytest.mark.parametrize("place", ["0.0.0.0:9464", "192.0.2.1:9464", "[::]:9464"])
def test_metrics_are_refused_a_place_that_others_reach(place: str) -> None:
    with pytest.raises(Rejected, match="loopback"):
        serve_metrics(Metrics("issuer"), place)


@pytest.mark.parametrize(
    "place", ["9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"]
)
def test_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(Rejected, match="bad_metrics"):
        serve_metrics(Metrics("issuer"), place)


def test_second_worker_takes_the_next_port(monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = free_ports(1)
    assert serve_metrics(Metrics("issuer"), f"127.0.0.1:{first}") == first
    assert serve_metrics(Metrics("issuer"), f"127.0.0.1:{first}") > first
    monkeypatch.setattr("service.metrics.MAX_WORKERS", 1)
    with pytest.raises(Unavailable, match="port_in_use"):
        serve_metrics(Metrics("issuer"), f"127.0.0.1:{first}")


def test_served_role_answers_metrics_where_it_is_told(tmp_path: Path) -> None:
    port, metrics = free_ports(2)
    script = "import sys; from service.serve import serve; serve(sys.argv[1], sys.argv[2], port=int(sys.argv[3]))"
    with subprocess.Popen(
        [sys.executable, "-c", script, "tests.service.sample_app:create", str(tmp_path), str(port)],
        env={**os.environ, VARIABLE: f"127.0.0.1:{metrics}", "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening")
        found = scrape(metrics)["regie_requests_total"]
        assert sum(found.values()) >= 1
        process.terminate()
