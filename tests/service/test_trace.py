"""A trace goes from program to program, names nobody, and never leaves a resident's own program."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from service.app import json_response, make_app
from service.fetch import Answer, Fetcher
from service.journal import log_event
from service.trace import callers_span, current_span, parse_traceparent, span, within

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{CALLER}-01"


@pytest.mark.parametrize(
    "text", [HEADER, f"00-{TRACE}-{CALLER}-00", f"01-{TRACE}-{CALLER}-01-later", f" {HEADER} "]
)
def test_traceparent_is_read(text: str) -> None:
    found = parse_traceparent(text)
    assert found is not None
    assert (found.trace_id, found.span_id) == (TRACE, CALLER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        HEADER.upper(),
        HEADER + "-more",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}",
        f"01-{TRACE}-{CALLER}-01-" + "x" * 512,
    ],
)
def test_what_is_no_traceparent_counts_as_none(text: str) -> None:
    assert parse_traceparent(text) is None
    with span(text) as made:
        assert made.trace_id != TRACE
        assert made.parent is None


def test_spans_lie_in_one_another() -> None:
    assert current_span() is None
    with span(HEADER) as outer, span() as inner:
        assert (outer.trace_id, outer.parent) == (TRACE, CALLER)
        assert (inner.trace_id, inner.parent) == (TRACE, outer.span_id)
        assert inner.span_id not in (outer.span_id, CALLER)
        assert current_span() == inner
    with within(callers_span(HEADER)), span() as made:
        assert (made.trace_id, made.parent) == (TRACE, CALLER)
    with within(callers_span("no trace")):
        assert current_span() is None


def served(monkeypatch: pytest.MonkeyPatch, *, traces: bool) -> tuple[Flask, list[dict[str, str]]]:
    """An app that writes a line and asks another one; and the headers that this one got."""
    app, sent = make_app("verifier", traces=traces), []
    fetcher = Fetcher(loopback=True)

    def exchange(method: str, target: Any, body: Any, headers: dict[str, str], max_bytes: int) -> Answer:
        sent.append({"method": method, **headers})
        return Answer(200, {"content-type": "application/json"}, b"{}")

    monkeypatch.setattr(fetcher, "_exchange", exchange)

    @app.get("/v1/things")
    def things() -> Any:
        log_event("verifier", "thing")
        fetcher.post_json("http://localhost:1/v1/reads", {})
        fetcher.get("http://localhost:1/v1/list")
        return json_response({})

    return app, sent


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_request_goes_on_with_the_trace_of_its_caller(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app, sent = served(monkeypatch, traces=True)
    app.test_client().get("/v1/things", headers={"traceparent": HEADER, "tracestate": "vendor=CANARY"})
    lines = lines_of(capsys)
    assert [line["event"] for line in lines] == ["thing", "request"]
    assert {line["trace"] for line in lines} == {TRACE}
    assert len({line["span"] for line in lines}) == 1
    posted, fetched = sent
    assert posted["traceparent"] == f"00-{TRACE}-{lines[0]['span']}-01"
    assert "traceparent" not in fetched  # public files: who serves them need not know for what
    assert "CANARY" not in json.dumps([lines, sent])
    assert current_span() is None


def test_request_without_a_trace_begins_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app, sent = served(monkeypatch, traces=True)
    client = app.test_client()
    client.get("/v1/things")
    client.get("/v1/things", headers={"traceparent": "00-bad"})
    traces = [line["trace"] for line in lines_of(capsys) if line["event"] == "thing"]
    assert len(set(traces)) == 2
    assert [header["traceparent"].split("-")[1] for header in sent if header["method"] == "POST"] == traces


def test_attack_linking_a_resident_by_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that opens the wallet with a number of its own learns nothing from others: no number goes out."""
    app, sent = served(monkeypatch, traces=False)
    app.test_client().get("/v1/things", headers={"traceparent": HEADER})
    assert not any("traceparent" in headers for headers in sent)
    assert not any("trace" in line for line in lines_of(capsys))


def test_wallets_own_apps_have_no_traces() -> None:
    """Both programs of residents are made with `traces=False`."""
    for module in ("app", "counter_app"):
        text = (Path(__file__).parents[2] / "wallet" / "ui" / f"{module}.py").read_text()
        assert text.count("make_ui(") == text.count("traces=False") == 1
