"""What the log measures of itself, as Prometheus reads it."""

import asyncio
from pathlib import Path

from prometheus_client.exposition import generate_latest

from consentlog.log_time import LogTime
from protocol.canonical import b64u_encode, canonical_bytes
from service.edge import HOT_PATHS, Edge
from service.metrics import METRICS
from tests.consentlog.peers import HandClock, code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import AUDITOR_NAME, NOW, WITNESS_NAME
from tests.service.test_metrics import Samples, of, samples_of
from tests.waiting import wait_until


def measured(town: SmallTown) -> Samples:
    assert town.node is not None
    return samples_of(generate_latest(town.node.metrics.registry).decode())


def plain(found: Samples, name: str) -> float:
    return found[name][()]


def test_figures_of_a_log_tell_what_was_done(town: SmallTown) -> None:
    given, other = town.grant(max_reads=1), town.grant()
    town.read(given)
    town.post_read(town.make_read(given))
    town.revoke(other)
    town.settle()
    found = measured(town)
    done = {labels[0][1]: value for labels, value in found["regie_log_operations_total"].items()}
    assert done["grant"] == 2
    assert (done["read"], done["release"], done["revocation"]) == (1, 1, 1)
    assert found["regie_log_refusals_total"][("code", "reads_spent"),] == 1
    size = town.node.tree.size
    assert plain(found, "regie_log_leaves") == plain(found, "regie_log_published_leaves") == size
    assert plain(found, "regie_log_unpublished_leaves") == 0
    assert plain(found, "regie_log_seconds_since_quorum") == 0
    assert plain(found, "regie_log_takes_reads") == 1
    assert plain(found, "regie_log_stopped") == plain(found, "regie_log_only_revocations") == 0
    assert plain(found, "regie_log_group_size_count") == plain(found, "regie_log_commit_seconds_count") >= 5
    assert found["regie_log_rounds_total"][("result", "published"),] >= 3
    assert plain(found, "regie_log_shares") == 1
    assert plain(found, "regie_log_epoch_age_seconds") == 0
    for name in ("waiting_revocations", "waiting_operations", "waiting_checkpoint"):
        assert plain(found, f"regie_log_{name}") == 0
    text = generate_latest(town.node.metrics.registry).decode()
    for secret in (given.terms.lock, given.terms.tag_key, given.terms.recipient, b64u_encode(given.r)):
        assert secret not in text


def test_requests_past_flask_are_counted_too(town: SmallTown) -> None:
    given = town.grant()
    body = canonical_bytes(town.make_read(given).request)
    edge = Edge(town.app, threads=1)
    assert edge._hot is town.app.extensions[HOT_PATHS]
    assert edge._metrics is town.app.extensions[METRICS] is town.node.metrics

    class Scope:
        method, path, headers = (
            "POST",
            "/v1/reads",
            {"content-length": str(len(body)), "content-type": "application/json"},
        )

    class Protocol:
        status = 0

        def __aiter__(self) -> "Protocol":
            self.left = [body]
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

        def response_bytes(self, status: int, headers: object, data: bytes) -> None:
            self.status = status

    protocol = Protocol()
    asyncio.run(edge.handle(Scope(), protocol))
    assert protocol.status == 200
    found = measured(town)
    assert found["regie_requests_total"][of("consentlog", "POST", "/v1/reads", status="200")] == 1
    assert found["regie_request_seconds_count"][of("consentlog", "POST", "/v1/reads")] == 1
    Scope.headers = {"content-length": "99999999"}
    asyncio.run(edge.handle(Scope(), protocol))
    assert measured(town)["regie_requests_total"][of("consentlog", "-", "-", status="413")] == 1


def test_silent_witness_and_lag_show(town: SmallTown) -> None:
    given = town.grant()
    town.settle()
    town.wires.cut |= {WITNESS_NAME}
    town.revoke(given)
    name = ("witness", WITNESS_NAME)
    wait_until(lambda: measured(town).get("regie_log_witness_failures_total", {}).get((name,), 0) >= 1)
    town.clock.time += 25
    found = measured(town)
    assert plain(found, "regie_log_unpublished_leaves") == 2
    assert plain(found, "regie_log_seconds_since_quorum") == 25
    wait_until(lambda: measured(town)["regie_log_rounds_total"][("result", "failed"),] >= 1)


def test_skew_of_each_witness_shows(town: SmallTown) -> None:
    town.witness_clock.time = NOW - 12
    town.node.publisher.wake()
    wait_until(lambda: measured(town)["regie_log_clock_skew_seconds"][("witness", AUDITOR_NAME),] == 12)


def test_log_that_has_stopped_says_so(town: SmallTown) -> None:
    town.node.publisher.stop()
    wait_until(lambda: plain(measured(town), "regie_log_stopped") == 1)
    assert code_of(town.send("GET", "/healthz")) == (503, "stopped")


def test_figures_that_cannot_be_read_are_no_numbers(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        for path in (town.home.path / "epochs").glob("*.key"):
            path.unlink()
        assert plain(measured(town), "regie_log_epoch_age_seconds") != plain(
            measured(town), "regie_log_epoch_age_seconds"
        )


def test_time_of_a_log_starts_where_it_was_signed_last() -> None:
    time = LogTime(HandClock(NOW), NOW - 10)
    assert (time.now(), time.kept, time.state) == (NOW, NOW - 10, "unvouched")
