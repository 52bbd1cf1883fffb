"""The console's parts on the command line: the token, the register of looks, and what a case needs."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from auditor.watch import MAX_TOKEN_CHARS, TOKEN, kept_token
from protocol.errors import Rejected
from service.command import root
from tests.auditor.ui.conftest import Console


def regie(console: Console, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(root, ["auditor", *arguments, "--home", str(console.home.path)], input=stdin)


def test_token_is_kept_closed_to_others_and_can_be_forgotten(console: Console) -> None:
    assert regie(console, "token", "-", stdin="abc-DEF_1\n").exit_code == 0
    assert kept_token(console.home) == "abc-DEF_1"
    assert console.home.file(TOKEN).stat().st_mode & 0o077 == 0
    assert regie(console, "token", "--forget").exit_code == 0
    assert kept_token(console.home) is None


@pytest.mark.parametrize("text", ["", " \n", "two words", "é", "x" * (MAX_TOKEN_CHARS + 1)])
def test_what_is_no_token_is_not_kept(console: Console, text: str) -> None:
    before = kept_token(console.home)
    assert regie(console, "token", "-", stdin=text).exit_code == 1
    assert kept_token(console.home) == before


@pytest.mark.parametrize("arguments", [(), ("-", "--forget")])
def test_token_is_given_or_forgotten_and_not_both(console: Console, arguments: tuple[str, ...]) -> None:
    assert regie(console, "token", *arguments, stdin="abc").exit_code == 2


def test_attack_token_that_others_can_read_is_not_used(console: Console) -> None:
    console.home.file(TOKEN).chmod(0o644)
    with pytest.raises(Rejected, match="open_secret"):
        kept_token(console.home)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("0",), 2),
        (("0", "--reason", "curious", "--note", "x"), 2),
        (("0", "--reason", "sample"), 2),
        (("0", "--reason", "sample", "--note", " "), 1),
        (("999", "--reason", "sample", "--note", "x"), 1),
    ],
)
def test_case_is_not_opened_without_a_number_and_a_reason(
    console: Console, arguments: tuple[str, ...], status: int
) -> None:
    assert regie(console, "case", *arguments).exit_code == status
    assert console.desk.looks.count() == 0


def test_register_is_told_on_the_command_line(console: Console) -> None:
    console.open(console.kept.answer.slot, "sample", "S-2026-1")
    told: dict[str, Any] = json.loads(regie(console, "looks", "--json").output)
    assert [look["note"] for look in told["looks"]] == ["S-2026-1"]
    assert told["first_broken"] is None
    assert "The register is whole." in regie(console, "looks").output
