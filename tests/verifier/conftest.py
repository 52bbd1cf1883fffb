"""One agency and one wallet, ready to talk, and the agency's command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.command import root
from tests.verifier.agency import Agency, Wallet
from verifier import cli, cli_inbox, cli_officers, cli_request, cli_standing
from verifier.desk import Desk


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """The agency of `tests.protocol.builders`."""
    return Agency(tmp_path)


@pytest.fixture
def wallet(agency: Agency) -> Wallet:
    """A resident with a full set of cards."""
    return Wallet(agency.clock, agency.log)


@pytest.fixture
def run(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command in the agency's home, over its network and clock."""
    for module in (cli, cli_inbox, cli_officers, cli_request, cli_standing):
        monkeypatch.setattr(module, "Desk", lambda home: Desk(home, agency.desk.parts))

    def call(*arguments: str, exit_code: int = 0, as_json: bool = True) -> Any:
        flags = ["--json"] if as_json else []
        result: Result = CliRunner().invoke(
            root, ["verifier", *arguments, "--home", str(agency.home.path), *flags]
        )
        assert result.exit_code == exit_code, (result.output, result.stderr, result.exception)
        if exit_code:
            return result.stderr
        return json.loads(result.stdout) if as_json else result.stdout

    return call
