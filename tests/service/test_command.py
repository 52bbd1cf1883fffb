"""The command line: exit codes, one JSON object, no question without a terminal, a quick start."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from protocol import __version__
from protocol.errors import Rejected, Unavailable
from service.command import (
    GROUPS,
    LazyGroup,
    command,
    command_without_home,
    confirm,
    emit,
    home_of,
    home_option,
    progress,
    read_input,
    read_secret,
    root,
)
from service.home import Home

PYTHON = sys.executable


@click.group()
@home_option
def group() -> None:
    """A role for the tests."""


@group.command("greet")
@click.option("--name", default="you")
@command
def greet(ctx: click.Context, home: Home, name: str) -> None:
    """Say hello."""
    progress(ctx, "working")
    emit(ctx, f"Hello {name} in {home.path}", {"name": name, "home": str(home.path)})


@group.command("fail")
@command_without_home
@click.argument("how")
def fail(ctx: click.Context, how: str) -> None:
    """End in an error."""
    errors = {
        "rejected": Rejected("revoked", "grant was revoked\nsecond line", status=410),
        "unavailable": Unavailable("unreachable", "log cannot be reached"),
        "io": OSError(28, "No space left on device", "/x/y"),
        "bare": OSError(),
        "misuse": ValueError("a bug"),
    }
    raise errors[how]


@group.command("ask")
@click.option("--yes", is_flag=True)
@command_without_home
def ask(ctx: click.Context, yes: bool) -> None:
    """Ask a question."""
    confirm("Really?", yes=yes)
    emit(ctx, "done", {"done": True})


@group.command("secrets")
@click.argument("first")
@click.argument("second")
@command_without_home
def secrets(ctx: click.Context, first: str, second: str) -> None:
    """Read two secrets."""
    found = [read_secret(first, name="BSN"), read_secret(second, name="code")]
    emit(ctx, " ".join(found), {"found": found})


@group.command("input")
@click.argument("file")
@command_without_home
def read(ctx: click.Context, file: str) -> None:
    """Read a file or stdin."""
    data = read_input(file, max_bytes=10)
    emit(ctx, str(len(data)), {"bytes": len(data)})


@group.command("where")
@command_without_home
def where(ctx: click.Context) -> None:
    """Name the home if there is one."""
    emit(ctx, "-", {"home": str(home_of(ctx).path)})


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.delenv("REGIE_HOME", raising=False)
    return CliRunner()


def test_human_gets_a_sentence_and_json_one_object(runner: CliRunner) -> None:
    human = runner.invoke(group, ["greet", "--home", "/h"])
    assert (human.exit_code, human.stdout, human.stderr) == (0, "Hello you in /h\n", "working\n")
    machine = runner.invoke(group, ["greet", "--home", "/h", "--json", "--name", "é"])
    assert (machine.exit_code, machine.stderr) == (0, "")
    assert json.loads(machine.stdout) == {"name": "é", "home": "/h"}
    assert machine.stdout.count("\n") == 1
    assert machine.stdout.isascii()


@pytest.mark.parametrize("place", ["command", "group", "environment", "both"])
def test_home_is_found(runner: CliRunner, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {
        "command": ["greet", "--home", "/h"],
        "group": ["--home", "/h", "greet"],
        "environment": ["greet"],
        "both": ["--home", "/other", "greet", "--home", "/h"],
    }[place]
    if place == "environment":
        monkeypatch.setenv("REGIE_HOME", "/h")
    elif place == "command":
        monkeypatch.setenv("REGIE_HOME", "/other")
    assert json.loads(runner.invoke(group, [*arguments, "--json"]).stdout)["home"] == "/h"


def test_command_without_any_home_is_wrong_use(runner: CliRunner) -> None:
    for name in ("greet", "where"):
        result = runner.invoke(group, [name])
        assert result.exit_code == 2
        assert "--home DIR or REGIE_HOME" in result.stderr


@pytest.mark.parametrize(
    ("how", "code", "line"),
    [
        ("rejected", 1, "refused: grant was revoked second line (revoked)"),
        ("unavailable", 3, "not reachable: log cannot be reached (unreachable)"),
        ("io", 3, "not reachable: No space left on device: /x/y (io)"),
        ("bare", 3, "not reachable: input or output failed (io)"),
    ],
)
def test_error_is_one_line_and_an_exit_code(runner: CliRunner, how: str, code: int, line: str) -> None:
    human = runner.invoke(group, ["fail", how])
    assert (human.exit_code, human.stdout, human.stderr) == (code, "", line + "\n")
    machine = runner.invoke(group, ["fail", how, "--json"])
    assert (machine.exit_code, machine.stderr) == (code, line + "\n")
    error = json.loads(machine.stdout)["error"]
    assert line.endswith(f"({error['code']})")
    assert set(error) == {"code", "detail"}


def test_our_own_bug_is_not_hidden(runner: CliRunner) -> None:
    assert isinstance(runner.invoke(group, ["fail", "misuse"]).exception, ValueError)


def test_nothing_is_asked_without_a_terminal(runner: CliRunner) -> None:
    result = runner.invoke(group, ["ask"], input="y\n")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert runner.invoke(group, ["ask", "--yes"]).exit_code == 0


def test_secrets_come_from_stdin_in_order(runner: CliRunner) -> None:
    result = runner.invoke(group, ["secrets", "-", "-", "--json"], input=" 999990019 \n1234\n")
    assert json.loads(result.stdout)["found"] == ["999990019", "1234"]
    assert json.loads(runner.invoke(group, ["secrets", "a", "b", "--json"]).stdout)["found"] == ["a", "b"]


def test_missing_secret_on_stdin_is_wrong_use(runner: CliRunner) -> None:
    result = runner.invoke(group, ["secrets", "-", "-"], input="999990019\n")
    assert result.exit_code == 2
    assert "no code on stdin" in result.stderr
    assert "999990019" not in result.stderr


def test_input_is_read_from_file_or_stdin_up_to_its_limit(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "input"
    for size, code in ((10, 0), (11, 1)):
        file.write_bytes(bytes(size))
        assert runner.invoke(group, ["input", str(file)]).exit_code == code
        assert runner.invoke(group, ["input", "-"], input="x" * size).exit_code == code
    assert runner.invoke(group, ["input", str(tmp_path / "missing")]).exit_code == 2
    assert runner.invoke(group, ["input", str(tmp_path)]).exit_code == 2


def test_error_before_the_command_runs_is_mapped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "role_with_callback.py").write_text(
        "import click\nfrom protocol.errors import Rejected\n"
        "def check(ctx, param, value):\n    raise Rejected('bad_code', 'not a code')\n"
        "@click.group()\ndef group(): pass\n"
        "@group.command()\n@click.argument('code', callback=check)\ndef use(code): pass\n"
    )
    script = "import service.command as c\nc.root.table = {'x': ('role_with_callback:group', 'X.')}\nc.main()\n"
    result = subprocess.run(
        [PYTHON, "-c", script, "x", "use", "1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (result.returncode, result.stderr) == (1, "refused: not a code (bad_code)\n")


def test_help_names_every_group_and_imports_none(runner: CliRunner) -> None:
    result = runner.invoke(root, ["--help"])
    assert result.exit_code == 0
    for name, (_, line) in GROUPS.items():
        assert f"  {name} " in result.stdout
        assert line in result.stdout


def test_unknown_group_is_wrong_use(runner: CliRunner) -> None:
    result = runner.invoke(root, ["wizard"])
    assert result.exit_code == 2
    assert "No such command 'wizard'" in result.stderr


def test_version_is_printed(runner: CliRunner) -> None:
    assert runner.invoke(root, ["--version"]).stdout == f"{__version__}\n"


def test_table_that_names_no_command_is_our_mistake() -> None:
    lazy = LazyGroup("x", table={"a": ("service.home:Home", "A.")})
    with pytest.raises(TypeError):
        lazy.get_command(click.Context(lazy), "a")


def test_help_imports_no_more_than_click() -> None:
    script = (
        "import sys, service.command\n"
        "try:\n    service.command.main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([PYTHON, "-c", script, "--help"], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stderr.split()}
    heavy = {
        "flask",
        "sqlalchemy",
        "sqlite_utils",
        "msgspec",
        "cryptography",
        "nacl",
        "urllib3",
        "granian",
        "joserfc",
    }
    assert "click" in loaded
    assert not loaded & heavy
    assert not loaded & {"issuer", "wallet", "verifier", "consentlog", "auditor", "registrar"}


def best_seconds(arguments: list[str]) -> float:
    """Of the processor, which neighbours take nothing of."""
    times = []
    for _ in range(9):
        started = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([PYTHON, *arguments], stdout=subprocess.DEVNULL, check=True)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime)
    return min(times)


def test_help_starts_within_five_times_a_bare_python() -> None:
    script = "from service.command import main; main()"
    ratio = best_seconds(["-c", script, "--help"]) / best_seconds(["-c", "pass"])
    assert ratio <= 5, ratio


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["wallet", "grant", "--json"], 2),
        (["wallet", "nothing", "--json"], 2),
        (["wallet", "cards", "--json", "--home", "/nonexistent"], 2),
        (["verifier", "ask", b"\xff", "--json", "--home", "/nonexistent"], 2),
        (["verifier", "ask", "x", "--case", b"\xff", "--json", "--home", "/nonexistent"], 2),
        (["verifier", "read", "x", "--only", b"\xff", "--json", "--home", "/nonexistent"], 2),
        (["verifier", "grants", "--json", "--home", "/nonexistent"], 1),
    ],
)
def test_every_command_with_json_prints_one_object_also_on_wrong_use(
    arguments: list[str | bytes], exit_code: int
) -> None:
    done = subprocess.run(
        [PYTHON, "-c", "from service.command import main; main()", *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == exit_code, done.stderr
    (line,) = done.stdout.splitlines()
    assert set(json.loads(line)["error"]) == {"code", "detail"}
    assert b"Traceback" not in done.stderr
