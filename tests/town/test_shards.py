"""A log for each year: the old one takes no new grants, and everything else in it goes on."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from examples.founding import ORIGIN, Town
from examples.processes import Server, free_ports
from protocol.canonical import parse_struct
from protocol.trust_list import TrustedLog, TrustedWitness
from registrar.policy import default_policy
from tests.town.residents import agree, grant_again, read, revoke

NEXT = "log.voorbeeldstad.example/2027"


def list_log(town: Town, log: Path, cosigner: Path) -> None:
    """With a policy that asks the town's witness and the log's own auditing cosigner."""
    entry = parse_struct(log.read_bytes(), TrustedLog)
    seen_by = [
        parse_struct(path.read_bytes(), TrustedWitness) for path in (town.home / "entry-witness.json", cosigner)
    ]
    policy = town.home / f"policy-{log.stem}.txt"
    policy.write_text(default_policy(entry, seen_by))
    town.regie("registrar", "registrar", "add-log", str(log), "--policy", str(policy))


def sign(town: Town) -> None:
    town.regie("registrar", "registrar", "sign")


@pytest.fixture
def years(own_town: Town) -> Iterator[Town]:
    """The town with the next year's log beside its own, each with an auditing cosigner."""
    town, (log_port, cosigner_port) = own_town, free_ports(2)
    urls = {"log2": f"http://localhost:{log_port}", "cosigner2": f"http://localhost:{cosigner_port}"}
    words = {
        "log2": ("log", "init", "--url", urls["log2"], "--origin", NEXT),
        "cosigner2": (
            "auditor",
            "init",
            "--url",
            urls["cosigner2"],
            "--name",
            "kamer2.example",
            "--log",
            NEXT,
        ),
    }
    entries = {name: town._init(name, *arguments) for name, arguments in words.items()}
    town.regie("registrar", "registrar", "add-witness", str(entries["cosigner2"]))
    list_log(town, town.home / "entry-log.json", town.home / "entry-cosigner.json")
    list_log(town, entries["log2"], entries["cosigner2"])
    sign(town)
    with ExitStack() as stack:
        for name, arguments in (("cosigner2", ("auditor", "cosign")), ("log2", ("log", "serve"))):
            server = Server(name, town.at(name), arguments, urls[name], town.home / f"{name}.log")
            stack.callback(server.stop)
            server.start()
        yield town


def close(town: Town, origin: str) -> None:
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    town.regie("registrar", "registrar", "close-log", "--log", origin, "--until", yesterday)
    sign(town)


def restart_agency(town: Town) -> None:
    town.servers["agency"].stop()
    town.servers["agency"].start()


@pytest.mark.timeout(900)  # some forty commands and seven servers
def test_grants_of_two_years_are_read_stopped_and_audited_each_in_its_log(years: Town) -> None:
    town = years
    old, kept = agree(town, "anna"), agree(town, "bram", person=1)
    asked = town.regie("agency", "verifier", "ask", "parkeervergunning").answer  # before the year ends

    close(town, ORIGIN)
    refused = town.regie("agency", "verifier", "ask", "parkeervergunning", expect=1)
    assert refused.code == "log_closed"
    told = town.regie("anna", "wallet", "grant", asked["request"], "--yes", expect=1)
    assert told.code == "log_closed"
    assert len(town.regie("anna", "wallet", "grants").answer["grants"]) == 1

    assert town.regie("agency", "verifier", "use-log", ORIGIN, expect=1).code == "log_closed"
    town.regie("agency", "verifier", "use-log", NEXT)
    restart_agency(town)
    new = grant_again(town, "anna")
    assert new.slot == old.slot == 0, "each log counts its own slots"

    for agreement in (old, kept, new):
        assert set(read(town, agreement).answer["values"]) == {"postcode"}
    for agreement in (old, new):
        assert revoke(town, agreement)["state"] == "confirmed"
        assert read(town, agreement, expect=1).code == "revoked"
    assert set(read(town, kept).answer["values"]) == {"postcode"}
    checked = town.regie("agency", "verifier", "check").answer["grants"]
    assert [(each["id"], each["state"]) for each in checked] == [(kept.ask, "stands")]
    history = town.regie("anna", "wallet", "history").answer["events"]
    assert sum(event["kind"] == "read" for event in history) == 2
    assert all(event["verified"] for event in history)

    check_audits(town)


def check_audits(town: Town) -> None:
    """An auditor has a home for each log, and so has each evidence file its log."""
    town.regie("auditor2", "auditor", "init", *town.trust, "--log", NEXT)
    token = town.at("log2") / "auditor-token.txt"
    token.write_text(town.regie("log2", "log", "auditor-token").answer["token"])
    verdicts = [
        town.audit().answer,
        town.regie("auditor2", "auditor", "verify", "--openings", "--token", str(token)).answer,
    ]
    for verdict in verdicts:
        assert verdict["findings"] == []
    for auditor, origin, grants in (("auditor", ORIGIN, 2), ("auditor2", NEXT, 1)):
        file = town.home / f"evidence-{auditor}.db"
        counts = town.regie("agency", "verifier", "evidence", str(file), "--log", origin).answer
        assert counts["grants"] == grants
        assert town.regie(auditor, "auditor", "check", str(file)).answer["findings"] == []
