"""The commands that get cards: what they print, where, and with which exit status."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.command import root
from tests.conformance.foreign_issuer import ForeignIssuer, browse
from tests.conformance.held_cards import PASSPHRASE, Holder
from tests.wallet.issuer_home import trusting
from wallet import cli_open, cli_receive, opened
from wallet.loopback import LoopbackBrowser

Run = Callable[..., Result]


@pytest.fixture
def issuer() -> Iterator[ForeignIssuer]:
    with ForeignIssuer() as running:
        yield running


@pytest.fixture
def holder(tmp_path: Path, issuer: ForeignIssuer) -> Holder:
    made = Holder(tmp_path)
    made.create()
    trusting(made, issuer)
    return made


@pytest.fixture
def run(holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`regie wallet ...`; what the commands show is opened by a browser beside them."""

    class Opened(LoopbackBrowser):
        def __init__(self, show: Callable[[str], None], random: Any, *, seconds: float) -> None:
            super().__init__(lambda url: (show(url), browse(url))[0], random, seconds=seconds)

    def around(home: Any) -> opened.Surroundings:
        return opened.surroundings(home, fetcher=holder.fetcher, clock=holder.clock)

    monkeypatch.setattr(cli_open, "surroundings", around)
    monkeypatch.setattr(cli_receive, "LoopbackBrowser", Opened)
    passphrase = tmp_path / "passphrase"
    passphrase.write_bytes(PASSPHRASE)
    monkeypatch.setenv("REGIE_PASSPHRASE_FILE", str(passphrase))
    monkeypatch.setenv("REGIE_HOME", str(holder.home.path))

    def run_command(*arguments: str, expect: int = 0) -> Result:
        result = CliRunner().invoke(root, ["wallet", *arguments])
        assert result.exit_code == expect, result.output
        return result

    return run_command


def test_address_goes_to_the_terminal_and_cards_to_the_program(run: Run, issuer: ForeignIssuer) -> None:
    result = run("get", issuer.url, "diploma", "--json")
    (line,) = result.stdout.strip().split("\n")
    assert [(card["card"], card["copies"]) for card in json.loads(line)["received"]] == [("diploma", 4)]
    assert f"{issuer.url}/authorize?tenant=a&client_id=" in result.stderr
    assert "code" not in result.stderr


def test_resident_reads_what_came(run: Run, issuer: ForeignIssuer) -> None:
    text = run("receive", issuer.offer()).stdout
    assert text.startswith("You have diploma (Diploma) from Universiteit Vreemd: 4 copies, valid until")


def test_refill_says_what_it_did(run: Run, issuer: ForeignIssuer, holder: Holder) -> None:
    assert run("refill").stdout == "Nothing to do: no card runs low.\n"
    issuer.defers = True
    promised = run("receive", issuer.offer()).stdout
    assert promised.startswith("Universiteit Vreemd makes diploma (Diploma) later; from ")
    waiting = json.loads(run("refill", "--json").stdout)
    assert waiting == {"received": [], "waiting": ["diploma"], "ended": [], "problems": []}
    holder.clock.time += 5
    issuer.ready, issuer.defers = True, False
    assert run("refill").stdout.startswith("You have diploma")
    assert run("refill", "--all").stdout.startswith("You have diploma")


def test_refusal_has_exit_status_1(run: Run, issuer: ForeignIssuer, holder: Holder) -> None:
    issuer.error = "access_denied"
    result = run("get", issuer.url, "diploma", expect=1)
    assert "access_denied" in result.output
    run("get", "https://nobody.example", "diploma", expect=1)
    run("get", issuer.url, expect=2)
    assert "You have no cards" in run("cards").stdout
